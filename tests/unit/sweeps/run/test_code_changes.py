"""Before a run continues a sweep, it reports what has changed since the sweep began."""

import itertools
import json
from pathlib import Path

from made_up_events import session
from small import result, store, trial

from sweeps.plan.plan import Plan, plan
from sweeps.run.code_changes import changes
from sweeps.store.events import Adopted, Session, from_line

TRIALS = [trial(seed) for seed in range(4)]


def now(*numerics_ids: str) -> dict[str, str]:
    """Of each trial; of several ids, each in turn."""
    ids = itertools.cycle(numerics_ids)
    return {each.trial_id: name for each, name in zip(TRIALS, ids, strict=False)}


def work(tmp_path: Path, made_by: str = "plain-1", budget: int = 20) -> Plan:
    kept = store(tmp_path)
    kept.commit([(each, result(each, 20, numerics_id=made_by)) for each in TRIALS[:3]])
    return plan(TRIALS, kept.standings(), budget)


def test_nothing_is_said_where_nothing_has_changed(tmp_path: Path) -> None:
    found = work(tmp_path)
    assert (
        changes(found, [session("plain-1", commit="a" * 40)], now("plain-1"), "a" * 40)
        == []
    )
    assert changes(found, [], now("plain-1"), "a" * 40) == []
    assert changes(plan(TRIALS, {}, 20), [], now("plain-1"), None) == []


def test_other_numerics_of_results_are_counted_and_named(tmp_path: Path) -> None:
    (said,) = changes(work(tmp_path, budget=40), [], now("plain-2"), "a" * 40)
    assert "before plain-1, now plain-2" in said
    assert "3 of 3 results" in said
    assert "3 trials with a result at a smaller budget" in said
    (said,) = changes(work(tmp_path, budget=20), [], now("plain-2"), "a" * 40)
    assert "0 trials with a result at a smaller budget" in said


def test_other_numerics_of_a_run_without_results_are_named() -> None:
    empty = plan(TRIALS, {}, 20)
    (said,) = changes(empty, [session("plain-1")], now("plain-2"), "a" * 40)
    assert "before plain-1, now plain-2. 0 of 0 results" in said


def test_another_commit_with_the_same_numerics_is_said(tmp_path: Path) -> None:
    before = [session("plain-1", commit="b" * 40), session("plain-1", commit="a" * 40)]
    (said,) = changes(work(tmp_path), before, now("plain-1"), "c" * 40)
    assert "commit aaaaaaaaaaaa, now cccccccccccc" in said
    assert "remain comparable" in said
    assert changes(work(tmp_path), [session("plain-1")], now("plain-1"), "c" * 40) == []


def test_a_log_of_before_with_one_numerics_id_a_run_is_understood() -> None:
    line = json.dumps(session().as_json() | {"numerics_id": "plain-1"})
    old = from_line(line.replace("numerics_ids", "something_else").encode())
    assert isinstance(old, Session)
    before = [old]
    empty = plan(TRIALS, {}, 20)
    assert changes(empty, before, now("plain-1"), "a" * 40) == []
    (said,) = changes(empty, before, now("plain-2"), "a" * 40)
    assert "before plain-1, now plain-2" in said


def test_trials_whose_code_differs_are_each_compared_with_their_own(tmp_path: Path) -> None:
    """As in an experiment with several tasks: each task has numerics of its own."""
    kept, ids = store(tmp_path), now("plain-1", "plain-2")
    kept.commit([(t, result(t, 20, numerics_id=ids[t.trial_id])) for t in TRIALS[:3]])
    found = plan(TRIALS, kept.standings(), 40)
    assert changes(found, [session("plain-1", "plain-2")], ids, "a" * 40) == []
    assert changes(found, [session("plain-2")], ids, "a" * 40) == []
    (said,) = changes(found, [session("plain-1", "plain-2")], now("plain-1"), "a" * 40)
    assert "before plain-2, now plain-1. 1 of 3 results" in said
    assert "1 trials with a result at a smaller budget" in said


def test_the_numerics_of_two_trials_that_changed_places_are_no_longer_the_same(
    tmp_path: Path,
) -> None:
    kept, ids = store(tmp_path), now("plain-1", "plain-2")
    kept.commit([(t, result(t, 20, numerics_id=ids[t.trial_id])) for t in TRIALS])
    found = plan(TRIALS, kept.standings(), 20)
    (said,) = changes(found, [], now("plain-2", "plain-1"), None)
    assert "4 of 4 results" in said


def test_numerics_that_were_adopted_are_the_same(tmp_path: Path) -> None:
    adopted = Adopted(earlier="plain-1", numerics_id="plain-2", checkpoints=1)
    again = Adopted(earlier="plain-2", numerics_id="plain-3", checkpoints=1)
    events = [session("plain-1"), adopted, again]
    assert changes(work(tmp_path), events, now("plain-3"), "a" * 40) == []
    assert changes(work(tmp_path / "b"), [session("plain-1"), again], now("plain-3"), None)
