"""Handle the reports of packs in the driver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.errors import SweepError
from sweeps.monitor.tracker import Tracker
from sweeps.run.interrupt import StopRequest
from sweeps.store.attempts import Attempts, read_events
from sweeps.store.events import AttemptEvent, Event, Failed, Restarted, Session, Started
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.progress import Progress


@dataclass(frozen=True)
class RunListener:
    """Passes reports to the tracker, and records packs that failed permanently."""

    tracker: Tracker
    store: Store
    attempts: Attempts
    stop: StopRequest

    def report(self, number: int, progress: Progress) -> None:
        """Handle a report; stop the run if results can no longer be stored."""
        self.tracker.report(number, progress)
        if progress.halted:
            self.stop.halt(progress.halted)

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        """Record the running trial of a pack that is not retried as failed."""
        try:
            left = self._left(number)
            if left:
                trial = running_trial(left, read_events(self.store.attempts))
                self.attempts.record(
                    Failed(trial_id=id_of(trial), error=error, traceback=traceback)
                )
        except SweepError as failure:
            self.stop.halt(str(failure))

    def asked(self) -> bool:
        """Return whether a stop was requested."""
        return self.stop.asked

    def _left(self, number: int) -> list[Any]:
        """Return the trials of a pack that have no result."""
        budget, standings = self.tracker.work.budget, self.store.standings()
        found: list[Any] = []
        for trial in self.tracker.packs[number - 1].trials:
            standing = standings.get(id_of(trial))
            if standing is None or not standing.done(budget):
                found.append(trial)
        return found


def running_trial(left: Sequence[Any], found: Iterable[Event]) -> Any:
    """Return the trial that was running when a worker died; the others were waiting.

    Args:
        left: Trials of the pack without a result, in training order.
        found: Events of the sweep's `attempts`, by time.

    Returns:
        The last started trial of this session that has not ended; the first of `left` if
        none was started.
    """
    waiting = {id_of(trial): trial for trial in left}
    under_way: list[str] = []
    for event in found:
        if isinstance(event, Session):
            under_way = []
        elif isinstance(event, AttemptEvent) and event.trial_id in waiting:
            under_way = [each for each in under_way if each != event.trial_id]
            under_way += [event.trial_id] if isinstance(event, Started | Restarted) else []
    return waiting[under_way[-1]] if under_way else left[0]
