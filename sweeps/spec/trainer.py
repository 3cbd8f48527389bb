"""Protocols for training trials.

A researcher writes an `OwnTrial`: a frozen dataclass with three methods, in plain PyTorch or
NumPy. The rest of `sweeps` uses a `Trainer`: created once in each worker, for one engine and
one device. `sweeps.spec.own_trials` adapts the first to the second. A `ManyTrainer` can also
train many trials in one call, as a GPU must to be busy.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from sweeps.store.standing import Outcome

State = Any
"""State to resume training from: nested dicts, lists and tuples of tensors, arrays, numbers,
strings and None; see `sweeps.store.checkpoints` for what a checkpoint can hold."""

Check = Mapping[str, Any]
"""Measurements of a check, by name: numbers, strings, booleans, or None if unknown."""


@runtime_checkable
class OwnTrial(Protocol):
    """A trial that trains itself, written by a researcher as a frozen dataclass.

    Its fields are its content: columns of the table, names for `--where`, and the input of
    its id's hash. All random numbers must come from generators in the state, or be
    functions of the seed and the update; then an interrupted trial gives the same bits.

    Optional: `outcome(checks)`, `cost`, `cpus`, `gpus` and `numerics`; see `own_trials`.
    """

    @property
    def check_every(self) -> int:
        """Updates between two checks; a field or a class attribute."""
        ...

    def start(self, device: str) -> State:
        """Return the state before the first update.

        Args:
            device: Where to put tensors, as PyTorch names it: "cpu", "cuda".
        """
        ...

    def advance(self, state: State, updates: int) -> State:
        """Make `updates` updates and return the new state."""
        ...

    def check(self, state: State) -> Check:
        """Measure, without changing the state: the columns of history and table."""
        ...


class Trainer(Protocol):
    """Trains trials of one type, in one process."""

    @property
    def engine(self) -> str | None:
        """The engine's name, if the type has several."""
        ...

    @property
    def device(self) -> str:
        """Where tensors are put, as PyTorch names it."""
        ...

    @property
    def in_place(self) -> bool:
        """Whether `advance` may change the state that it is given, as optimisers do."""
        ...

    def numerics_id(self, trial: Any) -> str:
        """Return an id of what the bits depend on besides the trial; equal ids, equal bits."""
        ...

    def start(self, trial: Any) -> State:
        """Return the state before the first update."""
        ...

    def advance(
        self, trial: Any, state: State, update: int, updates: int
    ) -> tuple[State, int, bool]:
        """Make up to `updates` updates, never past a check.

        Args:
            trial: The trial.
            state: Its state.
            update: Updates made so far.
            updates: Maximum number of updates, at least 1.

        Returns:
            The new state, the number of updates made (possibly 0: a trial that
            this one depends on was trained instead), and whether training has diverged.
        """
        ...

    def check(self, trial: Any, state: State, update: int) -> Check:
        """Measure the state; called at multiples of the trial's `check_every`."""
        ...

    def outcome(self, trial: Any, checks: Sequence[Check]) -> Outcome | None:
        """Return "solved" or "diverged" if training ends here, None to continue."""
        ...

    def summary(
        self, trial: Any, state: State, checks: Sequence[Check], outcome: Outcome
    ) -> Check:
        """Return further columns of the table for a trial that has ended or reached its budget."""
        ...


@runtime_checkable
class ManyTrainer(Trainer, Protocol):
    """A trainer that can train many trials in one call: the same bits as one after another.

    It never works in place: where a call fails, its trials are tried again one by one.
    """

    @property
    def slots(self) -> int:
        """Number of trials that fill the device; 1 if one after another is as fast."""
        ...

    def advance_many(
        self,
        trials: Sequence[Any],
        states: Sequence[State],
        made: Sequence[int],
        updates: Sequence[int],
    ) -> list[tuple[State, int, bool]]:
        """Advance each trial as `advance` does, each by its own number of updates.

        Args:
            trials: Different trials, at most `slots`.
            states: Their states.
            made: Updates made so far.
            updates: Maximum numbers of updates, at least 1.
        """
        ...

    def measure_many(
        self, trials: Sequence[Any], states: Sequence[State], made: Sequence[int]
    ) -> list[Any]:
        """Measure the parts of some trials' checks that run on the device."""
        ...

    def check_measured(self, trial: Any, state: State, update: int, measured: Any) -> Check:
        """Return what `check` returns, given what `measure_many` measured.

        Called in another thread, while the device trains.
        """
        ...


def slots_of(trainer: Trainer) -> int:
    """Return how many trials a trainer is to train at a time."""
    return trainer.slots if isinstance(trainer, ManyTrainer) else 1
