"""The 3-bit temporal order problem: classify the order of three symbols that are far apart.

ICML 2013, Section 4.1.2, with the positions of the authors' code.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below, words
from rnnlab.tasks.task import Task
from rnnlab.tasks.temporal_order import draw_distractors


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

    A or B is at int(.1 L), int(.3 L) and int(.6 L), each + r(int(.1 L)), where r(n) is
    uniform over 0..n−1; every other step is one of the four distractors. The class is
    v₀ + 2 v₁ + 4 v₂, where v = 1 means B. Arguments as in `Task.draw_example`.
    """
    block = words(seed, purpose, index, example, 0)
    symbols = inputs[0]
    draw_distractors(seed, purpose, index, example, steps, 2, symbols)
    bits = block[3]
    for place, tenth in enumerate((1, 3, 6)):
        at = tenth * steps // 10 + below(block[place], steps // 10)
        symbols[at] = (bits >> place) & 1
    targets[0] = bits & 7


@dataclass(frozen=True, kw_only=True)
class ThreeBitOrder(Task):
    """Classify the order of three symbols among distractors.

    Example:
        >>> inputs, targets = [[0] * 20], [0]
        >>> draw_example(0, 0, 0, 1, 20, (), inputs, targets)
        >>> print("inputs  " + "".join("ABcdef"[symbol] for symbol in inputs[0]))
        inputs  edBccedBdceeAfedfcec
        >>> print("targets " + "." * 19 + str(targets[0]))
        targets ...................3
    """

    shortest: ClassVar[int] = 10
    because: ClassVar[str] = "the three symbols are drawn from windows of length L/10"
    draw_example: ClassVar[Callable[..., None]] = staticmethod(draw_example)

    @property
    def inputs(self) -> int:
        """A, B and four distractors."""
        return 6

    @property
    def outputs(self) -> int:
        """AAA, BAA, ABA, BBA, AAB, BAB, ABB, BBB."""
        return 8
