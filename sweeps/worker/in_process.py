"""A scheduler without other processes: packs take turns in this one.

For debugging (`sweep run --in-process`), and for tests without Ray: the driver, the
display, stopping, giving up. Nothing is trained in parallel.
"""

import traceback
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from cluster.gpus import gpus
from sweeps.plan.packs import Pack
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import TYPE_PREFIX, Listener, Setup, require

MAX_FAILURES = 3
"""Restarts of a pack whose worker has died."""


@contextmanager
def in_process(setup: Setup) -> Generator["InProcess"]:
    """Return the scheduler, which needs no start.

    Raises:
        SweepError: If this machine lacks the resources of a trial.
    """
    found = _found(setup)
    for crew in setup.crews:
        require(crew.resources, found, "this machine")
    yield InProcess(sum(crew.workers for crew in setup.crews))


def _found(setup: Setup) -> dict[str, float]:
    """Return the number of cores of the run, and of this machine's GPUs."""
    found = {"CPU": sum(crew.workers * crew.resources.cpus for crew in setup.crews)}
    if any(crew.resources.gpus for crew in setup.crews):
        found["GPU"] = len(gpus())
    types = (
        {f"{TYPE_PREFIX}{each.accelerator_type}" for each in gpus()}
        if "GPU" in found
        else ()
    )
    return {**found, **dict.fromkeys(types, 1.0)}


@dataclass(frozen=True)
class InProcess:
    """Trains packs in this process, `workers` of them in turns."""

    workers: int
    dashboard = None
    token_file = None

    def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
        """Train all packs; see `sweeps.worker.scheduler.Scheduler`."""
        waiting, turns = deque(assignment.packs), deque[Turn]()
        try:
            while (waiting or turns) and not listener.asked():
                while waiting and len(turns) < self.workers:
                    turns.append(Turn(assignment, waiting.popleft()))
                turn = turns.popleft()
                if turn.take(listener):
                    turns.append(turn)
        finally:
            for each in turns:
                each.end()


class Turn:
    """A pack in training; each turn ends with a report."""

    def __init__(self, assignment: Assignment, pack: Pack) -> None:
        """Start the pack."""
        self._assignment, self._pack, self._failures = assignment, pack, 0
        self._progress = self._reports()

    def take(self, listener: Listener) -> bool:
        """Train until the next report; return whether the pack continues."""
        try:
            progress = next(self._progress, None)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a worker that died
            return self._died(error, listener)
        if progress is None:
            return False
        listener.report(self._pack.number, progress)
        return True

    def end(self) -> None:
        """Stop within the pack; the running trial saves a checkpoint."""
        with suppress(Exception, SystemExit):
            self._progress.close()

    def _reports(self) -> Generator[Progress]:
        """Train the pack in its own worker; failing to create it counts as its death."""
        yield from self._assignment.of(self._pack).worker().train(self._pack)

    def _died(self, error: BaseException, listener: Listener) -> bool:
        self._failures += 1
        if self._failures <= MAX_FAILURES:
            self._progress = self._reports()
            return True
        text = "".join(traceback.format_exception(error))
        listener.gave_up(self._pack.number, f"{type(error).__name__}: {error}", text)
        return False
