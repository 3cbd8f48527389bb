"""The log of attempts: each process writes its own file; the last attempt counts."""

import dataclasses
import json
import os
import socket
from pathlib import Path

from made_up_events import failed, finished, session

from sweeps.run.provenance import circumstances
from sweeps.storage.folder import Folder
from sweeps.store.attempts import (
    Attempts,
    failed_trials,
    next_run,
    read_events,
    restarted_trials,
)
from sweeps.store.events import Printed, Restarted, Started


def test_events_are_given_by_time_over_all_processes(tmp_path: Path) -> None:
    first, second = (
        Attempts(Folder(tmp_path), name=name) for name in ("a.jsonl", "b.jsonl")
    )
    for log, name in ((second, "1"), (first, "2"), (second, "3")):
        log.record(Started(trial_id=name))
    found = read_events(Folder(tmp_path))
    assert {each.trial_id for each in found if isinstance(each, Started)} == {"1", "2", "3"}
    times = [event.time for event in found]
    assert times == sorted(times)
    assert len(list(tmp_path.iterdir())) == 2


def test_events_are_given_by_run_before_time(tmp_path: Path) -> None:
    for run, time in ((2, "2026"), (1, "2031"), (1, "2030")):
        line = json.dumps({**Started(trial_id="a").as_json(), "run": run, "time": time})
        Folder(tmp_path).append("a.jsonl", line.encode() + b"\n")
    found = [(each.run, each.time) for each in read_events(Folder(tmp_path))]
    assert found == [(1, "2030"), (1, "2031"), (2, "2026")]


def test_an_event_is_recorded_with_run_time_host_and_process(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path), run=3)
    log.record(Started(trial_id="a", pack="p"))
    (found,) = read_events(log.place)
    assert (found.run, found.host, found.pid) == (3, socket.gethostname(), os.getpid())
    assert found.time.endswith("+00:00")
    assert found == Started(
        trial_id="a", pack="p", time=found.time, run=3, host=found.host, pid=found.pid
    )


def test_runs_are_numbered_from_one(tmp_path: Path) -> None:
    assert next_run([]) == 1
    log = Attempts(Folder(tmp_path), run=4)
    log.record(session())
    assert next_run(read_events(log.place)) == 5


def test_a_line_torn_by_a_crash_is_left_out(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path / "new folder"))
    log.record(Started(trial_id="a"))
    with (tmp_path / "new folder" / log.name).open("ab") as file:
        file.write(b'{"event": "finished", "tri\xff\n[]\nnull\n{"time": "x"}\n')
    log.record(finished("b"))
    assert [each.kind for each in read_events(log.place)] == ["started", "finished"]


def test_a_trial_has_failed_where_its_last_attempt_did(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    for event in (
        failed("fixed"),
        failed("lost", "RuntimeError: water"),
        Started(trial_id="lost"),
        failed("lost"),
        Started(trial_id="fixed"),
        finished("fixed"),
    ):
        log.record(event)
    found = failed_trials(Folder(tmp_path))
    assert list(found) == ["lost"]
    assert (found["lost"].last.error, found["lost"].times) == ("RuntimeError: fire", 2)


def test_what_a_trial_printed_does_not_hide_that_it_failed(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    log.record(failed("a"))
    log.record(Printed(trial_id="a", text="the last words"))
    assert list(failed_trials(Folder(tmp_path))) == ["a"]


def test_only_the_last_sessions_restarts_are_given(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    log.record(session())
    log.record(Restarted(trial_id="before", reason="torn"))
    log.record(session())
    assert restarted_trials(Folder(tmp_path)) == []
    log.record(Restarted(trial_id="now", reason="torn"))
    assert restarted_trials(Folder(tmp_path)) == ["now"]


def test_no_folder_has_no_events(tmp_path: Path) -> None:
    assert read_events(Folder(tmp_path / "none")) == []
    assert failed_trials(Folder(tmp_path / "none")) == {}


def test_circumstances_can_be_written_as_json_and_name_the_versions() -> None:
    found = json.loads(json.dumps(circumstances()))
    assert found["versions"]["torch"]
    assert found["python"].startswith("3.")


def test_a_session_is_read_with_the_circumstances_of_here(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    log.record(dataclasses.replace(session(), **circumstances()))
    (found,) = read_events(log.place)
    assert circumstances().items() <= found.as_json().items()
