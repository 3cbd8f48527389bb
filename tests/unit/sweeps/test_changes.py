"""Before a run goes on, it says what has changed since the sweep began."""

from pathlib import Path

from small import result, store, trial

from sweeps.changes import changes
from sweeps.plan import Plan, plan

TRIALS = [trial(seed) for seed in range(4)]


def session(numerics_id: str, commit: str | None = "a" * 40) -> dict[str, object]:
    return {"event": "session", "numerics_id": numerics_id, "commit": commit}


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
    before = [session("plain-1", "b" * 40), session("plain-1", "a" * 40)]
    (said,) = changes(work(tmp_path), before, {"plain-1"}, "c" * 40)
    assert "commit aaaaaaaaaaaa, now cccccccccccc" in said
    assert "stay comparable" in said
    assert changes(work(tmp_path), [session("plain-1", None)], {"plain-1"}, "c" * 40) == []


def test_a_run_of_some_tasks_after_one_of_all_is_no_change() -> None:
    empty = plan(TRIALS, {}, 20)
    before = [{"event": "session", "numerics_ids": ["plain-1", "plain-2"]}]
    assert changes(empty, before, {"plain-1"}, None) == []
    (said,) = changes(empty, before, {"plain-3"}, None)
    assert "before plain-1, plain-2, now plain-3" in said
