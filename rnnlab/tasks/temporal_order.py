"""The temporal order problem: two symbols far apart, in which order did they come?

ICML 2013, Section 4.1.1, with the positions of the authors' code.
"""

from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below, words

DISTRACTORS_A_WORD = 16
DISTRACTORS_A_BLOCK = 64


def draw_example(
    seed: int,
    purpose: int,
    index: int,
    example: int,
    length: int,
    symbols: MutableSequence[int],
) -> int:
    """Draw one sequence of L symbols over {A, B, c, d, e, f}, coded 0 to 5.

    The first of A, B stands at int(.1 L) + r(int(.1 L)), the second at
    int(.5 L) + r(int(.1 L)), where r(n) is uniform over 0..n−1; every other step is one
    of the four distractors. The class is v₀ + 2 v₁, where v = 1 means B.

    Args:
        seed: The trial's seed.
        purpose: What the sequence is for, as in `rnnlab.rng`.
        index: Which update or check.
        example: Which sequence of it.
        length: L, at least 10 steps.
        symbols: Written: one symbol a step, at least L places.

    Returns:
        The class, 0 to 3: AA, BA, AB, BB.
    """
    first, second, bits, _ = words(seed, purpose, index, example, 0)
    for start in range(0, length, DISTRACTORS_A_BLOCK):
        block = words(seed, purpose, index, example, 1 + start // DISTRACTORS_A_BLOCK)
        for offset in range(min(DISTRACTORS_A_BLOCK, length - start)):
            word = block[offset // DISTRACTORS_A_WORD]
            shift = 2 * (offset % DISTRACTORS_A_WORD)
            symbols[start + offset] = 2 + ((word >> shift) & 3)
    v0 = bits & 1
    v1 = (bits >> 1) & 1
    symbols[length // 10 + below(first, length // 10)] = v0
    symbols[length // 2 + below(second, length // 10)] = v1
    return v0 + 2 * v1


@dataclass(frozen=True, kw_only=True)
class TemporalOrder:
    """Classify the order of two symbols among distractors.

    Example:
        >>> symbols = [0] * 20
        >>> target = draw_example(0, 0, 0, 1, 20, symbols)
        >>> rows = "".join("ABcdef"[symbol] for symbol in symbols), "." * 19 + str(target)
        >>> print("inputs  " + rows[0]); print("targets " + rows[1])
        inputs  edBccedcdceAdfedfcec
        targets ...................1
    """

    length: int = 100
    """Sequence length T, in steps."""

    inputs: ClassVar[int] = 6
    outputs: ClassVar[int] = 4
    draw_example: ClassVar[Callable[..., int]] = staticmethod(draw_example)

    def __post_init__(self) -> None:
        """Refuse lengths that leave no room for the two symbols.

        Raises:
            ValueError: If `length` is no whole number from 10 to 100,000.
        """
        if isinstance(self.length, bool) or not isinstance(self.length, int):
            raise ValueError(
                f"TemporalOrder.length must be a whole number, got {self.length!r}."
            )
        if self.length < 10:
            raise ValueError(
                f"TemporalOrder.length is {self.length}, but the two symbols are drawn "
                "from windows of length T/10, so T must be at least 10 steps."
            )
        if self.length > 100_000:
            raise ValueError(
                f"TemporalOrder.length is {self.length}, more than the 100,000 steps "
                "that fit a worker's memory. Choose a shorter sequence."
            )
