"""A worker died for good: which trial of its pack is to blame, and for what."""

from collections.abc import Iterable, Sequence

from rnnlab import Trial
from sweeps.store.events import AttemptEvent, Event, Restarted, Session, Started

SHORT_OF_MEMORY = "killed due to the node running low on memory"
"""How Ray begins an `OutOfMemoryError`."""
OUT_OF_MEMORY = (
    "Ray killed its worker, for the machine was running out of memory. Run fewer workers "
    "at a time with --cpus, or make the trial smaller."
)


def to_blame(left: Sequence[Trial], found: Iterable[Event]) -> Trial:
    """Give the trial that was under way when the worker died: the others only wait.

    Args:
        left: The trials of the pack that have no result, in the order of training.
        found: What was recorded in the sweep's `attempts`, by time.

    Returns:
        The one begun last in this session and not ended; the first, where none was begun.
    """
    waiting = {trial.trial_id: trial for trial in left}
    under_way: list[str] = []
    for event in found:
        if isinstance(event, Session):
            under_way = []
        elif isinstance(event, AttemptEvent) and event.trial_id in waiting:
            under_way = [each for each in under_way if each != event.trial_id]
            under_way += [event.trial_id] if isinstance(event, Started | Restarted) else []
    return waiting[under_way[-1]] if under_way else left[0]


def cause(report: str) -> str:
    """Say in a line why a worker died.

    Args:
        report: What Tune wrote about each time that it died, the last time last. Tune keeps
            no exception where memory was short, so Ray's words have to tell.
    """
    last = report.rsplit("Failure # ", 1)[-1]
    if SHORT_OF_MEMORY in last:
        return OUT_OF_MEMORY
    return last.strip().splitlines()[-1]
