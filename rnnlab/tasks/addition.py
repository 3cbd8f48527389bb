"""The addition problem: the mean of two marked numbers, far apart.

ICML 2013, Section 4.1.3, with the positions of the authors' code.
"""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.rng import below, words
from rnnlab.tasks.task import Cost, Task

NUMBERS_A_BLOCK = 4


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
    """Draw one sequence of T pairs; the target is (a + b)/2 for the marked numbers a and b.

    Arguments as in `Task.draw_example`.
    """
    a, b = draw_marked(seed, purpose, index, example, steps, inputs[0], inputs[1])
    targets[0] = (a + b) / 2


def draw_marked(
    seed: int,
    purpose: int,
    index: int,
    example: int,
    steps: int,
    numbers: MutableSequence[float],
    markers: MutableSequence[float],
) -> tuple[float, float]:
    """Draw T numbers uniform over (0, 1), and mark two of them with a 1.

    The first is at r(int(.1 T)), the second at int(.1 T) + r(int(.4 T)), where r(n) is
    uniform over 0..n−1.

    Returns:
        The two marked numbers.
    """
    for start in range(0, steps, NUMBERS_A_BLOCK):
        block = words(seed, purpose, index, example, 1 + start // NUMBERS_A_BLOCK)
        for offset in range(min(NUMBERS_A_BLOCK, steps - start)):
            numbers[start + offset] = (block[offset] + 0.5) / 4294967296.0
            markers[start + offset] = 0.0
    w0, w1, _, _ = words(seed, purpose, index, example, 0)
    first = below(w0, steps // 10)
    second = steps // 10 + below(w1, 4 * steps // 10)
    markers[first] = 1.0
    markers[second] = 1.0
    return numbers[first], numbers[second]


@dataclass(frozen=True, kw_only=True)
class Addition(Task):
    """Compute the mean of two marked numbers; the network has a linear output.

    A length L gives batches of T = L + r(int(.1 L)) steps.

    Example:
        >>> inputs, targets = [[0.0] * 10, [0.0] * 10], [0.0]
        >>> draw_example(0, 0, 0, 1, 10, (), inputs, targets)
        >>> print("numbers", *(f"{number:.1f}" for number in inputs[0]))
        numbers 0.4 0.9 1.0 0.4 0.1 0.5 0.3 0.5 0.6 0.7
        >>> print("markers", *(f"{marker:3.0f}" for marker in inputs[1]))
        markers   1   0   0   0   1   0   0   0   0   0
        >>> print("targets", *("  ." for _ in range(9)), f"{targets[0]:.2f}")
        targets   .   .   .   .   .   .   .   .   . 0.26
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
        """The mean."""
        return 1

    def steps(self, length: int, word: int) -> int:
        """Return T = L + r(int(.1 L))."""
        return length + below(word, length // 10)
