"""The types that all backends share: a command, its resources, and the job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command to execute: an argument vector, never a shell string."""

    argv: tuple[str, ...]
    """Program and arguments."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables, added to those of the backend's machine."""
    cwd: Path | None = None
    """Working folder; None is the backend's default."""

    def __post_init__(self) -> None:
        """Reject an empty argument vector.

        Raises:
            ValueError: If there is no program to execute.
        """
        if not self.argv:
            raise ValueError("Command.argv is empty. Name a program to execute.")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job may use."""

    cpus: int = 1
    """CPU cores."""
    gpus: int = 0
    """GPUs."""

    def __post_init__(self) -> None:
        """Reject impossible amounts.

        Raises:
            ValueError: If an amount is too small.
        """
        if self.cpus < 1:
            raise ValueError(f"cpus must be at least 1, got {self.cpus}.")
        if self.gpus < 0:
            raise ValueError(f"gpus must not be negative, got {self.gpus}.")


class Job(Protocol):
    """A command that a backend has accepted."""

    @property
    def job_id(self) -> str:
        """The backend's id of the job."""
        ...

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        ...

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the job to end; return its exit code, or None on timeout."""
        ...

    def interrupt(self) -> None:
        """Ask it to stop cleanly, as Ctrl-C does."""
        ...

    def kill(self) -> None:
        """Kill it at once, with all processes that it started."""
        ...


class Backend(Protocol):
    """A machine or cluster that runs commands."""

    def submit(self, command: Command, resources: Resources) -> Job:
        """Start a command; return as soon as the backend has accepted it."""
        ...
