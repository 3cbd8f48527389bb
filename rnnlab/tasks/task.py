"""What a learning problem tells the rest of `rnnlab`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

Cost = Literal["class_at_end", "class_at_each_step", "value_at_end"]
"""What is asked, and with it the cost and what counts as wrong; see `rnnlab.costs`."""

LONGEST = 100_000
"""Steps that fit a worker's memory."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A learning problem: how long its sequences are, and how one is drawn.

    A subclass stands in a file of its own and gives `inputs`, `outputs`, `draw_example`
    and what of the class variables differs. Its fields are content of a trial.
    """

    length: int = 100
    """Length L asked for, in steps; with `length_max` the least."""

    length_max: int | None = None
    """Draw L anew for every batch, `length` ≤ L < `length_max`; None: all are of `length`."""

    one_hot: ClassVar[bool] = True
    """Whether a step's input is one of `inputs` symbols; else it is `inputs` numbers."""

    cost: ClassVar[Cost] = "class_at_end"
    """What is asked of the network."""

    shortest: ClassVar[int] = 1
    """The least L."""

    because: ClassVar[str] = "a sequence has a step"
    """Why L cannot be less."""

    draw_example: ClassVar[Callable[..., None]]
    """Draw one sequence: plain Python over scalars and arrays, which Numba compiles.

    Called as `draw_example(seed, purpose, index, example, steps, settings, inputs, targets)`
    with the arguments of `rnnlab.rng.words`, the number of steps and `settings`. It writes
    every step of every row of `inputs`: one row of symbols, or one row for each number of
    a step. It writes into `targets` the class asked for (at each step, or one), or the
    numbers asked for.
    """

    @property
    @abstractmethod
    def inputs(self) -> int:
        """How many symbols there are, or numbers in a step."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many classes there are, or numbers asked for."""

    @property
    def settings(self) -> tuple[int, ...]:
        """What of the task `draw_example` must know besides the number of steps."""
        return ()

    def steps(self, length: int, word: int) -> int:
        """Give the steps of a batch for a length L; arithmetic that arrays understand too.

        They must not fall where L or the word rises: room is made for the highest of both.

        Args:
            length: L.
            word: 32 random bits of the batch.
        """
        return length

    def of_length(self, length: int) -> Self:
        """Give the same task with one length.

        Raises:
            ValueError: If it cannot be drawn.
        """
        return replace(self, length=length, length_max=None)

    @property
    def longest(self) -> int:
        """The most steps that a sequence may have."""
        last = self.length if self.length_max is None else self.length_max - 1
        return self.steps(last, 2**32 - 1)

    @property
    def varies(self) -> bool:
        """Whether batches differ in their number of steps."""
        return self.steps(self.length, 0) != self.longest

    def __post_init__(self) -> None:
        """Refuse lengths that cannot be drawn.

        Raises:
            ValueError: Naming the field, its value and the remedy.
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
        """Refuse what is no whole number.

        Raises:
            ValueError: Naming the field.
        """
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(
                f"{type(self).__name__}.{name} must be a whole number, got {value!r}."
            )
