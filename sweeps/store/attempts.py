"""What happened, not what was found: who trained which trial when, and what went wrong.

One JSON line an event, in a file of its own for each process that writes:
`attempts/<host>-<pid>-<start>.jsonl`. Never part of the table.
"""

import functools
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sweeps.storage.place import Place

PRINTED = "printed"
"""The event that holds what a trial's trainer has printed; it says nothing of how it went."""


@dataclass(frozen=True)
class Attempts:
    """The log that one process writes into a sweep's `attempts` folder."""

    place: Place
    run: int = 0
    """Number of the run, from 1: orders events where clocks disagree."""
    name: str = field(default_factory=lambda: _own_name(os.getpid()))

    def record(self, event: str, **facts: Any) -> None:
        """Append one event with the time, the host and the process.

        Args:
            event: "session", "started", "restarted", "finished", "failed", "printed",
                "ended" or "adopted".
            facts: What there is to say; values that JSON can write.
        """
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "run": self.run,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **facts,
        }
        self.place.append(self.name, json.dumps(line).encode() + b"\n")


def events(place: Place) -> Iterator[dict[str, Any]]:
    """Give all events by run and time; a line torn by a crash is left out."""
    found: list[dict[str, Any]] = []
    for name in place.names():
        for line in place.read(name).splitlines() if name.endswith(".jsonl") else ():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                found.append(event)
    return iter(sorted(found, key=_when))


def next_run(before: Iterable[Mapping[str, Any]]) -> int:
    """Number a run that begins after these events."""
    return 1 + max((_when(event)[0] for event in before), default=0)


def failures(place: Place) -> dict[str, dict[str, Any]]:
    """Give the last failure of each trial whose last attempt failed, by `trial_id`.

    With `times`: how many attempts have failed so far.
    """
    last: dict[str, dict[str, Any]] = {}
    times: Counter[str] = Counter()
    for event in events(place):
        if "trial_id" in event and event["event"] != PRINTED:
            last[event["trial_id"]] = event
            times[event["trial_id"]] += event["event"] == "failed"
    return {
        name: {**event, "times": times[name]}
        for name, event in last.items()
        if event["event"] == "failed"
    }


def restarted(place: Place) -> list[str]:
    """List the trials that the last run started again, though they had a checkpoint."""
    found: list[str] = []
    for event in events(place):
        if event["event"] == "session":
            found = []
        elif event["event"] == "restarted":
            found.append(event["trial_id"])
    return found


def _when(event: Mapping[str, Any]) -> tuple[int, str]:
    run, at = event.get("run", 0), event.get("time", "")
    return (run if isinstance(run, int) else 0, at if isinstance(at, str) else "")


@functools.cache
def _own_name(pid: int) -> str:
    """Name this process's file; the start tells it from an earlier process of that id."""
    return f"{socket.gethostname()}-{pid}-{time.time_ns() // 1000}.jsonl"
