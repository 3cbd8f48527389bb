"""How trials are trained: the protocol that a type of trials fulfils.

What a researcher writes is a frozen dataclass with three methods, plain PyTorch or NumPy
inside (`OwnTrial`). What the rest of `sweeps` trains with is a `Trainer`: made once in each
worker, for one engine and one device. `sweeps.spec.own_trials` makes the one from the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from sweeps.store.standing import Outcome

State = Any
"""What training goes on from: nested dicts, lists and tuples of tensors, arrays, numbers,
strings and None; see `sweeps.store.checkpoints` for what a checkpoint can hold."""

Check = Mapping[str, Any]
"""What a check measured, by name: numbers, strings, truth values, or None where not known."""


@runtime_checkable
class OwnTrial(Protocol):
    """A trial that trains itself: what a researcher writes, as a frozen dataclass.

    Its fields are its content: columns of the table, names for `--where`, and what its id
    is a hash of. All random numbers must come from generators that the state holds, or be
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
        """Make so many updates and return the state after them."""
        ...

    def check(self, state: State) -> Check:
        """Measure, without changing the state: the columns of history and table."""
        ...


class Trainer(Protocol):
    """Trains trials of one type, in one process."""

    @property
    def engine(self) -> str | None:
        """The engine's name, where the type has several."""
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
        """Return what the bits depend on besides the trial; equal ids promise equal bits."""
        ...

    def start(self, trial: Any) -> State:
        """Return the state before the first update."""
        ...

    def advance(
        self, trial: Any, state: State, update: int, updates: int
    ) -> tuple[State, int, bool]:
        """Make up to so many updates, never past a check.

        Args:
            trial: The trial.
            state: Where it is.
            update: Updates made so far.
            updates: Updates to make at most, at least 1.

        Returns:
            The new state, the number of updates made (possibly 0: what the trial depends on
            was trained instead), and whether training has diverged.
        """
        ...

    def check(self, trial: Any, state: State, update: int) -> Check:
        """Measure the state; called at multiples of the trial's `check_every`."""
        ...

    def outcome(self, trial: Any, checks: Sequence[Check]) -> Outcome | None:
        """Return "solved" or "diverged" where training ends here, None to go on."""
        ...

    def summary(
        self, trial: Any, state: State, checks: Sequence[Check], outcome: Outcome
    ) -> Check:
        """Return further columns of the table for a trial that ends, or is at its budget."""
        ...
