"""Text for the terminal: durations, commands, messages on stderr."""

import shlex
import sys
from contextlib import suppress


def duration(seconds: float) -> str:
    """Write a duration in its two largest units.

    Example:
        >>> duration(7), duration(125), duration(7860), duration(190_000)
        ('7 s', '2 min 5 s', '2 h 11 min', '2 d 4 h')
    """
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{whole} s"


def counted(number: float, noun: str) -> str:
    """Return a number and its noun as text.

    Example:
        >>> counted(1, "GPU"), counted(0.5, "GPU"), counted(2, "GPU")
        ('1 GPU', '0.5 GPUs', '2 GPUs')
    """
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """Print a message to stderr."""
    with suppress(OSError):  # stderr is closed; the exit code remains
        print(f"sweep: {text}", file=sys.stderr, flush=True)


def option(flag: str, value: str) -> list[str]:
    """Write an option so that a value with a leading dash is parsed as a value."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def sweep_command(*words: str) -> str:
    """Write a `sweep` command as the user would type it here."""
    return " ".join(quoted(word) for word in ("sweep", *words))


def quoted(word: str) -> str:
    """Quote a word for the shell; use double quotes if it contains single ones.

    Example:
        >>> print(quoted("init == 'sigmoid'"))
        "init == 'sigmoid'"
    """
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
