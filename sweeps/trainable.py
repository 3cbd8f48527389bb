"""A pack as Ray Tune sees it: one Tune trial, one step a chunk of updates.

Tune is a scheduler here. Nothing that it keeps is read back: a pack that starts again,
in a new worker or after a crash, finds its checkpoints and results in the store.
"""

import ctypes
import os
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any

from ray import tune
from ray.util.metrics import Counter, Gauge

from rnnlab.engines import choose
from sweeps.attempts import Attempts
from sweeps.done import Done
from sweeps.patience import Patient
from sweeps.plan import Pack
from sweeps.progress import Progress
from sweeps.store import Store
from sweeps.worker import ENDINGS, Worker

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


@dataclass(frozen=True)
class Assignment:
    """What all workers of a run are told."""

    sweep: str
    packs: list[Pack]
    store: Store
    engine: str
    run: int
    """Number of the run."""
    known: frozenset[str]
    """Names of the parts that the plan knew."""


class PackTrainer(tune.Trainable):
    """Trains one pack after another; Tune reuses the worker by `reset_config`."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Ask for one core."""
        return tune.PlacementGroupFactory([{"CPU": 1}])

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare a new worker: it ends with its raylet."""
        import ray

        _die_with_parent()
        self._assignment: Assignment = ray.get(config["assignment"])
        self._worker = _worker(self._assignment)
        self._metrics = Metrics(self._assignment.sweep)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next pack in the same worker."""
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train for one chunk; give the pack's progress, and whether it has ended."""
        name_process(self._title)
        progress = next(self._progress, None)
        if progress is None:
            return {"done": True, "progress": asdict(self._last)}
        self._metrics.count(self._pack.number, self._last, progress)
        self._last = progress
        return {"done": False, "progress": asdict(progress)}

    def cleanup(self) -> None:
        """Stop in the middle of a pack: the trial under way keeps a checkpoint."""
        self._progress.close()

    def __repr__(self) -> str:
        """Name the actor: Ray asks once, when it takes its first pack."""
        return f"{self._assignment.sweep}: pack {self._pack.number} and later ones"

    @property
    def _title(self) -> str:
        of, trial = len(self._assignment.packs), self._last.trial_id[:12]
        return f"ray::{self._assignment.sweep} pack {self._pack.number} of {of} {trial}"

    def _begin(self, config: dict[str, Any]) -> None:
        self._pack = self._assignment.packs[config["number"] - 1]
        self._last = Progress()
        self._progress: Generator[Progress] = self._worker.train(self._pack)


class Metrics:
    """What a worker tells Ray's metrics; Prometheus sees each name behind `ray_`."""

    def __init__(self, sweep: str) -> None:
        """Make the metrics of a worker."""
        tags = ("sweep", "pack")
        self._sweep = sweep
        self._updates = Counter("sweep_updates", "Updates made", (*tags,))
        self._checks = Counter("sweep_checks", "Checks made", (*tags,))
        self._update_s = Counter("sweep_update_seconds", "CPU time of updates", (*tags,))
        self._check_s = Counter("sweep_check_seconds", "CPU time of checks", (*tags,))
        self._ended = Counter("sweep_trials_ended", "Trials ended", (*tags, "outcome"))
        self._update = Gauge("sweep_trial_update", "Updates of the trial", (*tags,))
        self._wrong = Gauge("sweep_trial_error_rate", "Wrong at its last check", (*tags,))

    def count(self, number: int, before: Progress, now: Progress) -> None:
        """Count what a pack has done since its last report."""
        tags = {"sweep": self._sweep, "pack": str(number)}
        for counter, name in (
            (self._updates, "made"),
            (self._checks, "checks"),
            (self._update_s, "update_s"),
            (self._check_s, "check_s"),
        ):
            _increase(counter, getattr(now, name) - getattr(before, name), tags)
        for outcome in ENDINGS:
            ended = getattr(now, outcome) - getattr(before, outcome)
            _increase(self._ended, ended, {**tags, "outcome": outcome})
        self._update.set(now.update, tags)
        if now.error_rate is not None:
            self._wrong.set(now.error_rate, tags)


def _worker(assignment: Assignment) -> Worker:
    """Make what trains packs in this process: a store that fails is tried again."""
    store = Store(Patient(assignment.store.place))
    return Worker(
        store,
        choose(assignment.engine),
        Attempts(store.attempts, assignment.run),
        Done.since(store, assignment.known),
    )


def _increase(counter: Counter, by: float, tags: dict[str, str]) -> None:
    if by > 0:
        counter.inc(by, tags)


def name_process(title: str) -> None:
    """Show a title in `ps` and in the dashboard's list of workers, until the step ends."""
    import ray._raylet

    ray._raylet.setproctitle(title)  # pyright: ignore[reportAttributeAccessIssue]


def _die_with_parent() -> None:
    """Let the kernel end this worker with its raylet, so that no worker is orphaned."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
