"""When a run measures before it starts, and what it says of its forecast afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small import Walk, trial

from sweeps.plan.crews import Crew, workers
from sweeps.plan.forecast import forecast, worth_a_pilot
from sweeps.plan.plan import Plan, plan
from sweeps.plan.speeds import Speeds, measured
from sweeps.spec.experiment_file import Experiment
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen, Selection
from sweeps.spec.sweep import Sweep
from sweeps.storage.folder import Folder

TRIALS = [trial(seed) for seed in range(10)]
SHORT, LONG = 1000, 1_000_000_000


def work(budget: int) -> Plan:
    return plan(TRIALS, {}, budget)


@dataclass
class Pilot:
    """Measures nothing; counts how often it is asked to."""

    asked: int = 0

    def __call__(self, crew: Crew, part: Plan) -> Speeds:
        self.asked += 1
        return measured([(TRIALS[0], 0.01)], "a test")


def chosen(path: Path, trials: Sequence[Any] = TRIALS) -> Chosen:
    selection = Selection(experiment="small")
    experiment = Experiment(
        "small",
        path / "small.py",
        "",
        Sweep(name="small", trials=list(trials), budget=SHORT, quick_budget=SHORT),
        None,
    )
    return Chosen(selection, experiment, list(trials), SHORT, Folder(path))


def test_only_a_long_run_here_is_worth_a_pilot(tmp_path: Path) -> None:
    here, far = RunOptions(cpus=2), RunOptions(cpus=2, address="ray://far:1")
    found = chosen(tmp_path)
    assert worth_a_pilot(found, work(LONG), here)
    assert not worth_a_pilot(found, work(SHORT), here)
    assert not worth_a_pilot(found, work(LONG), far)


def test_a_long_run_measures_unasked_where_it_may(tmp_path: Path) -> None:
    options, found, pilot = RunOptions(cpus=2), chosen(tmp_path), Pilot()
    assert forecast(found, work(LONG), options, measure=pilot) is None
    short = forecast(found, work(SHORT), options, measure=pilot, measure_if_long=True)
    assert short is None
    assert pilot.asked == 0
    assert forecast(found, work(LONG), options, measure=pilot, measure_if_long=True)
    assert pilot.asked == 1


def test_a_pilot_that_is_asked_for_is_made(tmp_path: Path) -> None:
    pilot, options = Pilot(), RunOptions(cpus=2, pilot=True)
    found = forecast(chosen(tmp_path), work(SHORT), options, measure=pilot)
    assert found is not None
    assert found.basis == "a test"
    assert pilot.asked == 1


def test_where_nothing_is_to_run_nothing_is_measured(tmp_path: Path) -> None:
    pilot, options = Pilot(), RunOptions(cpus=2, pilot=True)
    nothing = plan([], {}, SHORT)
    found = forecast(
        chosen(tmp_path), nothing, options, measure=pilot, measure_if_long=True
    )
    assert (found, pilot.asked) == (None, 0)


@dataclass(frozen=True, kw_only=True)
class Wide(Walk):
    """A trial that takes several cores, or a part of one."""

    cpus: float = 1.0


def test_as_many_trials_are_trained_at_a_time_as_the_cores_allow(tmp_path: Path) -> None:
    """The one that takes most decides, and one is always trained."""
    for cpus, expected in (([1.0], 8), ([1.0, 3.0], 2), ([0.5], 16), ([20.0], 1)):
        found = chosen(tmp_path, [Wide(cpus=each) for each in cpus])
        assert workers(found, RunOptions(cpus=8)) == expected
