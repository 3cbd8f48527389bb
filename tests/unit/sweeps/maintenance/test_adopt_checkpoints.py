"""Adopted, a checkpoint of earlier numerics is gone on from; only after equal bits were seen."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from commands import write_experiment
from rnnlab.checkpoint import name_of
from small import result
from sweeps.attempts import events
from sweeps.changes import changes
from sweeps.selection import Chosen, Selection, plan_of, resolve

from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.state import State
from rnnlab.train import result_of, train, training
from sweeps.cli import call
from sweeps.store import Store

ENGINE = choose()
EARLIER = "fused_cpu-earlier"
BUDGET = 400


def last_state(one: Trial, budget: int) -> State:
    return deque(training(one, budget=budget, engine=ENGINE), maxlen=1).pop()


def forget(store: Store) -> None:
    for parts in (store.parts, store.history_parts):
        for name in parts.names():
            parts.place.remove(name)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Trials that earlier code trained, to the same bits; all have checkpoints."""
    monkeypatch.chdir(write_experiment(tmp_path, budget=BUDGET).path)
    chosen = resolve(Selection(experiment="./small.py"))
    store = Store(chosen.place)
    for one in chosen.trials:
        state = last_state(one, BUDGET)
        made = replace(result_of(one, state, ENGINE, BUDGET), numerics_id=EARLIER)
        store.commit([(one, made)])
        store.checkpoints.save(one, EARLIER, state)
    return chosen


def verify_and_adopt(sample: int = 100) -> int:
    return call(["verify", "./small.py", "--sample", str(sample), "--cpus", "1", "--adopt"])


def test_adopted_checkpoints_are_gone_on_from_to_the_same_bits(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_and_adopt() == 0
    count = len(begun.trials)
    said = capsys.readouterr()
    assert f"{count} checkpoints of earlier numerics were adopted" in said.err
    assert f"{count} equal, 0 different, 0 not comparable" in said.out
    assert f"was made by {EARLIER}; here and now it would be" in said.out
    one, checkpoints = begun.trials[0], Store(begun.place).checkpoints
    kept = checkpoints.load(one, ENGINE.numerics_id(one))
    assert kept is not None
    assert kept.update == BUDGET
    further = train(one, budget=2 * BUDGET, engine=ENGINE, checkpoint=checkpoints)
    assert further == train(one, budget=2 * BUDGET, engine=ENGINE)


def test_the_next_run_says_that_the_numerics_are_the_same(begun: Chosen) -> None:
    work, log = plan_of(begun), Store(begun.place).attempts
    assert (
        "the numerics have changed"
        in changes(work, events(log), {ENGINE.numerics_id(work.trials[0])}, None)[0]
    )
    assert verify_and_adopt() == 0
    assert changes(work, events(log), {ENGINE.numerics_id(work.trials[0])}, None) == []
    assert (
        "the numerics have changed"
        in changes(work, events(log), {"fused_cpu-later"}, None)[0]
    )


def test_what_was_adopted_twice_is_the_same_thrice() -> None:
    log = [
        {"event": "session", "numerics_id": "a"},
        {"event": "adopted", "earlier": "a", "numerics_id": "b"},
        {"event": "adopted", "earlier": "b", "numerics_id": "c"},
    ]
    work = plan_of(resolve(Selection(experiment="figure7", results="/nonexistent")))
    assert changes(work, log, {"c"}, None) == []
    assert changes(work, log[::2], {"c"}, None)


def test_one_unequal_trial_adopts_nothing(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    store, one = Store(begun.place), begun.trials[0]
    forget(store)
    forged = replace(result(one, BUDGET), engine="fused_cpu", numerics_id=EARLIER)
    store.commit([(one, forged)])
    before = store.checkpoints.files.read(name_of(one))
    assert verify_and_adopt() == 2
    said = capsys.readouterr().err
    assert (
        f"Nothing is adopted: 1 of 1 trials came out otherwise, first {one.trial_id}"
        in said
    )
    assert store.checkpoints.files.read(name_of(one)) == before


def test_where_nothing_is_of_other_numerics_it_is_said(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_and_adopt() == 0
    store, one = Store(begun.place), begun.trials[0]
    forget(store)
    store.commit([(one, train(one, budget=BUDGET, engine=ENGINE))])
    assert verify_and_adopt() == 2
    assert "made by the numerics of today" in capsys.readouterr().err


def test_damaged_and_missing_checkpoints_are_left_to_the_next_run(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Store(begun.place).checkpoints.files
    first, second, *_ = begun.trials
    files.replace(name_of(first), b"torn")
    files.remove(name_of(second))
    assert verify_and_adopt(sample=1) == 0
    told = f"{len(begun.trials) - 2} checkpoints of earlier numerics were adopted"
    assert told in capsys.readouterr().err
    assert files.read(name_of(first)) == b"torn"
