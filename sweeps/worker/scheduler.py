"""Schedulers: decide which worker trains which pack, and when.

    RayScheduler   Ray Tune, over the cores of a machine or a cluster   sweeps/on_ray/scheduler.py
    InProcess      one process, packs in turns                          sweeps/worker/in_process.py

The driver uses only this protocol. Both pass the same contract suite.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from cluster.processes import Offspring
from sweeps.errors import SweepError
from sweeps.spec.trial_type import Resources
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.progress import Progress


class Listener(Protocol):
    """Receives the reports of packs."""

    def report(self, number: int, progress: Progress) -> None:
        """Handle a report of pack `number`."""
        ...

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        """Handle that pack `number` is not retried: its worker died too often."""
        ...

    def asked(self) -> bool:
        """Return whether a stop was requested; workers then save and exit."""
        ...


class Scheduler(Protocol):
    """Trains packs on workers."""

    @property
    def workers(self) -> int:
        """Number of packs trained at a time."""
        ...

    @property
    def dashboard(self) -> str | None:
        """Address of a dashboard, if there is one."""
        ...

    @property
    def token_file(self) -> Path | None:
        """File with the dashboard's token."""
        ...

    def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
        """Train all packs; return when all have ended, or when a stop was requested.

        Args:
            assignment: The packs, and where their results go.
            parcel: The same, for other processes.
            listener: Receives reports, in any thread.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Settings of a scheduler."""

    name: str
    """Name of the run in a dashboard."""
    metadata: dict[str, str]
    """Further facts on the run in a dashboard."""
    workers: int
    """Maximum number of packs to train at a time; a joined cluster may allow more."""
    limited: bool
    """Whether the user set `workers`, which then also limits a cluster."""
    resources: Resources = field(default_factory=Resources)
    """Resources of one worker."""
    address: str | None = None
    """A running cluster to join; None starts one."""
    dashboard: str | None = None
    """Address on which a dashboard listens; None starts none."""
    offspring: Offspring
    """Tracks every process that is started."""
    lost: Callable[[str], NoReturn]
    """Called with the reason if the scheduler's processes have died."""
    not_started: Callable[[str], NoReturn]
    """Called with the reason if they have not started; nothing was trained yet."""


def require(resources: Resources, found: Mapping[str, float], whose: str) -> None:
    """Raise if no worker could ever start.

    Args:
        resources: Resources of a worker.
        found: Available resources, as "CPU" and "GPU".
        whose: Who has them, for the message.

    Raises:
        SweepError: If a worker needs more than is available.
    """
    for name, wanted in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if wanted > found.get(name, 0):
            raise SweepError(
                f"A worker needs {wanted:g} {name}s, but {whose} has "
                f"{found.get(name, 0):g} here. Reduce the trials' "
                f"`{name.lower()}s`, or run on another machine."
            )


Start = Callable[[Setup], AbstractContextManager[Scheduler]]
"""Starts a scheduler for the duration of a run."""
