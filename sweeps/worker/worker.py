"""Train a pack: what a worker does, without Ray.

The one border at which an exception is caught: a crash inside a trial must not take its
neighbours along. Its traceback goes to `attempts`, and the next run tries it again.
"""

import logging
import time
import traceback
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from rnnlab import Result, Trial
from rnnlab.checkpoint import CheckpointFolder
from rnnlab.engines import Engine
from rnnlab.state import State
from rnnlab.train import result_of, training
from sweeps.errors import UnwritableError
from sweeps.plan.packs import Pack
from sweeps.store.attempts import Attempts
from sweeps.store.committed import Done
from sweeps.store.events import AttemptEvent, Failed, Finished, Restarted, Started
from sweeps.store.standing import Standing
from sweeps.store.store import Store
from sweeps.worker.metered_engine import Metered
from sweeps.worker.progress import Progress

log = logging.getLogger(__name__)

Ending = Literal["solved", "unsolved", "diverged", "failed"]

ENDINGS: tuple[Ending, ...] = get_args(Ending)

CHUNK_S = 2.0
"""Seconds between two reports: each costs Ray and the driver about 10 ms of the same cores."""

COMMIT_EVERY_S = 30.0
"""A pack that lasts longer commits part by part, at least this often."""


@dataclass
class Worker:
    """What trains packs, one after another, and keeps what they give."""

    store: Store
    engine: Engine
    attempts: Attempts
    done: Done
    """What other workers and runs have committed since the plan."""
    chunk_s: float = CHUNK_S
    """Seconds between two reports, about."""

    def train(self, pack: Pack) -> Generator[Progress]:
        """Train a pack's trials one after another and commit their results.

        A trial that has become done since the plan is not trained again.

        Yields:
            Progress after each chunk. Closing the iterator keeps a checkpoint of the trial
            under way and commits what is finished. Where the store fails again and again,
            the last progress says so, as `halted`.
        """
        last, closed = Progress(), False
        try:
            with closing(PackRun(self, pack).train()) as reports:
                for last in reports:
                    try:
                        yield last
                    except GeneratorExit:
                        closed = True
                        raise
        except UnwritableError as error:
            if closed:
                log.error("%s", error)
            else:
                yield replace(last, halted=str(error))


@dataclass
class PackRun:
    """One pack under way."""

    worker: Worker
    pack: Pack
    progress: Progress = field(default_factory=Progress)
    finished: list[tuple[Trial, Result]] = field(default_factory=list[tuple[Trial, Result]])
    """Not committed yet."""
    ended: list[Trial] = field(default_factory=list[Trial])
    """Solved or diverged, not committed yet: their checkpoints still serve."""
    committed_at: float = field(default_factory=time.monotonic)
    _metered: Metered = field(init=False)

    def __post_init__(self) -> None:
        """Count the engine's time from now."""
        self._metered = Metered(self.worker.engine)

    def train(self) -> Generator[Progress]:
        """Train the trials that are not done yet; see `Worker.train`."""
        self.worker.done.refresh()
        try:
            for trial in self.pack.trials:
                yield from self._train_unless_done(trial)
                if time.monotonic() - self.committed_at >= COMMIT_EVERY_S:
                    self.commit()
        finally:
            self.commit()
        yield self.progress

    def commit(self) -> None:
        """Commit what is finished, and then forget the checkpoints that it makes useless."""
        if self.finished:
            known = {**self.pack.committed, **self.worker.done.standings}
            self.worker.store.commit(self.finished, committed=known)
            self.finished.clear()
        for trial in self.ended:
            self.worker.store.checkpoints.discard(trial)
        self.ended.clear()
        self.committed_at = time.monotonic()

    def _train_unless_done(self, trial: Trial) -> Generator[Progress]:
        standing = self.worker.done.of(trial, self.pack.budget)
        if standing is None:
            yield from self._train(trial)
        else:
            self._count(standing)

    def _train(self, trial: Trial) -> Generator[Progress]:
        """Train one trial; a crash inside it is written down and ends here."""
        began_at, made_before = time.monotonic(), self.progress.made
        self._record(Started(trial_id=trial.trial_id))
        try:
            state = None
            with closing(self._states(trial)) as states:
                for each in states:
                    state = each
                    yield self.progress
            assert state is not None
            result = result_of(trial, state, self.worker.engine, self.pack.budget)
        except UnwritableError:
            raise
        except Exception as error:  # noqa: BLE001 - the border; see the module
            self._record(_failure(trial, error))
            self.progress = _ended(self.progress, "failed")
            return
        self.finished.append((trial, result))
        if result.outcome != "unsolved":
            self.ended.append(trial)
        end = Finished(
            trial_id=trial.trial_id,
            outcome=result.outcome,
            updates=result.updates,
            made=self.progress.made - made_before,
            seconds=round(time.monotonic() - began_at, 6),
            numerics_id=result.numerics_id,
        )
        self._record(end)
        self.progress = _ended(self.progress, result.outcome)

    def _states(self, trial: Trial) -> Generator[State]:
        """Train one trial, adding to the counts of the trials before it in the pack."""
        before, spent, first = self.progress, self._metered.spent, None
        states = training(
            trial,
            budget=self.pack.budget,
            engine=self._metered,
            checkpoint=self._checkpoints(trial),
            chunk_s=self.worker.chunk_s,
        )
        with closing(states):
            for state in states:
                first = first or state
                self.progress = replace(
                    before,
                    trial_id=trial.trial_id,
                    update=state.update,
                    error_rate=state.checks[-1].error_rate if state.checks else None,
                    made=before.made + state.update - first.update,
                    checks=before.checks + len(state.checks) - len(first.checks),
                    update_s=spent.update_s,
                    check_s=spent.check_s,
                )
                yield state

    def _checkpoints(self, trial: Trial) -> CheckpointFolder:
        """Give the checkpoints; why one cannot be used is written down."""
        return replace(
            self.worker.store.checkpoints,
            say=lambda why: self._record(Restarted(trial_id=trial.trial_id, reason=why)),
        )

    def _count(self, standing: Standing) -> None:
        self.progress = _ended(self.progress, standing.outcome_at(self.pack.budget))

    def _record(self, event: AttemptEvent) -> None:
        self.worker.attempts.record(replace(event, pack=self.pack.pack_id))


def _ended(progress: Progress, how: Ending) -> Progress:
    return replace(progress, **{how: getattr(progress, how) + 1})


def _failure(trial: Trial, error: Exception) -> Failed:
    return Failed(
        trial_id=trial.trial_id,
        error=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )
