"""Let Ray Tune schedule the packs: one Tune trial per pack, workers reused.

Import only after Ray's environment has been set; see `sweeps.on_ray.session`.
"""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune

from sweeps.on_ray.pack_trainer import PackTrainer
from sweeps.on_ray.worker_death import cause
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import Listener

MAX_FAILURES = 3
"""Restarts by Tune of a pack whose worker has died."""


def tune_packs(
    assignment: Assignment,
    parcel: Parcel,
    listener: Listener,
    workers: int,
    scratch: Path,
) -> None:
    """Train all packs.

    Args:
        assignment: The packs.
        parcel: The same, for the workers.
        listener: Receives reports, and decides whether to stop.
        workers: Number of packs to train at a time.
        scratch: Folder for Tune's files, which are never read.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    tune.Tuner(
        PackTrainer,
        param_space={
            "pack": tune.grid_search(
                [
                    {
                        "number": each.number,
                        "resources": asdict(assignment.of(each).resources),
                    }
                    for each in assignment.packs
                ]
            ),
            "parcel": ray.put(parcel),
        },
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=workers,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=assignment.sweep,
            storage_path=str(scratch),
            verbose=0,
            stop=StopWhenAsked(listener),
            callbacks=[Report(listener)],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
        ),
    ).fit()


class StopWhenAsked(tune.Stopper):
    """Ends every Tune trial at its next report after a stop was requested."""

    def __init__(self, listener: Listener) -> None:
        """Stop when the listener reports a request."""
        self._listener = listener

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stop a single trial."""
        return False

    def stop_all(self) -> bool:
        """Return whether to stop."""
        return self._listener.asked()


class Report(tune.Callback):
    """Passes reports of packs to the listener, and permanent failures."""

    def __init__(self, listener: Listener) -> None:
        """Report to a listener."""
        self._listener = listener

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
    ) -> None:
        """Handle one report of a pack."""
        self._listener.report(
            trial.config["pack"]["number"], Progress(**result["progress"])
        )

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Notify the listener that a pack is not retried."""
        path = trial.error_file
        text = Path(path).read_text(errors="replace") if path else "no report"
        self._listener.gave_up(trial.config["pack"]["number"], cause(text), text)


def _name(trial: Any) -> str:
    return f"pack-{trial.config['pack']['number']}"
