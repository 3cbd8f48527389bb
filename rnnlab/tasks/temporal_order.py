"""The temporal order problem: classify the order of two symbols that are far apart.

ICML 2013, Section 4.1.1, with the positions of the authors' code.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below, words
from rnnlab.tasks.task import Task

DISTRACTORS_A_WORD = 16
DISTRACTORS_A_BLOCK = 64


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
    """Draw one sequence of L symbols over {A, B, c, d, e, f}, coded 0 to 5.

    The first A or B is at int(.1 L) + r(int(.1 L)), the second at
    int(.5 L) + r(int(.1 L)), where r(n) is uniform over 0..n−1; every other step is one
    of the four distractors. The class is v₀ + 2 v₁, where v = 1 means B: 0 to 3 for AA,
    BA, AB, BB. Arguments as in `Task.draw_example`.
    """
    first, second, bits, _ = words(seed, purpose, index, example, 0)
    symbols = inputs[0]
    draw_distractors(seed, purpose, index, example, steps, 2, symbols)
    v0 = bits & 1
    v1 = (bits >> 1) & 1
    symbols[steps // 10 + below(first, steps // 10)] = v0
    symbols[steps // 2 + below(second, steps // 10)] = v1
    targets[0] = v0 + 2 * v1


def draw_distractors(
    seed: int,
    purpose: int,
    index: int,
    example: int,
    steps: int,
    lowest: int,
    symbols: MutableSequence[int],
) -> None:
    """Write one of four symbols from `lowest` on at every step, using words from block 1 on."""
    for start in range(0, steps, DISTRACTORS_A_BLOCK):
        block = words(seed, purpose, index, example, 1 + start // DISTRACTORS_A_BLOCK)
        for offset in range(min(DISTRACTORS_A_BLOCK, steps - start)):
            word = block[offset // DISTRACTORS_A_WORD]
            shift = 2 * (offset % DISTRACTORS_A_WORD)
            symbols[start + offset] = lowest + ((word >> shift) & 3)


@dataclass(frozen=True, kw_only=True)
class TemporalOrder(Task):
    """Classify the order of two symbols among distractors.

    Example:
        >>> inputs, targets = [[0] * 20], [0]
        >>> draw_example(0, 0, 0, 1, 20, (), inputs, targets)
        >>> print("inputs  " + "".join("ABcdef"[symbol] for symbol in inputs[0]))
        inputs  edBccedcdceAdfedfcec
        >>> print("targets " + "." * 19 + str(targets[0]))
        targets ...................1
    """

    shortest: ClassVar[int] = 10
    because: ClassVar[str] = "the two symbols are drawn from windows of length L/10"
    draw_example: ClassVar[Callable[..., None]] = staticmethod(draw_example)

    @property
    def inputs(self) -> int:
        """A, B and four distractors."""
        return 6

    @property
    def outputs(self) -> int:
        """AA, BA, AB, BB."""
        return 4
