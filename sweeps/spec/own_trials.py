"""Trials that train themselves: a frozen dataclass of the user's, made into a `Trainer`.

Required of the class: the fields `seed` (unless it needs none) and `check_every`, and the
methods `start`, `advance` and `check`; see `sweeps.spec.trainer.OwnTrial`. Optional, each
as an attribute, a property or a method:

    outcome(checks)   "solved" or "diverged" to end the trial, None to continue
    cost              cost of an update, in any unit: for `plan`, and to start long trials first
    cpus, gpus        cores and GPUs that one trial takes at a time; 1 and 0 without; PyTorch
                      and NumPy compute with as many threads
    numerics          a string that changes whenever the numbers may change; default: a hash of
                      the file, the modules next to it that it imports, and library versions
"""

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.spec.own_numerics import own_numerics_id
from sweeps.spec.own_threads import threads
from sweeps.spec.trainer import Check, State
from sweeps.spec.trial_type import Resources
from sweeps.store.columns import PLAIN_TYPES, Columns, flat
from sweeps.store.standing import Outcome

METHODS = ("start", "advance", "check")
RESERVED = (
    "trial_id",
    "outcome",
    "updates",
    "update",
    "engine",
    "numerics_id",
)
"""Columns that every table has."""
ASSUMED_S = 1e-3
"""Seconds per update, if nothing was measured."""


@dataclass(frozen=True)
class OwnTrials:
    """The description of a user's class of trials."""

    kind: type
    engines = ()
    result_columns = None
    check_columns = None
    always_written = frozenset[str]()
    headline = None

    def __post_init__(self) -> None:
        """Reject a class whose instances cannot be trials.

        Raises:
            ValueError: With what is missing, and how to write it.
        """
        name = self.kind.__name__
        if not dataclasses.is_dataclass(self.kind) or not _frozen(self.kind):
            raise ValueError(
                f"A trial must be a frozen dataclass, and {name} is not. Write "
                "@dataclass(frozen=True, kw_only=True) above the class."
            )
        missing = [each for each in METHODS if not callable(getattr(self.kind, each, None))]
        if missing:
            raise ValueError(
                f"{name} has no method {', '.join(missing)}. A trial needs start(device), "
                "advance(state, updates) and check(state)."
            )
        try:
            columns = Columns(self.kind).trial_types()
        except (TypeError, NameError) as error:
            raise ValueError(str(error)) from None
        if "check_every" not in columns and not hasattr(self.kind, "check_every"):
            raise ValueError(
                f"{name} has no check_every. Add a field such as check_every: int = 100, the "
                "updates between two checks."
            )
        if taken := sorted(set(columns) & set(RESERVED)):
            raise ValueError(
                f"{name}.{taken[0]}: every table has a column of that name. Rename the "
                "field."
            )

    def cost(self, trial: Any) -> float:
        """Return the trial's own `cost`, or 1."""
        return float(_asked(trial, "cost", 1.0))

    def shape(self, trial: Any) -> Hashable:
        """Return all fields but the seed."""
        return tuple(item for item in flat(trial).items() if item[0] != "seed")

    def assumed_s(self, engine: str | None) -> float:
        """Return a guess."""
        return ASSUMED_S

    def resources(self, trial: Any, engine: str | None, device: str | None) -> Resources:
        """Return the trial's own `cpus` and `gpus`; on a PyTorch device, if requested."""
        gpus = float(_asked(trial, "gpus", 0))
        usual = "cuda" if gpus else "cpu"
        asked = device if device and (gpus or not device.startswith("cuda")) else usual
        return Resources(_cpus(trial), gpus, device=asked)

    def refuses(self, trial: Any, engine: str | None) -> str | None:
        """Return None: the trial trains itself."""
        return None

    def caches(self) -> Mapping[str, Path]:
        """Return none: nothing is compiled."""
        return {}

    def trainer(self, engine: str | None, device: str) -> "OwnTrainer":
        """Return what trains such trials."""
        return OwnTrainer(device)


@dataclass(frozen=True)
class OwnTrainer:
    """Trains trials by their own methods."""

    device: str
    engine = None
    in_place = True

    def numerics_id(self, trial: Any) -> str:
        """Return the hash of the user's code and of its libraries, or her own string."""
        return own_numerics_id(trial, self.device)

    def start(self, trial: Any) -> State:
        """Return the state before the first update."""
        with _threads_of(trial):
            return trial.start(self.device)

    def advance(
        self, trial: Any, state: State, update: int, updates: int
    ) -> tuple[State, int, bool]:
        """Make `updates` updates.

        Raises:
            TypeError: If the trial returns no state.
        """
        with _threads_of(trial):
            after = trial.advance(state, updates)
        if after is None:
            raise TypeError(
                f"{type(trial).__name__}.advance returned None. Return the state after the "
                "updates."
            )
        return after, updates, False

    def check(self, trial: Any, state: State, update: int) -> Check:
        """Return the measurements of the trial, as plain Python values.

        Raises:
            TypeError: If it is not a dictionary of numbers, strings, booleans and None.
        """
        with _threads_of(trial):
            measured = trial.check(state)
        if not isinstance(measured, Mapping) or not measured:
            raise TypeError(
                f"{type(trial).__name__}.check returned {measured!r}. Return a dictionary "
                'such as {"loss": 0.5}.'
            )
        taken = {*RESERVED, *Columns(type(trial)).trial_types()}
        return {
            name: _plain(type(trial).__name__, name, value, taken)
            for name, value in measured.items()
        }

    def outcome(self, trial: Any, checks: Sequence[Check]) -> Outcome | None:
        """Return the trial's `outcome`; "diverged" if a number is not finite.

        Raises:
            ValueError: If `outcome` returns something else.
        """
        decide = getattr(trial, "outcome", None)
        said = decide(checks) if decide is not None else None
        if said not in (None, "solved", "diverged"):
            raise ValueError(
                f"{type(trial).__name__}.outcome returned {said!r}. Return one of "
                f'"solved" and "diverged", or None to continue.'
            )
        if said is None and not all(map(_finite, checks[-1].values())):
            return "diverged"
        return said

    def summary(
        self, trial: Any, state: State, checks: Sequence[Check], outcome: Outcome
    ) -> Check:
        """Return the measurements of the last check."""
        last = checks[-1] if checks else {}
        return {name: value for name, value in last.items() if name != "update"}


def _asked(trial: Any, name: str, default: float) -> Any:
    """Return an optional attribute, which may be a method."""
    found = getattr(trial, name, default)
    return found() if callable(found) else found


def _cpus(trial: Any) -> float:
    return float(_asked(trial, "cpus", 1))


def _threads_of(trial: Any) -> AbstractContextManager[None]:
    """Compute with as many threads as the trial takes cores."""
    return threads(max(1, int(_cpus(trial))))


def _plain(kind: str, name: object, value: Any, taken: set[str]) -> Any:
    """Return a measured value as a plain Python one, as Parquet and JSON write it."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"{kind}.check names a measurement {name!r}. Use strings as names.")
    if name in taken:
        raise TypeError(
            f"{kind}.check measures {name!r}, but the table already has a column of "
            "that name. Rename the measurement."
        )
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        with suppress(ValueError, RuntimeError):  # more than one entry
            value = value.item()
    if value is None or type(value) in PLAIN_TYPES:
        return value
    if isinstance(value, str):  # of a type derived from it
        return str.__str__(value)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    raise TypeError(
        f"{kind}.check measures {name!r} as a {type(value).__name__}. Return numbers, "
        "strings, True, False or None; of an array, a mean or an entry."
    )


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _frozen(kind: type) -> bool:
    parameters = getattr(kind, "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False))
