"""The assignment of all workers of a run, and how it is sent to them."""

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sweeps.plan.packs import Pack
from sweeps.spec.trial_type import Resources, TrialType
from sweeps.spec.user_code import UserCode
from sweeps.store.attempts import Attempts
from sweeps.store.committed import Done
from sweeps.store.store import Store
from sweeps.worker.worker import Worker


@dataclass(frozen=True)
class Assignment:
    """What all workers of a run need to know."""

    sweep: str
    packs: list[Pack]
    store: Store
    engine: str | None
    run: int
    """Number of the run."""
    known: frozenset[str]
    """Names of the parts known when planning."""
    resources: Resources
    """Resources of one worker."""

    def of(self, pack: Pack) -> "Assignment":
        """Return the assignment of the workers that train a pack: of its crew, if it has one."""
        crew = pack.crew
        return replace(self, engine=crew.engine, resources=crew.resources) if crew else self

    def worker(self) -> Worker:
        """Return a worker for this process; may have to compile."""
        described = TrialType.of(self.packs[0].trials[0]).described
        return Worker(
            self.store,
            described.trainer(self.engine, self.resources.device),
            Attempts(self.store.attempts, self.run),
            Done.since(self.store, self.known),
            engine=self.engine,
            headline=described.headline,
            clock=self._clock,
        )

    @property
    def _clock(self) -> Callable[[], float]:
        """Return what measures the trainer: for a GPU, elapsed time instead of CPU time."""
        if self.resources.gpus:
            return time.perf_counter
        return time.process_time if self.resources.cpus > 1 else time.thread_time


@dataclass(frozen=True)
class Parcel:
    """An assignment for another process that may not have imported the user's classes."""

    code: UserCode | None
    data: bytes

    @classmethod
    def of(cls, assignment: Assignment, code: UserCode | None) -> "Parcel":
        """Pack an assignment.

        Args:
            assignment: What to send.
            code: The user's code that defines its trials, unless built in.
        """
        return cls(code, pickle.dumps(assignment))

    def open(self) -> Assignment:
        """Import the user's code, then unpack the assignment."""
        if self.code is not None:
            self.code.install()
        return pickle.loads(self.data)
