"""The scheduler that trains packs with Ray Tune, on a machine or a cluster."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweeps.on_ray.scratch_folder import private_folder
from sweeps.on_ray.session import RaySession, ray_session
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.scheduler import Listener, Setup


@contextmanager
def on_ray(setup: Setup) -> Generator["RayScheduler"]:
    """Start or join Ray for the duration of a run.

    Raises:
        SweepError: If no Ray responds at the address, or it lacks a worker's resources.
    """
    with private_folder() as private, ray_session(setup, private) as session:
        workers = sum(crew.workers for crew in setup.crews)
        if setup.address is not None and not setup.limited:
            workers = session.workers(setup.resources)
        yield RayScheduler(session, workers, private / "tune")


@dataclass(frozen=True)
class RayScheduler:
    """Trains packs as Tune trials."""

    session: RaySession
    workers: int
    scratch: Path
    """Folder for Tune's files, which are never read."""

    @property
    def dashboard(self) -> str | None:
        """Address of Ray's dashboard."""
        return self.session.dashboard

    @property
    def token_file(self) -> Path | None:
        """File with the dashboard's token."""
        return self.session.token_file

    def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
        """Train all packs; see `sweeps.worker.scheduler.Scheduler`."""
        from sweeps.on_ray.tuning import tune_packs  # Ray reads its environment on import

        tune_packs(assignment, parcel, listener, self.workers, self.scratch)
