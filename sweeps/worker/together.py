"""The training loop for many trials at once, as a GPU needs them: launch, check, save, refill.

What a trial's numbers are does not depend on its neighbours, nor on how many there are:
`training` gives the same.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from sweeps.errors import UnwritableError
from sweeps.plan.cost import cost
from sweeps.spec.trainer import Check, ManyTrainer
from sweeps.store.checkpoints import Checkpoints, Position
from sweeps.worker.training import (
    CHECKPOINT_EVERY_S,
    CHUNK_S,
    FIRST_CHUNK,
    InTraining,
    check_due,
    checked,
    moved,
)

CALL_S = 1.0
"""Approximate longest call of the trainer, in seconds: a request to stop waits for it."""
OVERHEAD_S = 0.02
"""Approximate seconds that a call takes besides its updates."""
SAVING_SHARE = 0.05
"""Share of the time that saving checkpoints may take; there is one for each trial."""


T = TypeVar("T")


class Lane(InTraining):
    """One of the trials in training, and its check in progress.

    The check is made in another thread while the next updates are made. Those are dropped
    where it ends the trial.
    """

    checking: tuple[Position, Future[Check]] | None = None
    """The position at a check, and what it measures."""
    seconds = 0.0
    """The trial's share of the time that was spent so far."""
    ran = 0.0
    """Work of the last call."""

    @property
    def made(self) -> int:
        """Updates made since it began here."""
        return self.position.update - self.first.update

    @property
    def newest(self) -> Position:
        """Where the next updates begin."""
        return self.checking[0] if self.checking else self.position

    @property
    def left(self) -> int:
        """Updates to the next check; 0 where the last check is being made."""
        update, every = self.newest.update, self.trial.check_every
        return 0 if update >= self.budget else every - update % every

    def settle(self) -> None:
        """Take over the check that is being made.

        Raises:
            Exception: What the check raised; the trial then stands before it.
        """
        if self.checking:
            (position, measured), self.checking = self.checking, None
            self.position = checked(position, measured.result())

    def leave(self) -> None:
        """Save what is not saved, with the check that is being made."""
        with suppress(Exception):  # whoever resumes repeats and reports it
            self.settle()
        super().leave()


class Listener(Protocol):
    """Receives the progress of the trials."""

    def started(self, trial: Any) -> None:
        """A trial starts or resumes."""
        ...

    def ended(self, lane: Lane) -> None:
        """A trial has ended, or is at its budget."""
        ...

    def failed(self, trial: Any, error: Exception) -> None:
        """A trial raised an error; the others continue."""
        ...


@dataclass
class Together:
    """Trains trials side by side, as many as the trainer takes."""

    trainer: ManyTrainer
    budget: int
    checkpoints: Callable[[Any], Checkpoints]
    """Return the checkpoints of a trial."""
    listener: Listener
    chunk_s: float = CHUNK_S
    lanes: list[Lane] = field(default_factory=list[Lane])
    """The trials in training."""
    made: int = 0
    """Updates made so far."""
    checks: int = 0
    """Checks made so far."""
    cost_made: float = 0.0
    """Cost of the updates made so far."""
    _pace: "Pace" = field(init=False)
    _save_s: float = 0.0
    """Seconds that saving a checkpoint took."""

    def __post_init__(self) -> None:
        """Start with short calls."""
        self._pace = Pace(min(CALL_S, self.chunk_s))

    def train(self, trials: Iterable[Any]) -> Generator[None]:
        """Train trials until each is solved, diverges or reaches the budget.

        Yields:
            Every `chunk_s` seconds, about. Closing the iterator saves a checkpoint of each
            trial in training.
        """
        waiting = iter(trials)
        with ThreadPoolExecutor(1) as spare:
            try:
                self._fill(waiting)
                yielded_at = -np.inf
                while self.lanes:
                    if time.monotonic() - yielded_at >= self.chunk_s:
                        yield
                        yielded_at = time.monotonic()
                    self._round(spare)
                    self._save()
                    self._fill(waiting)
            finally:
                for each in self.lanes:
                    each.leave()

    def _fill(self, waiting: Iterator[Any]) -> None:
        """Start trials until no slot is free; one whose last check is in progress needs none."""
        while sum(lane.left > 0 for lane in self.lanes) < self.trainer.slots:
            trial = next(waiting, None)
            if trial is None:
                return
            self.listener.started(trial)
            try:
                saved = self.checkpoints(trial)
                lane = Lane(trial, self.trainer, self.budget, saved)
            except UnwritableError:
                raise
            except Exception as error:  # noqa: BLE001 - as in sweeps.worker.worker
                self.listener.failed(trial, error)
                continue
            self.lanes.append(lane)
            if lane.ended:  # as its checkpoint says
                self._end(lane)

    def _round(self, spare: ThreadPoolExecutor) -> None:
        """Advance all trials by a call, take over their checks, and begin those now due."""
        began = time.monotonic()
        running = [lane for lane in self.lanes if lane.left]
        updates = [lane.newest.update for lane in running]
        moves = self._advanced(running)
        self._settle()
        due: list[tuple[Lane, Position]] = []
        for lane, update, move in zip(running, updates, moves, strict=True):
            if lane not in self.lanes:  # its check has ended it
                continue
            if isinstance(move, Exception):
                self._fail(lane, move)
                continue
            after = moved(lane.position, *move)
            if check_due(lane.trial, update, after):
                due.append((lane, after))
                continue
            self._count(lane, lane.position, after)
            lane.position = after
            if after.diverged:
                self._end(lane)
        self._begin_checks(due, spare)
        self._share_out(time.monotonic() - began, running)

    def _advanced(self, lanes: list[Lane]) -> list[Any]:
        """Return state, updates made and whether it diverged, or an error, of each trial."""
        if not lanes:
            return []
        left, costs = [lane.left for lane in lanes], [cost(lane.trial) for lane in lanes]
        asked = dict(zip(map(id, lanes), self._pace.updates(left, costs), strict=True))

        def advance(some: Sequence[Lane]) -> list[Any]:
            return self.trainer.advance_many(
                [lane.trial for lane in some],
                [lane.newest.state for lane in some],
                [lane.newest.update for lane in some],
                [asked[id(lane)] for lane in some],
            )

        began = time.perf_counter()
        found = _all_or_each(advance, lanes)
        for lane, each in zip(lanes, costs, strict=True):
            lane.ran = asked[id(lane)] * each
        self._pace.took(max(lane.ran for lane in lanes), time.perf_counter() - began)
        return found

    def _settle(self) -> None:
        """Take over the checks that were made meanwhile; end the trials that they end."""
        for lane in [each for each in self.lanes if each.checking]:
            before = lane.position
            try:
                lane.settle()
                self._count(lane, before, lane.position)
                ended = lane.ended
            except Exception as error:  # noqa: BLE001 - as in sweeps.worker.worker
                self._fail(lane, error)
                continue
            if ended:
                self._end(lane)

    def _begin_checks(
        self, due: list[tuple[Lane, Position]], spare: ThreadPoolExecutor
    ) -> None:
        """Measure what the device must measure; leave the rest to another thread."""

        def measure(some: Sequence[tuple[Lane, Position]]) -> list[Any]:
            return self.trainer.measure_many(
                [lane.trial for lane, _ in some],
                [at.state for _, at in some],
                [at.update for _, at in some],
            )

        found = _all_or_each(measure, due) if due else []
        for (lane, at), measured in zip(due, found, strict=True):
            if isinstance(measured, Exception):
                self._fail(lane, measured)
                continue
            check = self.trainer.check_measured
            made = spare.submit(check, lane.trial, at.state, at.update, measured)
            lane.checking = (at, made)

    def _end(self, lane: Lane) -> None:
        self.lanes.remove(lane)
        lane.leave()
        self.listener.ended(lane)

    def _fail(self, lane: Lane, error: Exception) -> None:
        self.lanes.remove(lane)
        lane.leave()
        self.listener.failed(lane.trial, error)

    def _count(self, lane: Lane, before: Position, after: Position) -> None:
        """Add what was made from one position of a trial to the next."""
        made = after.update - before.update
        self.made += made
        self.cost_made += made * cost(lane.trial)
        self.checks += len(after.checks) - len(before.checks)

    def _share_out(self, seconds: float, running: Sequence[Lane]) -> None:
        """Divide the time of a round among the trials, in proportion to their work."""
        work = sum(lane.ran for lane in running)
        for lane in running:
            lane.seconds += seconds * lane.ran / work

    def _save(self) -> None:
        """Save checkpoints that are old; the more there are, the less often."""
        most = self._save_s * len(self.lanes) / SAVING_SHARE
        for lane in self.lanes:
            before, began = lane.saved_at, time.monotonic()
            lane.save_after(max(CHECKPOINT_EVERY_S, most))
            if lane.saved_at != before:
                self._save_s = time.monotonic() - began


@dataclass
class Pace:
    """How many updates each trial makes in a call: all end at about the same time."""

    call_s: float
    """Approximate longest call, in seconds."""
    most: float | None = None
    """Work of a trial in a call at most; None before the first call."""
    per_work_s: float = 0.0
    """Seconds that a unit of work took in the last call."""

    def updates(self, left: Sequence[int], costs: Sequence[float]) -> list[int]:
        """Return how many updates each trial makes, at least 1, at most those left.

        Args:
            left: Updates of each trial to its next check.
            costs: Cost of an update of each trial.
        """
        work = [n * each for n, each in zip(left, costs, strict=True)]
        most = FIRST_CHUNK * max(costs) if self.most is None else self.most
        overhead = OVERHEAD_S / self.per_work_s if self.per_work_s else 0.0
        chosen = best_work(work, most, overhead)
        return [
            max(1, min(n, round(chosen / each)))
            for n, each in zip(left, costs, strict=True)
        ]

    def took(self, work: float, seconds: float) -> None:
        """Adapt to the duration of a call; the next may be up to twice as long."""
        self.per_work_s = max(seconds, 1e-9) / work
        self.most = min(2 * work, self.call_s / self.per_work_s)


def best_work(work: Sequence[float], most: float, overhead: float) -> float:
    """Return the work w of a call that minimises the idle time of the trials.

    Trials run side by side, each to its next check at most. A call takes w + overhead, in
    which a trial with r left uses min(r, w): so w maximises Σ min(r, w) / (w + overhead).

    Args:
        work: Work of each trial to its next check.
        most: The largest w allowed.
        overhead: What a call takes beside, in the unit of work.

    Example:
        >>> best_work([50, 100, 100, 100], most=1000, overhead=100)
        100.0
        >>> best_work([90, 100, 100, 100], most=95, overhead=100)
        95.0
    """
    left = np.asarray(work, dtype=float)
    tried = np.unique(np.minimum(left, most))
    used = np.minimum.outer(tried, left).sum(axis=1)
    return float(tried[np.argmax(used / (tried + overhead))])


def _all_or_each(call: Callable[[Sequence[T]], list[Any]], some: Sequence[T]) -> list[Any]:
    """Call with all trials; if that raises, with each alone, to find the one that fails.

    Returns:
        What the call returned for each trial, or the error that it raised.

    Raises:
        Exception: If it raises with every one of several: no trial is at fault then.
    """
    try:
        return call(some)
    except Exception as error:
        if len(some) == 1:
            return [error]
        found = [_all_or_each(call, [each])[0] for each in some]
        if all(isinstance(each, Exception) for each in found):
            raise
        return found
