"""The multiplication problem: the product of two marked numbers, far apart.

ICML 2013, Section 4.1.3, with the positions of the authors' code.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below
from rnnlab.tasks.addition import draw_marked
from rnnlab.tasks.task import Cost, Task


def draw_example(
    seed: int,
    purpose: int,
    index: int,
    example: int,
    steps: int,
    settings: Sequence[int],
    inputs: MutableSequence[MutableSequence[float]],
    targets: MutableSequence[float],
) -> None:
    """Draw one sequence of T pairs; the target is a·b for the marked numbers a and b.

    Arguments as in `Task.draw_example`.
    """
    a, b = draw_marked(seed, purpose, index, example, steps, inputs[0], inputs[1])
    targets[0] = a * b


@dataclass(frozen=True, kw_only=True)
class Multiplication(Task):
    """Compute the product of two marked numbers; the network has a linear output.

    A length L gives batches of T = L + r(int(.1 L)) steps.

    Example:
        >>> inputs, targets = [[0.0] * 10, [0.0] * 10], [0.0]
        >>> draw_example(0, 0, 0, 1, 10, (), inputs, targets)
        >>> print("numbers", *(f"{number:.1f}" for number in inputs[0]))
        numbers 0.4 0.9 1.0 0.4 0.1 0.5 0.3 0.5 0.6 0.7
        >>> print("markers", *(f"{marker:3.0f}" for marker in inputs[1]))
        markers   1   0   0   0   1   0   0   0   0   0
        >>> print("targets", *("  ." for _ in range(9)), f"{targets[0]:.2f}")
        targets   .   .   .   .   .   .   .   .   . 0.04
    """

    one_hot: ClassVar[bool] = False
    cost: ClassVar[Cost] = "value_at_end"
    shortest: ClassVar[int] = 10
    because: ClassVar[str] = "the first number is marked in a window of length T/10"
    draw_example: ClassVar[Callable[..., None]] = staticmethod(draw_example)

    @property
    def inputs(self) -> int:
        """The number and the marker."""
        return 2

    @property
    def outputs(self) -> int:
        """The product."""
        return 1

    def steps(self, length: int, word: int) -> int:
        """Return T = L + r(int(.1 L))."""
        return length + below(word, length // 10)
