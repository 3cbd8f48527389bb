"""Where a run stands, as one value, and the file that tells it to other terminals."""

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
"""A snapshot older than this is of a run that has gone."""


@dataclass(frozen=True)
class Running:
    """A trial under way."""

    trial_id: str
    about: str
    """The fields in which it differs from others of the sweep."""
    update: int
    measurement: str
    """What is reported of it."""
    value: float | None
    """What it was at the last check."""
    updates_per_s: float


@dataclass(frozen=True)
class Snapshot:
    """Where a run stands."""

    sweep: str
    budget: int
    trials: int
    done_before: int
    solved: int
    unsolved: int
    diverged: int
    failed: int
    """Trials that ended in this run, by how."""
    running: list[Running]
    updates: int
    """Updates made in this run."""
    updates_per_s: float
    efficiency: Efficiency
    """The engine's share of the time so far."""
    elapsed_s: float
    eta_s: float | None
    """Seconds left if no further trial ends before its budget."""
    cpus: int
    dashboard: str | None = None
    stopping: bool = False
    """The run has been asked to stop."""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    at: float = field(default_factory=time.time)
    """Unix time of the snapshot."""

    @property
    def ended(self) -> int:
        """Trials that ended in this run."""
        return self.solved + self.unsolved + self.diverged + self.failed


def write_snapshot(snapshot: Snapshot, place: Place) -> None:
    """Replace `progress.json`; not made durable, it is worth nothing after a crash."""
    data = (json.dumps(asdict(snapshot)) + "\n").encode()
    place.replace(PROGRESS, data, durable=False)


def drop_snapshot(place: Place) -> None:
    """Remove `progress.json` at the end of a run, if it is of this process."""
    found = read_snapshot(place)
    if found is not None and found["pid"] == os.getpid():
        place.remove(PROGRESS)


def read_snapshot(place: Place) -> Mapping[str, Any] | None:
    """Give the newest snapshot of a run that is still going, or None."""
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
