"""Noiseless memorisation: repeat a pattern after a trigger, long after it was shown.

ICML 2013, Section 4.1.5, with the layout of the authors' code. 5 bits: two values at five
positions, and all 32 patterns form each batch; 20 bits and more: five values at ten.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import WORD, below, words
from rnnlab.tasks.task import Cost, Task

PATTERNS_COUNTED = 1000
"""With fewer patterns than this, a batch takes consecutive patterns from a random one on:
a batch as large as their number has each once, and smaller batches reach all in time."""


def draw_example(
    seed: int,
    purpose: int,
    index: int,
    example: int,
    steps: int,
    settings: Sequence[int],
    inputs: MutableSequence[MutableSequence[int]],
    targets: MutableSequence[int],
) -> None:
    """Draw a pattern, L blanks, the trigger, blanks; the pattern is the target from the trigger on.

    Before the trigger, the target is blank. For n values the symbols are 0 to n − 1, blank is
    n and the trigger n + 1. Arguments as in `Task.draw_example`; `settings` are the numbers
    of values and of positions.
    """
    values, positions = settings[0], settings[1]
    symbols = inputs[0]
    for step in range(steps):
        symbols[step] = values
        targets[step] = values
    symbols[steps - positions] = values + 1
    patterns = 1
    for _ in range(positions):
        patterns = min(patterns * values, PATTERNS_COUNTED)
    shift = words(seed, purpose, index, WORD, WORD)[0]  # one per batch
    left = (example + below(shift, patterns)) % patterns
    for place in range(positions):
        symbol = left % values
        left //= values
        if patterns == PATTERNS_COUNTED:
            block = words(seed, purpose, index, example, place // 4)
            symbol = below(block[place % 4], values)
        symbols[place] = symbol
        targets[steps - positions + place] = symbol


@dataclass(frozen=True, kw_only=True)
class Memorisation(Task):
    """Repeat a pattern after L blanks; a sequence is wrong if any step is wrong.

    Sequences have T = L + 2 · `positions` steps.

    Example:
        >>> inputs, targets = [[0] * 18], [0] * 18
        >>> draw_example(0, 0, 0, 11, 18, (2, 5), inputs, targets)
        >>> print("inputs  " + "".join("01.!"[symbol] for symbol in inputs[0]))
        inputs  10010........!....
        >>> print("targets " + "".join("01."[symbol] for symbol in targets))
        targets .............10010
    """

    values: int = 2
    """Different symbols in a pattern, 2 to 100."""

    positions: int = 5
    """Length of a pattern, in symbols, 1 to 1000."""

    cost: ClassVar[Cost] = "class_at_each_step"
    because: ClassVar[str] = "there is a blank"
    draw_example: ClassVar[Callable[..., None]] = staticmethod(draw_example)

    def __post_init__(self) -> None:
        """Reject patterns that cannot be drawn.

        Raises:
            ValueError: If a field is out of range; the message says what to change.
        """
        for name, low, high in (("values", 2, 100), ("positions", 1, 1000)):
            value = getattr(self, name)
            self.require_whole(name, value)
            if not low <= value <= high:
                raise ValueError(
                    f"Memorisation.{name} must lie between {low} and {high}, got {value}."
                )
        super().__post_init__()

    @property
    def inputs(self) -> int:
        """The number of values, plus blank and trigger."""
        return self.values + 2

    @property
    def outputs(self) -> int:
        """The number of values, plus blank."""
        return self.values + 1

    @property
    def settings(self) -> tuple[int, ...]:
        """The numbers of values and of positions."""
        return self.values, self.positions

    def steps(self, length: int, word: int) -> int:
        """Return T = L + 2 · positions."""
        return length + 2 * self.positions
