"""What packs report reaches the tracker; a pack that is given up costs the trial that ran."""

from pathlib import Path

import pytest
from made_up_events import failed, finished, session
from small import result, store, trial

from sweeps.monitor.tracker import Tracker
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.run.interrupt import StopRequest
from sweeps.run.listener import RunListener, running_trial
from sweeps.store.attempts import Attempts, failed_trials
from sweeps.store.events import Event, Restarted, Started
from sweeps.worker.progress import Progress

LEFT = [trial(0), trial(1), trial(2)]


def happened(*words: str) -> list[Event]:
    """Write events in short: "started 1" is of trial 1."""
    found: list[Event] = []
    for kind, _, seed in (each.partition(" ") for each in words):
        name = trial(int(seed or 0)).trial_id
        made: dict[str, Event] = {
            "session": session(),
            "started": Started(trial_id=name),
            "restarted": Restarted(trial_id=name, reason="damaged"),
            "finished": finished(name),
            "failed": failed(name),
        }
        found.append(made[kind])
    return found


@pytest.mark.parametrize(
    ("running", "words"),
    [
        (0, ["session"]),
        (0, ["session", "started 0"]),
        (1, ["session", "started 0", "finished 0", "started 1"]),
        (1, ["session", "started 0", "finished 0", "started 1", "restarted 1"]),
        (2, ["session", "started 1", "failed 1", "started 2", "started 7"]),
        (0, ["session", "started 2", "session"]),
        (1, ["started 2", "session", "started 1"]),
        (1, ["session", "started 2", "started 1"]),
        (0, ["session", "started 0", "finished 0"]),
    ],
)
def test_the_trial_begun_last_in_this_session_and_not_ended_is_running_trial(
    running: int, words: list[str]
) -> None:
    assert running_trial(LEFT, happened(*words)) == LEFT[running]


@pytest.fixture
def listener(tmp_path: Path) -> RunListener:
    """Of a run with one pack of three trials."""
    kept = store(tmp_path)
    work = plan(LEFT, {}, 20)
    tracker = Tracker(work, packs(work, 3), "small", cpus=1)
    return RunListener(tracker, kept, Attempts(kept.attempts, 1), StopRequest())


def test_a_report_reaches_the_tracker(listener: RunListener) -> None:
    listener.report(1, Progress(LEFT[0].trial_id, update=10, made=10))
    assert listener.tracker.updates == 10
    assert not listener.asked()


def test_a_pack_that_can_keep_nothing_any_more_stops_the_run(listener: RunListener) -> None:
    listener.report(1, Progress(halted="the disk is full"))
    assert listener.asked()
    assert listener.stop.halted == "the disk is full"
    listener.report(1, Progress(halted="still full"))
    assert listener.stop.halted == "the disk is full"


def test_of_a_pack_that_is_given_up_the_trial_that_ran_has_failed(
    listener: RunListener,
) -> None:
    for event in happened("session", "started 0", "finished 0", "started 1"):
        listener.attempts.record(event)
    listener.gave_up(1, "killed", "Traceback: killed")
    found = failed_trials(listener.store.attempts)
    assert list(found) == [LEFT[1].trial_id]
    last = found[LEFT[1].trial_id].last
    assert (last.error, last.traceback) == ("killed", "Traceback: killed")


def test_trials_that_have_a_result_are_never_the_ones_that_failed(
    listener: RunListener,
) -> None:
    listener.store.commit([(LEFT[0], result(LEFT[0], 20))])
    listener.store.commit([(LEFT[1], result(LEFT[1], 10))])
    listener.gave_up(1, "killed", "")
    assert list(failed_trials(listener.store.attempts)) == [LEFT[1].trial_id]


def test_nobody_has_failed_where_all_have_a_result(listener: RunListener) -> None:
    listener.store.commit([(each, result(each, 20)) for each in LEFT])
    listener.gave_up(1, "killed", "")
    assert failed_trials(listener.store.attempts) == {}


def test_a_store_that_cannot_be_read_when_a_pack_is_given_up_stops_the_run(
    listener: RunListener,
) -> None:
    """Two results of one trial contradict each other."""
    listener.store.commit([(each, result(each, 10, loss=1.0)) for each in LEFT[:2]])
    listener.store.commit([(LEFT[0], result(LEFT[0], 10, loss=2.0))])
    listener.gave_up(1, "killed", "")
    assert listener.asked()
