"""A trial that keeps failing is skipped, with a message."""

from dataclasses import replace
from pathlib import Path

import pytest
from commands import write_experiment
from made_up_events import failed, finished
from small import store

from sweeps.plan.packs import packs, packs_by_time
from sweeps.plan.retry import left_out, plan_to_run
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.store.attempts import Attempts
from sweeps.store.events import Event, Started, to_line
from sweeps.store.store import Store


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Four trials without a result."""
    monkeypatch.chdir(write_experiment(tmp_path, budget=400).path)
    found = resolve(Selection(experiment="./small.py"))
    store(Path(found.place.address))
    return found


def fail(chosen: Chosen, number: int, times: int) -> None:
    log = Attempts(Store(chosen.place).attempts)
    for _ in range(times):
        log.record(Started(trial_id=chosen.trials[number].trial_id))
        log.record(failed(chosen.trials[number].trial_id))


def test_a_trial_is_tried_until_it_has_failed_so_often(chosen: Chosen) -> None:
    fail(chosen, 0, 2)
    fail(chosen, 1, 1)
    for most, left in ((3, 4), (2, 3), (1, 2)):
        work = plan_to_run(chosen, most)
        assert (len(work.to_run), len(work.given_up), work.done) == (left, 4 - left, 0)
    assert left_out(plan_to_run(chosen, 3), 3) == []
    (said,) = left_out(plan_to_run(chosen, 2), 2)
    assert chosen.trials[0].trial_id[:12] in said
    assert "--max-failures 3 retries them once" in said


def test_a_trial_that_has_since_been_finished_is_not_left_out(chosen: Chosen) -> None:
    fail(chosen, 0, 5)
    log = Attempts(Store(chosen.place).attempts)
    log.record(finished(chosen.trials[0].trial_id))
    assert plan_to_run(chosen, 3).given_up == []


def test_failures_of_earlier_runs_count_whatever_the_clock_says(chosen: Chosen) -> None:
    """A run is later by its number, though its clock may have been set back."""
    name = chosen.trials[0].trial_id
    place = Store(chosen.place).attempts

    def record(event: Event, run: int, time: str) -> None:
        place.append(f"{run}.jsonl", to_line(replace(event, run=run, time=time)))

    record(failed(name), 1, "2031")
    record(Started(trial_id=name), 2, "2026")
    assert plan_to_run(chosen, 1).given_up == []
    record(failed(name), 3, "2020")
    assert [trial.trial_id for trial in plan_to_run(chosen, 2).given_up] == [name]


def test_trials_that_failed_before_delay_no_others(chosen: Chosen) -> None:
    """It comes last, in a pack of its own."""
    fail(chosen, 0, 1)
    work = plan_to_run(chosen, 3)
    others = [trial for trial in work.to_run if trial != chosen.trials[0]]
    for cut in (packs(work, 2), packs_by_time(work, lambda _: 1e-9, 1)):
        assert cut[-1].trials == (chosen.trials[0],)
        assert [trial for pack in cut[:-1] for trial in pack.trials] == others
        assert [pack.number for pack in cut] == list(range(1, len(cut) + 1))
