"""Efficiency: what of the workers' time the engine had."""

import time
from pathlib import Path

import pytest
from made_up_events import session
from small import trial
from sweeps.worker.metered_engine import Metered

from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.engines.plain import Plain
from rnnlab.init import initial_parameters
from rnnlab.state import State
from rnnlab.train import train
from sweeps.monitor.efficiency import Efficiency, of_events, told
from sweeps.storage.folder import Folder
from sweeps.store.attempts import Attempts, read_events
from sweeps.store.events import Ended


class Sleeping(Plain):
    """Waits in the middle of an update, without computing."""

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        time.sleep(0.3)
        return super().advance(trial, state, updates)


def test_an_engine_that_is_metered_gives_what_it_gives_without() -> None:
    engine = choose("plain")
    metered = Metered(engine)
    assert train(trial(), budget=20, engine=metered) == train(
        trial(), budget=20, engine=engine
    )
    assert metered.name == engine.name
    assert metered.numerics_id(trial()) == engine.numerics_id(trial())


def test_updates_and_checks_are_told_apart() -> None:
    metered = Metered(choose("plain"))
    state = metered.advance(trial(), State(initial_parameters(trial())), 5)
    assert metered.spent.update_s > 0
    assert metered.spent.check_s == 0
    before = metered.spent.update_s
    metered.count_errors(trial(), state.parameters, index=1, stop_at=10**9)
    assert metered.spent.check_s > 0
    assert metered.spent.update_s == before


def test_waiting_is_not_computing() -> None:
    engine, state = Sleeping(), State(initial_parameters(trial()))
    engine.advance(trial(), state, 1)  # the first compiles
    metered = Metered(engine)
    metered.advance(trial(), state, 1)
    assert 0 < metered.spent.update_s < 0.25


@pytest.mark.parametrize(
    "harmed",
    [
        None,
        [],
        "text",
        {},
        {"update_s": 1.0, "check_s": None, "worker_s": 1.0},
        {"update_s": "1", "check_s": 1.0, "worker_s": 1.0},
        {"update_s": -1.0, "check_s": 1.0, "worker_s": 1.0},
        {"update_s": float("nan"), "check_s": 1.0, "worker_s": 1.0},
    ],
)
def test_what_somebody_has_harmed_counts_nothing(harmed: object) -> None:
    assert Efficiency.of(harmed) == Efficiency()


def test_runs_that_have_ended_are_added_up(tmp_path: Path) -> None:
    attempts = Attempts(Folder(tmp_path))
    attempts.record(session())
    attempts.record(Ended(update_s=8.0, check_s=1.0, worker_s=10.0))
    attempts.record(Ended(update_s=2.0, check_s=0.0, worker_s=10.0))
    found = of_events(read_events(Folder(tmp_path)))
    assert found == Efficiency(10.0, 1.0, 20.0)
    assert (found.efficiency, found.check_share) == (11 / 20, 1 / 11)
    assert (
        told(found) == "all runs so far: efficiency 55.0 % of the cores, checks 9.1 % of it"
    )


def test_without_any_training_there_is_no_efficiency() -> None:
    assert of_events([]) == Efficiency()
    assert Efficiency().efficiency is None
    assert Efficiency().check_share is None
