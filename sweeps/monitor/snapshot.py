"""The status of a run as one value, and the file through which other terminals see it."""

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sweeps.monitor.efficiency import Efficiency
from sweeps.storage.place import Place

PROGRESS = "progress.json"


STALE_S = 30.0
"""A snapshot older than this belongs to a run that has ended."""


@dataclass(frozen=True)
class Running:
    """A running trial."""

    trial_id: str
    about: str
    """Fields in which it differs from other trials of the sweep."""
    update: int
    measurement: str
    """Name of the reported quantity."""
    value: float | None
    """Its value at the last check."""
    updates_per_s: float
    """Of all trials that its worker trains at a time."""
    together: int = 1
    """How many these are."""


@dataclass(frozen=True)
class Snapshot:
    """Status of a run."""

    sweep: str
    budget: int
    trials: int
    done_before: int
    solved: int
    unsolved: int
    diverged: int
    failed: int
    """Trials that ended in this run, by outcome."""
    running: list[Running]
    updates: int
    """Updates made in this run."""
    updates_per_s: float
    efficiency: Efficiency
    """The engine's share of core time so far."""
    elapsed_s: float
    eta_s: float | None
    """Seconds left if no further trial ends before its budget."""
    cpus: int
    dashboard: str | None = None
    stopping: bool = False
    """Whether a stop was requested."""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    at: float = field(default_factory=time.time)
    """Unix time of the snapshot."""

    @property
    def in_training(self) -> int:
        """Trials in training now."""
        return sum(each.together for each in self.running)

    @property
    def ended(self) -> int:
        """Trials that ended in this run."""
        return self.solved + self.unsolved + self.diverged + self.failed


def write_snapshot(snapshot: Snapshot, place: Place) -> None:
    """Replace `progress.json`; not durable, as it is useless after a crash."""
    data = (json.dumps(asdict(snapshot)) + "\n").encode()
    place.replace(PROGRESS, data, durable=False)


def drop_snapshot(place: Place) -> None:
    """Remove `progress.json` at the end of a run, if this process wrote it."""
    found = read_snapshot(place)
    if found is not None and found["pid"] == os.getpid():
        place.remove(PROGRESS)


def read_snapshot(place: Place) -> Mapping[str, Any] | None:
    """Return the newest snapshot if its run is still active, else None."""
    try:
        found = json.loads(place.read(PROGRESS))
        going = time.time() - found["at"] <= STALE_S and _alive(found)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return found if going else None


def _alive(found: Mapping[str, Any]) -> bool:
    if found["host"] != socket.gethostname():
        return True
    try:
        os.kill(found["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
