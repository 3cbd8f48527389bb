"""How much CPU time an engine takes: what is not in it is overhead."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rnnlab import Trial, rng
from rnnlab.data import Batch
from rnnlab.engines import Engine, Gradients
from rnnlab.state import Parameters, State


@dataclass
class Spent:
    """CPU seconds of the thread that calls."""

    update_s: float = 0.0
    """In updates."""
    check_s: float = 0.0
    """In checks: fresh sequences, and Ω on a fresh batch."""


@dataclass(frozen=True)
class Metered:
    """An engine that knows the CPU time it has taken."""

    engine: Engine
    spent: Spent = field(default_factory=Spent)

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    def numerics_id(self, trial: Trial) -> str:
        """Return the engine's."""
        return self.engine.numerics_id(trial)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make updates, counted as such."""
        with _clock() as clock:
            advanced = self.engine.advance(trial, state, updates)
        self.spent.update_s += clock[0]
        return advanced

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Count errors, as part of a check."""
        with _clock() as clock:
            counted = self.engine.count_errors(
                trial, parameters, purpose=purpose, index=index, stop_at=stop_at
            )
        self.spent.check_s += clock[0]
        return counted

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Give gradients, as part of a check."""
        with _clock() as clock:
            given = self.engine.gradients(trial, parameters, batch)
        self.spent.check_s += clock[0]
        return given


@contextmanager
def _clock() -> Generator[list[float]]:
    """Give a list that holds the CPU seconds of the block once it has ended."""
    took: list[float] = []
    began = time.thread_time()
    try:
        yield took
    finally:
        took.append(time.thread_time() - began)
