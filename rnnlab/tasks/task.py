"""The interface of a learning problem."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

Cost = Literal["class_at_end", "class_at_each_step", "value_at_end"]
"""The kind of target, which decides the cost and what is wrong; see `rnnlab.costs`."""

LONGEST = 100_000
"""The most steps that fit into a worker's memory."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A learning problem: how long its sequences are, and how to draw one.

    Each subclass has its own file and defines `inputs`, `outputs`, `draw_example` and the
    class variables that differ from the defaults. Its fields are part of a trial's content.
    """

    length: int = 100
    """Length L, in steps; with `length_max` the shortest."""

    length_max: int | None = None
    """Draw a new L for every batch, `length` ≤ L < `length_max`; None: always `length`."""

    one_hot: ClassVar[bool] = True
    """Whether a step's input is one of `inputs` symbols; otherwise it is `inputs` numbers."""

    cost: ClassVar[Cost] = "class_at_end"
    """The kind of target and cost."""

    shortest: ClassVar[int] = 1
    """The smallest L allowed."""

    because: ClassVar[str] = "a sequence has a step"
    """Why L cannot be smaller; part of the error message."""

    draw_example: ClassVar[Callable[..., None]]
    """Draw one sequence: plain Python over scalars and arrays, which Numba compiles.

    Called as `draw_example(seed, purpose, index, example, steps, settings, inputs, targets)`
    with the arguments of `rnnlab.rng.words`, the number of steps and `settings`. It writes
    every step of every row of `inputs`: one row of symbols, or one row for each number of
    a step. It writes the targets into `targets`: one class, a class for each step, or the
    numbers.
    """

    @property
    @abstractmethod
    def inputs(self) -> int:
        """The number of symbols, or of numbers per step."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The number of classes, or of target numbers."""

    @property
    def settings(self) -> tuple[int, ...]:
        """The task's parameters for `draw_example`, besides the number of steps."""
        return ()

    def steps(self, length: int, word: int) -> int:
        """Return the steps of a batch for a length L; the arithmetic must work on arrays too.

        The result must not decrease in L or in the word: memory is allocated for the
        highest of both.

        Args:
            length: L.
            word: 32 random bits of the batch.
        """
        return length

    def of_length(self, length: int) -> Self:
        """Return the same task with a fixed length.

        Raises:
            ValueError: If the length is not allowed.
        """
        return replace(self, length=length, length_max=None)

    @property
    def longest(self) -> int:
        """The most steps that a sequence may have."""
        last = self.length if self.length_max is None else self.length_max - 1
        return self.steps(last, 2**32 - 1)

    @property
    def varies(self) -> bool:
        """Whether the number of steps differs between batches."""
        return self.steps(self.length, 0) != self.longest

    def __post_init__(self) -> None:
        """Reject lengths that cannot be drawn.

        Raises:
            ValueError: If a length is not allowed; the message says what to change.
        """
        self.require_whole("length", self.length)
        if self.length < self.shortest:
            raise ValueError(
                f"{type(self).__name__}.length is {self.length}, but {self.because}, so "
                f"it must be at least {self.shortest} steps."
            )
        if self.length_max is not None:
            self.require_whole("length_max", self.length_max)
            if self.length_max <= self.length:
                raise ValueError(
                    f"{type(self).__name__}.length_max is {self.length_max}, but lengths "
                    f"are drawn from length to length_max − 1, so it must be above "
                    f"length, {self.length}. For one length alone leave it out."
                )
        if self.longest > LONGEST:
            field = "length" if self.length_max is None else "length_max"
            raise ValueError(
                f"{type(self).__name__}.{field} is {getattr(self, field)}, which makes "
                f"sequences of up to {self.longest} steps, more than the 100,000 that fit "
                "a worker's memory. Choose a shorter one."
            )

    def require_whole(self, name: str, value: object) -> None:
        """Reject a value that is not a whole number.

        Raises:
            ValueError: If it is not; the message names the field.
        """
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(
                f"{type(self).__name__}.{name} must be a whole number, got {value!r}."
            )
