"""Schedulers: what decides which worker trains which pack, and when.

    RayScheduler   Ray Tune, over the cores of a machine or a cluster   sweeps/on_ray/scheduler.py
    InProcess      one process, packs in turns                          sweeps/worker/in_process.py

The driver knows this protocol alone. Both are held to one contract suite.
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
    """Hears of what the packs do."""

    def report(self, number: int, progress: Progress) -> None:
        """Take in a report of pack `number`."""
        ...

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        """Take in that pack `number` is not tried any more: its worker died again and again."""
        ...

    def asked(self) -> bool:
        """Return whether the run has been asked to stop; workers then save and end."""
        ...


class Scheduler(Protocol):
    """Trains packs on workers."""

    @property
    def workers(self) -> int:
        """How many packs are trained at a time."""
        ...

    @property
    def dashboard(self) -> str | None:
        """Address of a dashboard, if there is one."""
        ...

    @property
    def token_file(self) -> Path | None:
        """The file that holds the token which the dashboard asks for."""
        ...

    def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
        """Train all packs; returns when all are over, or when the listener was asked to stop.

        Args:
            assignment: The packs, and where their results go.
            parcel: The same, for other processes.
            listener: Hears of reports, in any thread.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a scheduler needs to know before it starts."""

    name: str
    """What the run is called in a dashboard."""
    metadata: dict[str, str]
    """What else a dashboard shows of the run."""
    workers: int
    """How many packs to train at a time at most; a cluster that is joined may give more."""
    limited: bool
    """Whether `workers` is what the user asked for, on a cluster too."""
    resources: Resources = field(default_factory=Resources)
    """What a worker takes."""
    address: str | None = None
    """A running cluster to join; None starts one."""
    dashboard: str | None = None
    """The address on which a dashboard listens; None starts none."""
    offspring: Offspring
    """Told of every process that is started."""
    lost: Callable[[str], NoReturn]
    """Called where the scheduler's processes have gone, with what happened."""


def require(resources: Resources, found: Mapping[str, float], whose: str) -> None:
    """Refuse to begin where no worker could ever start.

    Args:
        resources: What a worker takes.
        found: What there is, as "CPU" and "GPU".
        whose: What has it, for a person.

    Raises:
        SweepError: Naming what a worker takes, and what there is.
    """
    for name, wanted in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if wanted > found.get(name, 0):
            raise SweepError(
                f"A worker takes {wanted:g} {name}s, but {whose} has "
                f"{found.get(name, 0):g} here. Ask for less in the trials' "
                f"`{name.lower()}s`, or run on another machine."
            )


Start = Callable[[Setup], AbstractContextManager[Scheduler]]
"""Starts a scheduler for the time of a run."""
