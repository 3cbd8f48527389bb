"""An adopted checkpoint of earlier numerics is resumed, but only after equal bits were verified."""

from dataclasses import replace
from pathlib import Path

import pytest
from commands import write_experiment
from made_up_events import session
from small import RECURRENT, result

from rnnlab import Trial
from sweeps.cli import call
from sweeps.maintenance.adopt_checkpoints import adopt
from sweeps.maintenance.retrain import Verified
from sweeps.plan.plan import plan_of
from sweeps.run.code_changes import changes
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.store.attempts import read_events
from sweeps.store.checkpoints import Checkpoints, Position, name_of
from sweeps.store.events import Adopted
from sweeps.store.result import Result
from sweeps.store.store import Store
from sweeps.worker.training import result_of, training

TRAINER = RECURRENT.described.trainer("fused_cpu", "cpu")
EARLIER = "fused_cpu-earlier"
BUDGET = 400


def last_position(
    one: Trial, budget: int = BUDGET, checkpoints: Checkpoints | None = None
) -> Position:
    *_, last = training(one, budget=budget, trainer=TRAINER, checkpoints=checkpoints)
    return last


def trained(
    one: Trial, budget: int = BUDGET, checkpoints: Checkpoints | None = None
) -> Result:
    return result_of(one, last_position(one, budget, checkpoints), TRAINER, budget)


def ours(chosen: Chosen) -> str:
    return TRAINER.numerics_id(chosen.trials[0])


def all_of(chosen: Chosen, numerics_id: str) -> dict[str, str]:
    """The current numerics, the same for each trial."""
    return dict.fromkeys((one.trial_id for one in chosen.trials), numerics_id)


def forget(store: Store) -> None:
    for parts in (store.parts, store.history_parts):
        for name in parts.names():
            parts.place.remove(name)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Trials that earlier code trained, to the same bits; all have checkpoints."""
    monkeypatch.chdir(write_experiment(tmp_path, budget=BUDGET).path)
    chosen = resolve(Selection(experiment="./small.py"))
    store = chosen.store
    for one in chosen.trials:
        position = last_position(one)
        made = replace(result_of(one, position, TRAINER, BUDGET), numerics_id=EARLIER)
        store.commit([(one, made)])
        store.checkpoints.save(one.trial_id, EARLIER, position)
    return chosen


def verify_and_adopt(sample: int = 100) -> int:
    return call(["verify", "./small.py", "--sample", str(sample), "--cpus", "1", "--adopt"])


def test_adopted_checkpoints_are_resumed_to_the_same_bits(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_and_adopt() == 0
    count = len(begun.trials)
    said = capsys.readouterr()
    assert f"{count} checkpoints of earlier numerics were adopted" in said.err
    assert f"{count} equal, 0 different, 0 not comparable" in said.out
    assert f"was made by {EARLIER}; the current id is" in said.out
    one, checkpoints = begun.trials[0], begun.store.checkpoints
    kept = checkpoints.load(one.trial_id, ours(begun))
    assert kept is not None
    assert kept.update == BUDGET
    further = trained(one, 2 * BUDGET, checkpoints)
    assert further == trained(one, 2 * BUDGET)


def test_the_next_run_says_that_the_numerics_are_the_same(begun: Chosen) -> None:
    work, log = plan_of(begun), begun.store.attempts
    assert (
        "the numerics have changed"
        in changes(work, read_events(log), all_of(begun, ours(begun)), None)[0]
    )
    assert verify_and_adopt() == 0
    assert changes(work, read_events(log), all_of(begun, ours(begun)), None) == []
    assert (
        "the numerics have changed"
        in changes(work, read_events(log), all_of(begun, "fused_cpu-later"), None)[0]
    )


def test_adoption_is_transitive() -> None:
    log = [
        session("a"),
        Adopted(earlier="a", numerics_id="b", checkpoints=1),
        Adopted(earlier="b", numerics_id="c", checkpoints=1),
    ]
    chosen = resolve(Selection(experiment="figure7", results="/nonexistent"))
    work, now = plan_of(chosen), all_of(chosen, "c")
    assert changes(work, log, now, None) == []
    assert changes(work, log[::2], now, None)


def test_one_unequal_trial_adopts_nothing(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    store, one = begun.store, begun.trials[0]
    forget(store)
    forged = replace(result(one, BUDGET), engine="fused_cpu", numerics_id=EARLIER)
    store.commit([(one, forged)])
    before = store.checkpoints.files.read(name_of(one.trial_id))
    assert verify_and_adopt() == 2
    said = capsys.readouterr().err
    assert (
        f"Nothing is adopted: 1 of 1 trials have other results, first {one.trial_id}"
        in said
    )
    assert store.checkpoints.files.read(name_of(one.trial_id)) == before


def test_results_of_the_current_numerics_alone_leave_nothing_to_adopt(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    store, one = begun.store, begun.trials[0]
    forget(store)
    store.commit([(one, trained(one))])
    assert verify_and_adopt() == 2
    assert "made by the current numerics" in capsys.readouterr().err


def test_an_earlier_checkpoint_that_is_merged_after_its_numerics_were_adopted_is_adopted(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one merged from another machine; all rows may have the current id by then."""
    assert verify_and_adopt() == 0
    store, one = begun.store, begun.trials[0]
    forget(store)
    store.commit([(one, trained(one))])
    store.checkpoints.save(one.trial_id, EARLIER, last_position(one))
    assert capsys.readouterr()
    assert verify_and_adopt() == 0
    assert "1 checkpoints of earlier numerics were adopted" in capsys.readouterr().err


def test_a_second_adoption_says_that_all_are_adopted_already_and_writes_nothing(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_and_adopt() == 0
    log = begun.store.attempts
    before = read_events(log)
    capsys.readouterr()
    assert verify_and_adopt() == 0
    said = capsys.readouterr().err
    count = len(begun.trials)
    assert f"adopted already: {count} checkpoints have the current numerics id" in said
    assert read_events(log) == before


def test_ids_of_two_tasks_are_never_adopted_into_each_other(begun: Chosen) -> None:
    """One earlier id has become two, as where an id is of a task and was of all."""
    of_two = [Verified("a", "equal", (), EARLIER, each) for each in ("task-1", "task-2")]
    log = begun.store.attempts
    adopt(begun, of_two)
    before = read_events(log)
    assert {e.earlier for e in before if isinstance(e, Adopted)} == {EARLIER}
    adopt(begun, of_two)
    assert read_events(log) == before


def test_without_checkpoints_there_is_nothing_to_adopt(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    files = begun.store.checkpoints.files
    for name in files.names():
        files.remove(name)
    assert verify_and_adopt(sample=1) == 0
    assert "there are no checkpoints to adopt" in capsys.readouterr().err


def test_damaged_and_missing_checkpoints_are_left_to_the_next_run(
    begun: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    files = begun.store.checkpoints.files
    first, second, *_ = begun.trials
    files.replace(name_of(first.trial_id), b"torn")
    files.remove(name_of(second.trial_id))
    assert verify_and_adopt(sample=1) == 0
    said = f"{len(begun.trials) - 2} checkpoints of earlier numerics were adopted"
    assert said in capsys.readouterr().err
    assert files.read(name_of(first.trial_id)) == b"torn"
