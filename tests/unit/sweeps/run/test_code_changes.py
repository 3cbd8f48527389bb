"""Before a run goes on, it says what has changed since the sweep began."""

from pathlib import Path

from made_up_events import session
from small import result, store, trial

from sweeps.plan.plan import Plan, plan
from sweeps.run.code_changes import changes
from sweeps.store.events import Adopted

TRIALS = [trial(seed) for seed in range(4)]


def work(tmp_path: Path, made_by: str = "plain-1", budget: int = 20) -> Plan:
    kept = store(tmp_path)
    kept.commit([(each, result(each, 20, numerics_id=made_by)) for each in TRIALS[:3]])
    return plan(TRIALS, kept.standings(), budget)


def test_nothing_is_said_where_nothing_has_changed(tmp_path: Path) -> None:
    found = work(tmp_path)
    assert changes(found, [session("plain-1")], {"plain-1"}, "a" * 40) == []
    assert changes(found, [], {"plain-1"}, "a" * 40) == []
    assert changes(plan(TRIALS, {}, 20), [], {"plain-1"}, None) == []


def test_other_numerics_of_results_are_counted_and_named(tmp_path: Path) -> None:
    (said,) = changes(work(tmp_path, budget=40), [], {"plain-2"}, "a" * 40)
    assert "before plain-1, now plain-2" in said
    assert "3 of 3 results" in said
    assert "3 trials with a result at a smaller budget" in said
    (said,) = changes(work(tmp_path, budget=20), [], {"plain-2"}, "a" * 40)
    assert "0 trials with a result at a smaller budget" in said


def test_other_numerics_of_a_run_without_results_are_named() -> None:
    empty = plan(TRIALS, {}, 20)
    (said,) = changes(empty, [session("plain-1")], {"plain-2"}, "a" * 40)
    assert "before plain-1, now plain-2. 0 of 0 results" in said


def test_another_commit_with_the_same_numerics_is_said(tmp_path: Path) -> None:
    before = [session("plain-1", commit=each * 40) for each in "ba"]
    (said,) = changes(work(tmp_path), before, {"plain-1"}, "c" * 40)
    assert "commit aaaaaaaaaaaa, now cccccccccccc" in said
    assert "stay comparable" in said
    assert changes(work(tmp_path), [session("plain-1")], {"plain-1"}, "c" * 40) == []


def test_all_numerics_of_a_run_are_its_own(tmp_path: Path) -> None:
    found, before = work(tmp_path), [session("plain-1", "plain-2"), session("plain-2")]
    assert changes(found, before, ["plain-2", "plain-1"], None) == []
    (said,) = changes(found, before, ["plain-3", "plain-2"], None)
    assert "before plain-1, now plain-2, plain-3. 3 of 3 results" in said


def test_numerics_adopted_into_one_of_a_run_are_its_own(tmp_path: Path) -> None:
    adopted = Adopted(earlier="plain-1", numerics_id="plain-2", checkpoints=3)
    ours = ["plain-3", "plain-2"]
    assert changes(work(tmp_path), [adopted], ours, None) == []
    (said,) = changes(work(tmp_path), [adopted], ["plain-3"], None)
    assert "before plain-1, now plain-3" in said
