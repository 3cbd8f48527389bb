"""What happened, not what was found: who trained which trial when, and what went wrong.

One JSON line an event, in a file of its own for each process that writes:
`attempts/<host>-<pid>-<start>.jsonl`. Never part of the table.
"""

import functools
import json
import os
import platform
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("rnnlab", "torch", "ray", "numba", "llvmlite", "numpy", "pyarrow", "pandas")


@dataclass(frozen=True)
class Attempts:
    """The log that one process writes into a sweep's `attempts` folder."""

    folder: Path
    name: str = field(default_factory=lambda: _own_name(os.getpid()))

    def record(self, event: str, **facts: Any) -> None:
        """Append one event with the time, the host and the process.

        Args:
            event: "session", "started", "restarted", "finished", "failed" or "ended".
            facts: What there is to say; values that JSON can write.
        """
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **facts,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / self.name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """Give all events in a folder by time; a line torn by a crash is left out."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")) if folder.exists() else []:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                found.append(event)
    return iter(sorted(found, key=lambda event: event.get("time", "")))


def failures(folder: Path) -> dict[str, dict[str, Any]]:
    """Give the last failure of each trial whose last attempt failed, by `trial_id`."""
    last: dict[str, dict[str, Any]] = {}
    for event in events(folder):
        if "trial_id" in event:
            last[event["trial_id"]] = event
    return {name: event for name, event in last.items() if event["event"] == "failed"}


def restarted(folder: Path) -> list[str]:
    """List the trials that the last session started again, though they had a checkpoint."""
    found: list[str] = []
    for event in events(folder):
        if event["event"] == "session":
            found = []
        elif event["event"] == "restarted":
            found.append(event["trial_id"])
    return found


def circumstances() -> dict[str, Any]:
    """Describe where a process runs: machine, versions and the commit of the sources."""
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "cpus": os.cpu_count(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


@functools.cache
def _own_name(pid: int) -> str:
    """Name this process's file; the start tells it from an earlier process of that id."""
    return f"{socket.gethostname()}-{pid}-{time.time_ns() // 1000}.jsonl"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Give the git commit of the sources, with `+changes` where they differ from it."""
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return revision + ("+changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
