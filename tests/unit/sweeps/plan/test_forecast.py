"""When a run measures before it starts, and what it says of its forecast afterwards."""

from pathlib import Path

import pytest
from small import trial

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


@pytest.fixture
def pilots(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What a pilot was asked to measure."""
    asked: list[Plan] = []

    def pilot(work: Plan, engine: str, cpus: int) -> Speeds:
        asked.append(work)
        return measured([(TRIALS[0], 0.01)], "a test")

    monkeypatch.setattr("sweeps.plan.pilot.pilot", pilot)
    return asked


def chosen(path: Path) -> Chosen:
    selection = Selection(experiment="small")
    experiment = Experiment(
        "small",
        path / "small.py",
        "",
        Sweep(name="small", trials=TRIALS, budget=SHORT, quick_budget=SHORT),
        None,
    )
    return Chosen(selection, experiment, TRIALS, SHORT, Folder(path))


def test_only_a_long_run_here_is_worth_a_pilot() -> None:
    assert worth_a_pilot(work(LONG), RunOptions(cpus=2))
    assert not worth_a_pilot(work(SHORT), RunOptions(cpus=2))
    assert not worth_a_pilot(work(LONG), RunOptions(cpus=2, address="ray://far:1"))


def test_a_long_run_measures_unasked_where_it_may(
    tmp_path: Path, pilots: list[Plan]
) -> None:
    options = RunOptions(cpus=2)
    assert forecast(chosen(tmp_path), work(LONG), options) is None
    assert forecast(chosen(tmp_path), work(SHORT), options, measure_if_long=True) is None
    assert pilots == []
    found = forecast(chosen(tmp_path), work(LONG), options, measure_if_long=True)
    assert found is not None
    assert pilots == [work(LONG)]


def test_a_pilot_that_is_asked_for_is_made(tmp_path: Path, pilots: list[Plan]) -> None:
    assert (
        forecast(chosen(tmp_path), work(SHORT), RunOptions(cpus=2, pilot=True)) is not None
    )
    assert pilots == [work(SHORT)]


def test_where_nothing_is_to_run_nothing_is_measured(
    tmp_path: Path, pilots: list[Plan]
) -> None:
    options = RunOptions(cpus=2, pilot=True)
    assert (
        forecast(chosen(tmp_path), plan([], {}, SHORT), options, measure_if_long=True)
        is None
    )
    assert pilots == []
