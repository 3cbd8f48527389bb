"""Describe a trial briefly: by the fields in which the trials of its sweep differ."""

import random
from collections.abc import Sequence
from typing import Any

from sweeps.store.columns import KIND, flat

LOOKED_AT = 2000
"""Sample size for finding the varying fields of a large sweep."""


def varying(trials: Sequence[Any]) -> list[str]:
    """Return the columns in which trials differ, in order; `seed` last.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Digits = make_dataclass("Digits", [("seed", int), ("width", int), ("lr", float)])
        >>> varying([Digits(0, 8, 0.1), Digits(1, 16, 0.1)])
        ['width', 'seed']
    """
    some = trials
    if len(trials) > LOOKED_AT:
        some = random.Random(0).sample(list(trials), LOOKED_AT)
    first = flat(some[0])
    found = dict.fromkeys(
        name
        for each in (flat(trial) for trial in some)
        for name in each
        if name not in first or each[name] != first[name]
    )
    order = list(first) + [name for name in found if name not in first]
    return [n for n in order if n in found and n != "seed"] + ["seed"] * ("seed" in found)


def described(trial: Any, names: Sequence[str]) -> str:
    """Return a trial's values of some columns as text.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Digits = make_dataclass("Digits", [("seed", int), ("width", int), ("lr", float)])
        >>> described(Digits(0, 8, 0.1), ["width", "seed"])
        'width 8, seed 0'
    """
    values = flat(trial)
    shown = [(name, values[name]) for name in names if name in values]
    return ", ".join(
        f"{value}" if name.endswith(KIND) else f"{_short(name, values)} {_text(value)}"
        for name, value in shown
    )


def _short(name: str, names: Any) -> str:
    """Return the last part of a dotted name if it is unambiguous, else the name."""
    last = name.rpartition(".")[2]
    return last if sum(n.rpartition(".")[2] == last for n in names) == 1 else name


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"
