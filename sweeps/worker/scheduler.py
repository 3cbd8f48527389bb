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
from sweeps.plan.crews import Crew
from sweeps.spec.trial_type import Resources
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.progress import Progress

TYPE_PREFIX = "accelerator_type:"
"""Ray's name of a resource that a machine with GPUs of a type has."""


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
    second: Crew | None = None
    """Further workers, with other resources; their packs name this crew."""
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

    @property
    def crews(self) -> tuple[Crew, ...]:
        """All workers, by their resources."""
        first = Crew(None, self.resources, self.workers)
        return (first, self.second) if self.second else (first,)

    @property
    def accelerator(self) -> str | None:
        """The type of GPU that the run asks for."""
        kinds = (crew.resources.accelerator for crew in self.crews)
        return next(filter(None, kinds), None)


def require(resources: Resources, found: Mapping[str, float], whose: str) -> None:
    """Raise if no worker could ever start.

    Args:
        resources: Resources of a worker.
        found: Available resources as Ray names them: "CPU", "GPU", "accelerator_type:H100".
        whose: Who has them, for the message.

    Raises:
        SweepError: If a worker needs more than is available.
    """
    kind = resources.accelerator
    if kind and f"{TYPE_PREFIX}{kind}" not in found:
        types = [each.removeprefix(TYPE_PREFIX) for each in found if TYPE_PREFIX in each]
        raise SweepError(
            f"A worker needs a GPU of type {kind}, but {whose} has "
            f"{', '.join(sorted(types)) or 'none of a known type'} here. Ask for what is here, or "
            "omit --accelerator-type."
        )
    for name, wanted in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if wanted > found.get(name, 0):
            raise SweepError(
                f"A worker needs {wanted:g} {name}s, but {whose} has "
                f"{found.get(name, 0):g} here. Reduce the trials' "
                f"`{name.lower()}s`, or run on another machine."
            )


Start = Callable[[Setup], AbstractContextManager[Scheduler]]
"""Starts a scheduler for the duration of a run."""
