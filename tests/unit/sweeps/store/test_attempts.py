"""The log of attempts: each process writes its own file; the last attempt counts."""

import json
from pathlib import Path

from sweeps.run.provenance import circumstances
from sweeps.storage.folder import Folder
from sweeps.store.attempts import Attempts, events, failures, restarted


def test_events_are_given_by_time_over_all_processes(tmp_path: Path) -> None:
    first, second = (
        Attempts(Folder(tmp_path), name=name) for name in ("a.jsonl", "b.jsonl")
    )
    for log, name in ((second, "1"), (first, "2"), (second, "3")):
        log.record("started", trial_id=name)
    told = [event["trial_id"] for event in events(Folder(tmp_path))]
    assert sorted(told) == ["1", "2", "3"]
    times = [event["time"] for event in events(Folder(tmp_path))]
    assert times == sorted(times)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_line_torn_by_a_crash_is_left_out(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path / "new folder"))
    log.record("started", trial_id="a")
    with (tmp_path / "new folder" / log.name).open("ab") as file:
        file.write(b'{"event": "finished", "tri\xff\n[]\nnull\n{"time": "x"}\n')
    log.record("finished", trial_id="b")
    assert [e["event"] for e in events(log.place)] == ["started", "finished"]


def test_a_trial_has_failed_where_its_last_attempt_did(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path), name="a.jsonl")
    lines = [
        {"time": f"2026-01-01T00:00:0{second}", "event": event, "trial_id": name}
        for second, (event, name) in enumerate(
            [
                ("failed", "mended"),
                ("started", "lost"),
                ("failed", "lost"),
                ("started", "mended"),
                ("finished", "mended"),
            ]
        )
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / log.name).write_text(text)
    assert list(failures(Folder(tmp_path))) == ["lost"]


def test_what_was_printed_says_nothing_of_how_it_went(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    for event in ("started", "failed", "printed"):
        log.record(event, trial_id="a")
    assert list(failures(Folder(tmp_path))) == ["a"]


def test_only_the_last_sessions_restarts_are_told(tmp_path: Path) -> None:
    log = Attempts(Folder(tmp_path))
    log.record("session")
    log.record("restarted", trial_id="before")
    log.record("session")
    assert restarted(Folder(tmp_path)) == []
    log.record("restarted", trial_id="now")
    assert restarted(Folder(tmp_path)) == ["now"]


def test_no_folder_has_no_events(tmp_path: Path) -> None:
    assert list(events(Folder(tmp_path / "none"))) == []
    assert failures(Folder(tmp_path / "none")) == {}


def test_circumstances_can_be_written_as_json_and_name_the_versions() -> None:
    found = json.loads(json.dumps(circumstances()))
    assert found["versions"]["torch"]
    assert found["python"].startswith("3.")
