"""A pack as a Ray Tune trial: each step is a chunk of updates.

Tune only schedules. Its files are never read: a pack that restarts, in a new worker or
after a crash, finds its checkpoints and results in the store.
"""

import ctypes
import os
import sys
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from ray import tune

from sweeps.on_ray.metrics import Metrics
from sweeps.plan.packs import Pack
from sweeps.worker.assignment import Parcel
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import TYPE_PREFIX
from sweeps.worker.worker import Worker

SHARE_OF_A_TYPE = 0.001
"""A machine has 1 of its type of GPU, whatever the number of its GPUs; Ray itself takes this."""
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


class PackTrainer(tune.Trainable):
    """Trains one pack after another; Tune reuses the worker by `reset_config`."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the resources of one worker."""
        needs = config["pack"]["resources"]
        taken = {"CPU": needs["cpus"], "GPU": needs["gpus"]}
        if needs["accelerator"]:
            taken[f"{TYPE_PREFIX}{needs['accelerator']}"] = SHARE_OF_A_TYPE
        bundle = {name: amount for name, amount in taken.items() if amount}
        return tune.PlacementGroupFactory([bundle])

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare a new worker; it exits with its raylet."""
        import ray

        _die_with_parent()
        parcel: Parcel = ray.get(config["parcel"])
        self._assignment = parcel.open()
        self._workers: dict[str | None, Worker] = {}
        self._metrics = Metrics(self._assignment.sweep)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start the next pack in the same worker."""
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train for one chunk; return the pack's progress, and whether it has ended."""
        name_process(self._title)
        progress = next(self._progress, None)
        if progress is None:
            return {"done": True, "progress": asdict(self._last)}
        self._metrics.count(self._pack.number, self._last, progress)
        self._last = progress
        return {"done": False, "progress": asdict(progress)}

    def cleanup(self) -> None:
        """Stop within a pack; the running trial saves a checkpoint."""
        self._progress.close()

    def __repr__(self) -> str:
        """Name the actor: Ray asks when it takes its first pack, or if setup has failed."""
        if not hasattr(self, "_pack"):
            return type(self).__name__
        return f"{self._assignment.sweep}: pack {self._pack.number} and later ones"

    @property
    def _title(self) -> str:
        of, trial = len(self._assignment.packs), self._last.trial_id[:12]
        return f"ray::{self._assignment.sweep} pack {self._pack.number} of {of} {trial}"

    def _begin(self, config: dict[str, Any]) -> None:
        pack = self._assignment.packs[config["pack"]["number"] - 1]
        worker = self._worker(pack)
        self._pack, self._last = pack, Progress()
        self._progress: Generator[Progress] = worker.train(pack)

    def _worker(self, pack: Pack) -> Worker:
        """Return the worker of a pack's engine; it may have to compile."""
        of = self._assignment.of(pack)
        if of.engine not in self._workers:
            self._workers[of.engine] = of.worker()
        return self._workers[of.engine]


def name_process(title: str) -> None:
    """Set the process title in `ps` and the dashboard, until the step ends."""
    import ray._raylet

    ray._raylet.setproctitle(title)  # pyright: ignore[reportAttributeAccessIssue]


def _die_with_parent() -> None:
    """Let the kernel kill this worker with its raylet, so that no worker is orphaned."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
