"""Track the status of a run from the reports of its packs.

The display shows snapshots; `progress.json` in the sweep's folder holds the newest, so
that `sweep status` works from another terminal.
"""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from sweeps.monitor.efficiency import Efficiency
from sweeps.monitor.snapshot import Running, Snapshot
from sweeps.plan.cost import cost
from sweeps.plan.packs import Pack
from sweeps.plan.plan import Plan
from sweeps.spec.describe import described, varying
from sweeps.store.trial_id import id_of
from sweeps.worker.progress import Progress

KINDS = ("solved", "unsolved", "diverged", "failed")
RECENT_S = 10.0
"""Averaging window of `updates_per_s`."""


@dataclass
class Tracker:
    """Adds up the reports of packs."""

    work: Plan
    packs: list[Pack]
    sweep: str
    cpus: int
    dashboard: str | None = None
    stopping: bool = False
    latest: dict[int, Progress] = field(default_factory=dict[int, Progress])
    """The newest report of each pack, by its number."""
    rates: dict[int, float] = field(default_factory=dict[int, float])
    began_at: float = field(default_factory=time.monotonic)
    first_report_at: float | None = None
    last_report_at: float | None = None
    cost_done: float = 0.0
    updates: int = 0
    update_s: float = 0.0
    check_s: float = 0.0
    left: dict[int, float] = field(default_factory=dict[int, float])
    """Maximum remaining cost of each pack, by its number."""
    total_left: float = 0.0
    varying: list[str] = field(default_factory=list[str])
    """Fields that distinguish the trials."""
    going: set[int] = field(default_factory=set[int])
    """Packs that have reported and have not ended."""
    ended: Counter[str] = field(default_factory=Counter[str])
    """Trials that ended, by outcome."""
    _reported_at: dict[int, float] = field(default_factory=dict[int, float])
    _recent: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    """Times of recent reports, and the total updates by then."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Reports come from one thread, snapshots are taken by another."""

    def __post_init__(self) -> None:
        """Add up the remaining cost once, so that snapshots stay cheap."""
        self.varying = varying(self.work.trials)
        for pack in self.packs:
            self._set_left(pack, sum(_cost_of(pack, trial) for trial in pack.trials))

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the lock: Tune pickles its callbacks, though they are never loaded."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Create a new lock."""
        vars(self).update(state, _lock=threading.Lock())

    def report(self, number: int, progress: Progress) -> None:
        """Add a report of pack `number`; a restarted pack counts from zero."""
        with self._lock:
            self._report(number, progress)

    def _report(self, number: int, progress: Progress) -> None:
        now = time.monotonic()
        before = self.latest.get(number, Progress())
        if progress.made < before.made:
            before = Progress()
        made = progress.made - before.made
        if self.first_report_at is None:  # what it reports was done before
            self.first_report_at = now - progress.update_s - progress.check_s
        self.last_report_at = now
        if (since := self._reported_at.get(number)) is not None and now > since:
            self.rates[number] = made / (now - since)
        self._reported_at[number] = now
        self.updates += made
        self.update_s += progress.update_s - before.update_s
        self.check_s += progress.check_s - before.check_s
        if progress.cost_made is None:
            self.cost_done += made * self._cost(number, progress.trial_id)
        else:
            self.cost_done += progress.cost_made - (before.cost_made or 0.0)
        last = self.latest.get(number, Progress())
        for kind in KINDS:
            self.ended[kind] += getattr(progress, kind) - getattr(last, kind)
        self.latest[number] = progress
        pack = self.packs[number - 1]
        self._set_left(pack, _cost_left(pack, progress))
        (self.going.discard if self._over(number) else self.going.add)(number)
        self._recent.append((now, self.updates))
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT_S:
            self._recent.popleft()

    def snapshot(self) -> Snapshot:
        """Return the current status of the run."""
        with self._lock:
            return self._snapshot()

    def _snapshot(self) -> Snapshot:
        now = time.monotonic()
        ended = self.ended
        going = (self.packs[number - 1] for number in sorted(self.going))
        return Snapshot(
            sweep=self.sweep,
            budget=self.work.budget,
            trials=len(self.work.trials),
            done_before=self.work.done,
            solved=ended["solved"],
            unsolved=ended["unsolved"],
            diverged=ended["diverged"],
            failed=ended["failed"],
            running=[r for r in map(self._running, going) if r is not None],
            updates=self.updates,
            updates_per_s=self._speed(now),
            efficiency=self.efficiency(),
            elapsed_s=now - self.began_at,
            eta_s=self._eta(now),
            cpus=self.cpus,
            dashboard=self.dashboard,
            stopping=self.stopping,
        )

    def efficiency(self) -> Efficiency:
        """Return the engine's share of the workers' time so far."""
        if self.first_report_at is None or self.last_report_at is None:
            return Efficiency()
        worker_s = self.cpus * (self.last_report_at - self.first_report_at)
        return Efficiency(self.update_s, self.check_s, worker_s)

    def _speed(self, now: float) -> float:
        """Return recent updates per second; trials may be shorter than a report interval."""
        if not self.going:
            return 0.0
        since, updates = self._recent[0]
        return (self.updates - updates) / (now - since) if now > since else 0.0

    def _over(self, number: int) -> bool:
        progress = self.latest[number]
        return progress.ended == len(self.packs[number - 1].trials)

    def _running(self, pack: Pack) -> Running | None:
        progress = self.latest[pack.number]
        if not progress.trial_id:
            return None
        return Running(
            trial_id=progress.trial_id,
            about=described(self._trial(pack.number, progress.trial_id), self.varying),
            update=progress.update,
            measurement=progress.measurement,
            value=progress.value,
            updates_per_s=self.rates.get(pack.number, 0.0),
            together=progress.together,
        )

    def _eta(self, now: float) -> float | None:
        """Divide the maximum remaining cost by the speed so far."""
        if (
            self.first_report_at is None
            or now <= self.first_report_at
            or not self.cost_done
        ):
            return None
        return self.total_left * (now - self.first_report_at) / self.cost_done

    def _set_left(self, pack: Pack, left: float) -> None:
        self.total_left += left - self.left.get(pack.number, 0.0)
        self.left[pack.number] = left

    def _cost(self, number: int, trial_id: str) -> float:
        return cost(self._trial(number, trial_id)) if trial_id else 0.0

    def _trial(self, number: int, trial_id: str) -> Any:
        trials = self.packs[number - 1].trials
        return next(trial for trial in trials if id_of(trial) == trial_id)


def _cost_left(pack: Pack, progress: Progress) -> float:
    """Return the cost of the trials that have not ended, the first of them running."""
    if progress.cost_left is not None:
        return progress.cost_left
    waiting = pack.trials[progress.ended :]
    left = sum(_cost_of(pack, trial) for trial in waiting)
    if waiting and progress.trial_id == id_of(waiting[0]):
        now = cost(waiting[0]) * (pack.budget - progress.update)
        left += now - _cost_of(pack, waiting[0])
    return left


def _cost_of(pack: Pack, trial: Any) -> float:
    """Return the cost of a trial from its committed updates to its budget."""
    standing = pack.committed.get(id_of(trial))
    return cost(trial) * (pack.budget - (standing.updates if standing else 0))
