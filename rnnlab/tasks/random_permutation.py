"""The random permutation problem: the first symbol returns at the end; there are 100 symbols.

ICML 2013, Section 4.1.4, as in the authors' code: the cost is on the last symbol only, as
no other can be predicted.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below, words
from rnnlab.tasks.task import Task

SYMBOLS = 100
SYMBOLS_A_BLOCK = 4


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
    """Draw one sequence of L symbols; the target is the next symbol, which equals the first.

    The first is 0 or 1, the others are uniform over 2 to 99. Arguments as in
    `Task.draw_example`.
    """
    symbols = inputs[0]
    for start in range(0, steps, SYMBOLS_A_BLOCK):
        block = words(seed, purpose, index, example, 1 + start // SYMBOLS_A_BLOCK)
        for offset in range(min(SYMBOLS_A_BLOCK, steps - start)):
            symbols[start + offset] = 2 + below(block[offset], SYMBOLS - 2)
    first = words(seed, purpose, index, example, 0)[0] & 1
    symbols[0] = first
    targets[0] = first


@dataclass(frozen=True, kw_only=True)
class RandomPermutation(Task):
    """Predict the symbol after the last: it equals the first.

    Example:
        >>> inputs, targets = [[0] * 10], [0]
        >>> draw_example(0, 0, 0, 1, 10, (), inputs, targets)
        >>> print("inputs ", *(f"{symbol:2d}" for symbol in inputs[0]))
        inputs   0 89 98 40 11 53 32 52 63 74
        >>> print("targets", *(" ." for _ in range(9)), f"{targets[0]:2d}")
        targets  .  .  .  .  .  .  .  .  .  0
    """

    draw_example: ClassVar[Callable[..., None]] = staticmethod(draw_example)

    @property
    def inputs(self) -> int:
        """All symbols."""
        return SYMBOLS

    @property
    def outputs(self) -> int:
        """All symbols: the network must also learn which two can come last."""
        return SYMBOLS
