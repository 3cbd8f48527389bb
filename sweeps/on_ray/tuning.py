"""Let Ray Tune schedule the packs: one Tune trial a pack, workers reused.

Imported only once Ray's environment has been set; see `sweeps.on_ray.session`.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune

from rnnlab import Trial
from sweeps.errors import SweepError
from sweeps.monitor.tracker import Tracker
from sweeps.on_ray.pack_trainer import Assignment, PackTrainer
from sweeps.on_ray.worker_death import cause, to_blame
from sweeps.storage.retrying import Patient
from sweeps.store.attempts import Attempts, read_events
from sweeps.store.events import Failed
from sweeps.store.standing import Standing
from sweeps.store.store import Store
from sweeps.worker.progress import Progress

MAX_FAILURES = 3
"""How often Tune starts a pack again whose worker has died."""


def tune_packs(
    tracker: Tracker,
    assignment: Assignment,
    *,
    asked: Callable[[], bool],
    halt: Callable[[str], None],
    scratch: Path,
) -> None:
    """Train all packs; results go to the store, reports to the tracker.

    Args:
        tracker: Knows the packs, and takes in their reports.
        assignment: What all workers are told.
        asked: Whether the run has been asked to stop.
        halt: Told why, where nothing can be kept any more; the run is to stop then.
        scratch: Where Tune keeps what nobody reads back.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    report = Report(tracker, assignment, halt)
    numbers = [pack.number for pack in tracker.packs]
    tune.Tuner(
        PackTrainer,
        param_space={
            "number": tune.grid_search(numbers),
            "assignment": ray.put(assignment),
        },
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=tracker.cpus,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=tracker.sweep,
            storage_path=str(scratch),
            verbose=0,
            stop=StopWhenAsked(asked),
            callbacks=[report],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
        ),
    ).fit()


class StopWhenAsked(tune.Stopper):
    """Ends every Tune trial at its next report once the run has been asked to stop."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        """Stop when `asked` says so."""
        self._asked = asked

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stop one alone."""
        return False

    def stop_all(self) -> bool:
        """Say whether to stop."""
        return self._asked()


class Report(tune.Callback):
    """Hands what packs report to the tracker, and keeps what killed a pack for good."""

    def __init__(
        self, tracker: Tracker, assignment: Assignment, halt: Callable[[str], None]
    ) -> None:
        """Report to a tracker, and to the store that the workers were told of."""
        self._tracker, self._halt = tracker, halt
        self._store = Store(Patient(assignment.store.place))
        self._attempts = Attempts(self._store.attempts, assignment.run)

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
    ) -> None:
        """Take in one report of a pack."""
        progress = Progress(**result["progress"])
        self._tracker.report(trial.config["number"], progress)
        if progress.halted:
            self._halt(progress.halted)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Mark the trial that was under way in a pack that was given up as failed."""
        path = trial.error_file
        text = Path(path).read_text(errors="replace") if path else "no report"
        try:
            self._blame(self._left(trial.config["number"]), text)
        except SweepError as error:
            self._halt(str(error))

    def _blame(self, left: list[Trial], text: str) -> None:
        """Write down which of the trials that a pack has left had failed."""
        if left:
            victim = to_blame(left, read_events(self._store.attempts)).trial_id
            failure = Failed(trial_id=victim, error=cause(text), traceback=text)
            self._attempts.record(failure)

    def _left(self, number: int) -> list[Trial]:
        """Give the trials of a pack that have no result."""
        budget, done = self._tracker.work.budget, self._store.standings()
        trials = self._tracker.packs[number - 1].trials
        return [t for t in trials if not _done(done.get(t.trial_id), budget)]


def _done(standing: Standing | None, budget: int) -> bool:
    return standing is not None and standing.done(budget)


def _name(trial: Any) -> str:
    return f"pack-{trial.config['number']}"
