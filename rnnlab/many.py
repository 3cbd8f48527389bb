"""Call an engine for many trials at once, as `rnnlab.train` calls it for one.

`advance` and `check` decide how an engine is called for one trial. Here they are given engines
that record the call, or return a known result: only `rnnlab.train` determines the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from rnnlab import rng
from rnnlab.data import Batch, draw_batch
from rnnlab.engines.engine import Engine, Gradients
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State
from rnnlab.train import SUCCESS_BELOW, advance


@runtime_checkable
class ManyEngine(Engine, Protocol):
    """An engine that trains many trials in one call: the same bits as one after another."""

    @property
    def slots(self) -> int:
        """Number of trials that fill the device."""
        ...

    def advance_many(
        self, trials: Sequence[Trial], states: Sequence[State], updates: Sequence[int]
    ) -> list[State]:
        """Advance each trial by its own number of updates; see `Engine.advance`."""
        ...

    def count_errors_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        *,
        purpose: int,
        indices: Sequence[int],
        stop_at: int,
    ) -> list[tuple[int, int]]:
        """Count wrong sequences of each trial; see `Engine.count_errors`."""
        ...

    def gradients_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        batches: Sequence[Batch],
    ) -> list[Gradients]:
        """Return the gradients of each trial on its batch; see `Engine.gradients`."""
        ...


class Advance(NamedTuple):
    """Arguments of a call of `Engine.advance`."""

    trial: Trial
    state: State
    updates: int


def asked(trial: Trial, state: State, engine: Engine, updates: int) -> Advance:
    """Return the arguments with which `rnnlab.train.advance` calls the engine."""
    noting = _Noting(engine)
    advance(trial, state, noting, updates)
    assert noting.asked is not None
    return noting.asked


@dataclass(frozen=True)
class Measured:
    """What an engine measured for a check."""

    index: int
    """Number of the check."""
    counted: tuple[int, int]
    """Errors and evaluated sequences."""
    batch: Batch
    probe: Gradients
    """The gradients on the batch."""


def measured(
    trials: Sequence[Trial], states: Sequence[State], engine: ManyEngine
) -> list[Measured]:
    """Return the engine's part of the checks of some trials, in two calls."""
    parameters = [state.parameters for state in states]
    indices = [
        state.update // trial.check_every
        for trial, state in zip(trials, states, strict=True)
    ]
    counted = engine.count_errors_many(
        trials, parameters, purpose=rng.CHECK, indices=indices, stop_at=SUCCESS_BELOW
    )
    batches = [
        draw_batch(
            trial.task, seed=trial.seed, purpose=rng.PROBE, index=index, size=trial.batch
        )
        for trial, index in zip(trials, indices, strict=True)
    ]
    probes = engine.gradients_many(trials, parameters, batches)
    found = zip(indices, counted, batches, probes, strict=True)
    return [Measured(*each) for each in found]


@dataclass
class _OfEngine:
    """An engine that passes all calls on to another."""

    engine: Engine

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    def numerics_id(self, trial: Trial) -> str:
        """Return the engine's."""
        return self.engine.numerics_id(trial)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Call the engine."""
        return self.engine.advance(trial, state, updates)

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Call the engine."""
        return self.engine.count_errors(
            trial, parameters, purpose=purpose, index=index, stop_at=stop_at
        )

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Call the engine."""
        return self.engine.gradients(trial, parameters, batch)


@dataclass
class _Noting(_OfEngine):
    """Records the arguments of `advance`, and changes nothing."""

    asked: Advance | None = None

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Record the arguments."""
        self.asked = Advance(trial, state, updates)
        return state


@dataclass
class Advanced(_OfEngine):
    """Returns a trial that is already advanced."""

    state: State

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Return the state."""
        return self.state


@dataclass
class Checked(_OfEngine):
    """Returns what is already measured for a check.

    Raises:
        AssertionError: If the check calls it differently.
    """

    known: Measured

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Return the known counts."""
        expected = (rng.CHECK, self.known.index, SUCCESS_BELOW)
        assert (purpose, index, stop_at) == expected
        return self.known.counted

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Return the known gradients."""
        for ours, theirs in zip(batch, self.known.batch, strict=True):
            assert np.array_equal(ours, theirs)
        return self.known.probe
