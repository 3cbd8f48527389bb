"""Train a pack, without Ray.

The only place that catches all exceptions: a crash in one trial must not affect others.
Its traceback goes to `attempts`, and the next run retries it.
"""

import logging
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from sweeps.errors import UnwritableError
from sweeps.plan.cost import cost
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
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.metered_trainer import MeteredTrainer
from sweeps.worker.progress import Progress
from sweeps.worker.together import Lane, Together
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
    engine: str | None = None
    """The engine as the user names it, if the trials have several."""
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
    to_discard: list[Any] = field(default_factory=list[Any])
    """Solved or diverged, not committed yet: their checkpoints are still needed."""
    committed_at: float = field(default_factory=time.monotonic)
    _over: set[str] = field(default_factory=set[str])
    """Ids of the trials that have ended."""
    _metered: MeteredTrainer = field(init=False)

    def __post_init__(self) -> None:
        """Measure the trainer's time from now."""
        self._metered = MeteredTrainer(self.worker.trainer, self.worker.clock)

    def train(self) -> Generator[Progress]:
        """Train the trials that are not finished yet; see `Worker.train`."""
        self.worker.done.refresh()
        many = self._metered.slots > 1
        try:
            yield from self._train_together() if many else self._train_in_turn()
        finally:
            self.commit()
        yield self.progress

    def _train_in_turn(self) -> Generator[Progress]:
        """Train the trials one after another."""
        for trial in self._unfinished():
            yield from self._train(trial)
            self._commit_now_and_then()

    def _train_together(self) -> Generator[Progress]:
        """Train the trials side by side, as many as the trainer takes."""
        together = Together(
            self._metered, self.pack.budget, self._checkpoints, self, self.worker.chunk_s
        )
        with closing(together.train(self._unfinished())) as rounds:
            for _ in rounds:
                self.progress = self._progress_of(together)
                yield self.progress
                self._commit_now_and_then()
        self.progress = self._progress_of(together)

    def _unfinished(self) -> Generator[Any]:
        """Yield the trials that no other run has finished meanwhile."""
        for trial in self.pack.trials:
            standing = self.worker.done.of(trial, self.pack.budget)
            if standing is None:
                yield trial
            else:
                self._count(trial, standing.outcome_at(self.pack.budget))

    def _commit_now_and_then(self) -> None:
        if time.monotonic() - self.committed_at >= COMMIT_EVERY_S:
            self.commit()

    def commit(self) -> None:
        """Commit finished trials, then discard their checkpoints."""
        if self.finished:
            known = {**self.pack.committed, **self.worker.done.standings}
            self.worker.store.commit(self.finished, committed=known)
            self.finished.clear()
        for trial in self.to_discard:
            self.worker.store.checkpoints.discard(id_of(trial))
        self.to_discard.clear()
        self.committed_at = time.monotonic()

    def _train(self, trial: Any) -> Generator[Progress]:
        """Train one trial; record a crash instead of raising it."""
        began_at, made_before = time.monotonic(), self.progress.made
        self.started(trial)
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
            self.failed(trial, error)
            return
        except BaseException:  # stopped in the middle
            self._record_printed(trial)
            raise
        made = self.progress.made - made_before
        self._finish(trial, result, made, time.monotonic() - began_at)

    def started(self, trial: Any) -> None:
        """Record that a trial starts or resumes."""
        self._record(Started(trial_id=id_of(trial), engine=self.worker.engine))

    def ended(self, lane: Lane) -> None:
        """Keep the result of a trial that was trained with others."""
        budget = self.pack.budget
        try:
            result = result_of(lane.trial, lane.position, self._metered, budget)
        except Exception as error:  # noqa: BLE001 - the one place; see the module
            self.failed(lane.trial, error)
        else:
            self._finish(lane.trial, result, lane.made, lane.seconds)

    def failed(self, trial: Any, error: Exception) -> None:
        """Record a crash; the next run tries the trial again."""
        self._record_printed(trial)
        self._record(_failure(trial, error))
        self._count(trial, "failed")

    def _finish(self, trial: Any, result: Result, made: int, seconds: float) -> None:
        """Keep a result until it is committed."""
        self._record_printed(trial)
        self.finished.append((trial, result))
        if result.outcome != "unsolved":
            self.to_discard.append(trial)
        end = Finished(
            trial_id=id_of(trial),
            outcome=result.outcome,
            updates=result.updates,
            made=made,
            seconds=round(seconds, 6),
            numerics_id=result.numerics_id,
        )
        self._record(end)
        self._count(trial, result.outcome)

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

    def _progress_of(self, together: Together) -> Progress:
        """Return the counts of all trials, and where one of those in training stands."""
        lanes, spent = together.lanes, self._metered.spent
        shown = lanes[0].position if lanes else Position(self.progress.update, None)
        name, value = self._headline(shown)
        return replace(
            self.progress,
            trial_id=lanes[0].name if lanes else self.progress.trial_id,
            update=shown.update,
            measurement=name or self.progress.measurement,
            value=value if lanes else self.progress.value,
            made=together.made,
            checks=together.checks,
            update_s=spent.update_s,
            check_s=spent.check_s,
            together=len(lanes),
            cost_made=together.cost_made,
            cost_left=self._cost_left(lanes),
        )

    def _cost_left(self, lanes: Sequence[Lane]) -> float:
        """Return the cost of the trials that have not ended, to their budget."""
        standings = self.pack.committed.items()
        updates = {name: standing.updates for name, standing in standings}
        updates |= {lane.name: lane.position.update for lane in lanes}
        return sum(
            cost(trial) * (self.pack.budget - updates.get(id_of(trial), 0))
            for trial in self.pack.trials
            if id_of(trial) not in self._over
        )

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

    def _count(self, trial: Any, how: Ending) -> None:
        self._over.add(id_of(trial))
        self.progress = replace(self.progress, **{how: getattr(self.progress, how) + 1})

    def _record(self, event: TrialEvent) -> None:
        self.worker.attempts.record(replace(event, pack=self.pack.pack_id))

    def _record_printed(self, trial: Any) -> None:
        """Record the trainer's output, truncated to its end."""
        if text := self._metered.take_printed():
            end = text[-PRINTED_CHARACTERS:]
            self._record(Printed(trial_id=id_of(trial), text=end))


def _failure(trial: Any, error: Exception) -> Failed:
    return Failed(
        trial_id=id_of(trial),
        error=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )
