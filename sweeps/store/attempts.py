"""The log of attempts: which worker trained which trial when, and errors.

One JSON line per event (`sweeps.store.events`), in one file per writing process:
 `attempts/<host>-<pid>-<start>.jsonl`. Never part of the table.
"""

import dataclasses
import functools
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sweeps.storage.place import Place
from sweeps.store.events import (
    AttemptEvent,
    Event,
    Failed,
    Restarted,
    Session,
    Started,
    from_line,
    to_line,
)


@dataclass(frozen=True)
class Attempts:
    """The log that one process writes into a sweep's `attempts` folder."""

    place: Place
    run: int = 0
    """Number of the run, from 1: orders events even if clocks disagree."""
    name: str = field(default_factory=lambda: _own_name(os.getpid()))

    def record(self, event: Event) -> None:
        """Append an event, with time, run, host and process as its header."""
        recorded = dataclasses.replace(
            event,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            run=self.run,
            host=socket.gethostname(),
            pid=os.getpid(),
        )
        self.place.append(self.name, to_line(recorded))


def read_events(place: Place) -> list[Event]:
    """Return all events by run and time; unreadable lines are skipped."""
    logs = (place.read(name) for name in place.names() if name.endswith(".jsonl"))
    found = (from_line(line) for log in logs for line in log.splitlines())
    return sorted((each for each in found if each), key=lambda each: (each.run, each.time))


def next_run(before: Iterable[Event]) -> int:
    """Return the number of a run that begins after these events."""
    return 1 + max((event.run for event in before), default=0)


@dataclass(frozen=True)
class FailedTrial:
    """A trial whose last attempt failed."""

    last: Failed
    """Its last failure."""
    times: int
    """Number of failed attempts so far."""


def failed_trials(place: Place) -> dict[str, FailedTrial]:
    """Return the trials whose last attempt failed, by `trial_id`."""
    last: dict[str, AttemptEvent] = {}
    times: Counter[str] = Counter()
    for event in read_events(place):
        if isinstance(event, AttemptEvent):
            last[event.trial_id] = event
            times[event.trial_id] += isinstance(event, Failed)
    return {
        name: FailedTrial(event, times[name])
        for name, event in last.items()
        if isinstance(event, Failed)
    }


def restarted_trials(place: Place) -> list[str]:
    """Return the ids of the trials that the last run restarted despite a checkpoint."""
    found: list[str] = []
    for event in read_events(place):
        if isinstance(event, Session):
            found = []
        elif isinstance(event, Restarted):
            found.append(event.trial_id)
    return found


def engines_of(events: Iterable[Event]) -> dict[str, str]:
    """Return the engine that last started each trial, by `trial_id`, where it is known."""
    return {
        event.trial_id: event.engine
        for event in events
        if isinstance(event, Started) and event.engine is not None
    }


@functools.cache
def _own_name(pid: int) -> str:
    """Return the name of this process's file; the start time makes a reused pid unique."""
    return f"{socket.gethostname()}-{pid}-{time.time_ns() // 1000}.jsonl"
