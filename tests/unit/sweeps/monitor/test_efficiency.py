"""Efficiency: what of the workers' time the engine had."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_events import session
from small import trial
from states import same

from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.engines.plain import Plain
from rnnlab.state import State
from rnnlab.trainer import RecurrentTrainer
from sweeps.monitor.efficiency import Efficiency, of_events, summary
from sweeps.storage.folder import Folder
from sweeps.store.attempts import Attempts, read_events
from sweeps.store.events import Ended
from sweeps.worker.metered_trainer import MeteredTrainer


class Sleeping(Plain):
    """Waits in the middle of an update, without computing."""

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        time.sleep(0.3)
        return super().advance(trial, state, updates)


PLAIN = RecurrentTrainer(choose("plain"))


def test_a_trainer_that_is_metered_gives_what_it_gives_without() -> None:
    metered, one = MeteredTrainer(PLAIN), trial()
    state, made, diverged = metered.advance(one, metered.start(one), 0, 10)
    assert (made, diverged) == (10, False)
    assert same(state, PLAIN.advance(one, PLAIN.start(one), 0, 10)[0])
    check = {"update": 10, **metered.check(one, state, 10)}
    assert check == {"update": 10, **PLAIN.check(one, state, 10)}
    solved = {**check, "errors": 0, "sequences": 10_000}
    assert metered.outcome(one, [check]) is None
    assert metered.outcome(one, [solved]) == "solved"
    summary = metered.summary(one, state, [check], "unsolved")
    assert summary == PLAIN.summary(one, state, [check], "unsolved")
    assert metered.engine == "plain"
    assert metered.device == PLAIN.device
    assert metered.numerics_id(one) == PLAIN.numerics_id(one)


def test_updates_and_checks_are_counted_separately() -> None:
    metered, one = MeteredTrainer(PLAIN), trial()
    state, _, _ = metered.advance(one, metered.start(one), 0, 10)
    assert metered.spent.update_s > 0
    assert metered.spent.check_s == 0
    before = metered.spent.update_s
    check = {"update": 10, **metered.check(one, state, 10)}
    assert metered.spent.check_s > 0
    checked = metered.spent.check_s
    metered.summary(replace(one, test_lengths=(10,)), state, [check], "solved")
    assert metered.spent.check_s > checked
    assert metered.spent.update_s == before


def test_waiting_is_not_computing() -> None:
    trainer, one = RecurrentTrainer(Sleeping()), trial()
    state = trainer.start(one)
    trainer.advance(one, state, 0, 1)  # the first compiles
    metered = MeteredTrainer(trainer)
    metered.advance(one, state, 0, 1)
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
        summary(found)
        == "all runs so far: training used 55.0 % of core time, 9.1 % of that on evaluation"
    )


def test_without_any_training_there_is_no_efficiency() -> None:
    assert of_events([]) == Efficiency()
    assert Efficiency().efficiency is None
    assert Efficiency().check_share is None
