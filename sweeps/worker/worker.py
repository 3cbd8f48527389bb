"""Train a pack, without Ray.

The only place that catches all exceptions: a crash in one trial must not affect others.
Its traceback goes to `attempts`, and the next run retries it.
"""

import logging
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from sweeps.errors import UnwritableError
from sweeps.plan.packs import Pack
from sweeps.spec.trainer import Trainer
from sweeps.store.attempts import Attempts
from sweeps.store.checkpoints import CheckpointFolder, Position
from sweeps.store.committed import Done
from sweeps.store.events import (
    Failed,
    Finished,
    Printed,
    Restarted,
    Started,
    TrialEvent,
)
from sweeps.store.result import Result
from sweeps.store.standing import Standing
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.metered_trainer import MeteredTrainer
from sweeps.worker.progress import Progress
from sweeps.worker.training import CHUNK_S, result_of, training

log = logging.getLogger(__name__)

Ending = Literal["solved", "unsolved", "diverged", "failed"]

ENDINGS: tuple[Ending, ...] = get_args(Ending)

COMMIT_EVERY_S = 30.0
"""A pack that takes longer commits its results at least this often."""
PRINTED_CHARACTERS = 20_000
"""Maximum length of a trainer's recorded output; the end is kept."""


@dataclass
class Worker:
    """Trains packs, one after another, and commits their results."""

    store: Store
    trainer: Trainer
    attempts: Attempts
    done: Done
    """Results that other workers and runs have committed since the plan."""
    headline: str | None = None
    """The measurement to report; None: the first of a check."""
    chunk_s: float = CHUNK_S
    """Approximate seconds between two reports."""
    clock: Callable[[], float] = time.thread_time
    """Measures the trainer's CPU time."""

    def train(self, pack: Pack) -> Generator[Progress]:
        """Train a pack's trials one after another and commit their results.

        A trial that was finished since planning is not trained again.

        Yields:
            Progress after each chunk. Closing the iterator saves a checkpoint of the running
            trial and commits finished ones. If the store keeps failing, the last progress
            has `halted` set.
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
    """One pack in training."""

    worker: Worker
    pack: Pack
    progress: Progress = field(default_factory=Progress)
    finished: list[tuple[Any, Result]] = field(default_factory=list[tuple[Any, Result]])
    """Not committed yet."""
    ended: list[Any] = field(default_factory=list[Any])
    """Solved or diverged, not committed yet: their checkpoints are still needed."""
    committed_at: float = field(default_factory=time.monotonic)
    _metered: MeteredTrainer = field(init=False)

    def __post_init__(self) -> None:
        """Measure the trainer's time from now."""
        self._metered = MeteredTrainer(self.worker.trainer, self.worker.clock)

    def train(self) -> Generator[Progress]:
        """Train the trials that are not finished yet; see `Worker.train`."""
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
        """Commit finished trials, then discard their checkpoints."""
        if self.finished:
            known = {**self.pack.committed, **self.worker.done.standings}
            self.worker.store.commit(self.finished, committed=known)
            self.finished.clear()
        for trial in self.ended:
            self.worker.store.checkpoints.discard(id_of(trial))
        self.ended.clear()
        self.committed_at = time.monotonic()

    def _train_unless_done(self, trial: Any) -> Generator[Progress]:
        standing = self.worker.done.of(trial, self.pack.budget)
        if standing is None:
            yield from self._train(trial)
        else:
            self._count(standing)

    def _train(self, trial: Any) -> Generator[Progress]:
        """Train one trial; record a crash instead of raising it."""
        began_at, made_before = time.monotonic(), self.progress.made
        self._record(Started(trial_id=id_of(trial)))
        try:
            position = None
            with closing(self._positions(trial)) as positions:
                for each in positions:
                    position = each
                    yield self.progress
            assert position is not None
            result = result_of(trial, position, self._metered, self.pack.budget)
        except UnwritableError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place; see the module
            self._record_printed(trial)
            self._record(_failure(trial, error))
            self.progress = _ended(self.progress, "failed")
            return
        except BaseException:  # stopped in the middle
            self._record_printed(trial)
            raise
        self._record_printed(trial)
        self.finished.append((trial, result))
        if result.outcome != "unsolved":
            self.ended.append(trial)
        end = Finished(
            trial_id=id_of(trial),
            outcome=result.outcome,
            updates=result.updates,
            made=self.progress.made - made_before,
            seconds=round(time.monotonic() - began_at, 6),
            numerics_id=result.numerics_id,
        )
        self._record(end)
        self.progress = _ended(self.progress, result.outcome)

    def _positions(self, trial: Any) -> Generator[Position]:
        """Train one trial, adding to the counts of the trials before it in the pack."""
        before, spent, first = self.progress, self._metered.spent, None
        positions = training(
            trial,
            budget=self.pack.budget,
            trainer=self._metered,
            checkpoints=self._checkpoints(trial),
            chunk_s=self.worker.chunk_s,
        )
        with closing(positions):
            for position in positions:
                first = first or position
                name, value = self._headline(position)
                self.progress = replace(
                    before,
                    trial_id=id_of(trial),
                    update=position.update,
                    measurement=name,
                    value=value,
                    made=before.made + position.update - first.update,
                    checks=before.checks + len(position.checks) - len(first.checks),
                    update_s=spent.update_s,
                    check_s=spent.check_s,
                )
                yield position

    def _headline(self, position: Position) -> tuple[str, float | None]:
        """Return the measurement to report, and its value at the last check."""
        last = dict(position.checks[-1]) if position.checks else {}
        last.pop("update", None)
        name = self.worker.headline or next(iter(last), "")
        value = last.get(name)
        return name, value if isinstance(value, (int, float)) else None

    def _checkpoints(self, trial: Any) -> CheckpointFolder:
        """Return the checkpoints; record why one cannot be used."""
        return replace(
            self.worker.store.checkpoints,
            say=lambda why: self._record(Restarted(trial_id=id_of(trial), reason=why)),
        )

    def _count(self, standing: Standing) -> None:
        self.progress = _ended(self.progress, standing.outcome_at(self.pack.budget))

    def _record(self, event: TrialEvent) -> None:
        self.worker.attempts.record(replace(event, pack=self.pack.pack_id))

    def _record_printed(self, trial: Any) -> None:
        """Record the trainer's output, truncated to its end."""
        if text := self._metered.take_printed():
            end = text[-PRINTED_CHARACTERS:]
            self._record(Printed(trial_id=id_of(trial), text=end))


def _ended(progress: Progress, how: Ending) -> Progress:
    return replace(progress, **{how: getattr(progress, how) + 1})


def _failure(trial: Any, error: Exception) -> Failed:
    return Failed(
        trial_id=id_of(trial),
        error=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )
