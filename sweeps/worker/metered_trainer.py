"""Measure a trainer's CPU time, and capture its output."""

import io
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from sweeps.spec.trainer import Check, ManyTrainer, State, Trainer, slots_of
from sweeps.store.standing import Outcome

MOST_PRINTED = 100_000
"""Maximum characters of output kept in memory; beyond that, the last half is kept."""


@dataclass
class Spent:
    """CPU seconds that a trainer has used."""

    update_s: float = 0.0
    """In updates."""
    check_s: float = 0.0
    """In checks."""


@dataclass(frozen=True)
class MeteredTrainer:
    """A trainer with its CPU time and output."""

    trainer: Trainer
    clock: Callable[[], float] = time.thread_time
    """CPU seconds: of the calling thread, or of all if the trainer uses several."""
    spent: Spent = field(default_factory=Spent)
    printed: io.StringIO = field(default_factory=io.StringIO)

    @property
    def engine(self) -> str | None:
        """The trainer's engine."""
        return self.trainer.engine

    @property
    def device(self) -> str:
        """The trainer's device."""
        return self.trainer.device

    @property
    def in_place(self) -> bool:
        """The trainer's."""
        return self.trainer.in_place

    def numerics_id(self, trial: Any) -> str:
        """Return the trainer's."""
        with self._printing_kept():
            return self.trainer.numerics_id(trial)

    def start(self, trial: Any) -> State:
        """Start a trial, counted as updates."""
        with self._measured("update_s"):
            return self.trainer.start(trial)

    def advance(
        self, trial: Any, state: State, update: int, updates: int
    ) -> tuple[State, int, bool]:
        """Make updates."""
        with self._measured("update_s"):
            return self.trainer.advance(trial, state, update, updates)

    def check(self, trial: Any, state: State, update: int) -> Check:
        """Check a trial."""
        with self._measured("check_s"):
            return self.trainer.check(trial, state, update)

    def outcome(self, trial: Any, checks: Sequence[Check]) -> Outcome | None:
        """Return the trainer's; too cheap to be measured."""
        with self._printing_kept():
            return self.trainer.outcome(trial, checks)

    def summary(
        self, trial: Any, state: State, checks: Sequence[Check], outcome: Outcome
    ) -> Check:
        """Summarise a trial, counted as a check."""
        with self._measured("check_s"):
            return self.trainer.summary(trial, state, checks, outcome)

    @property
    def slots(self) -> int:
        """The trainer's; 1 if it has none."""
        return slots_of(self.trainer)

    def advance_many(
        self,
        trials: Sequence[Any],
        states: Sequence[State],
        made: Sequence[int],
        updates: Sequence[int],
    ) -> list[tuple[State, int, bool]]:
        """Make updates of many trials."""
        with self._measured("update_s"):
            return self._many.advance_many(trials, states, made, updates)

    def measure_many(
        self, trials: Sequence[Any], states: Sequence[State], made: Sequence[int]
    ) -> list[Any]:
        """Measure many trials, counted as checks."""
        with self._measured("check_s"):
            return self._many.measure_many(trials, states, made)

    def check_measured(self, trial: Any, state: State, update: int, measured: Any) -> Check:
        """Return the trainer's; not measured, as another thread may call it."""
        return self._many.check_measured(trial, state, update, measured)

    @property
    def _many(self) -> ManyTrainer:
        assert isinstance(self.trainer, ManyTrainer)
        return self.trainer

    def take_printed(self) -> str:
        """Return the output since the last call."""
        text = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        return text

    @contextmanager
    def _measured(self, part: str) -> Generator[None]:
        """Add the CPU time of a block; capture its output."""
        began = self.clock()
        try:
            with self._printing_kept():
                yield
        finally:
            spent = getattr(self.spent, part) + self.clock() - began
            setattr(self.spent, part, spent)

    @contextmanager
    def _printing_kept(self) -> Generator[None]:
        """Keep what a block prints; only the end if it is long."""
        try:
            with redirect_stdout(self.printed), redirect_stderr(self.printed):
                yield
        finally:
            if self.printed.tell() > MOST_PRINTED:
                kept = self.take_printed()[-MOST_PRINTED // 2 :]
                self.printed.write(kept)
