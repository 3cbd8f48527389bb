"""Events are read as they were written; unreadable ones are skipped without an error."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_events import failed, finished, session

from sweeps.store.events import (
    KINDS,
    Adopted,
    Ended,
    Event,
    Finished,
    Printed,
    Restarted,
    Session,
    Started,
    from_line,
    to_line,
)

RESULTS = Path(__file__).parents[4] / "results"
ADOPTED = Adopted(earlier="plain-1", numerics_id="plain-2", checkpoints=3)
EXAMPLES: list[Event] = [
    session("plain-1", "fused_cpu-2", commit="a" * 40),
    Started(trial_id="a", pack="p"),
    Restarted(trial_id="a", pack="p", reason="torn"),
    finished("a"),
    failed("a"),
    Printed(trial_id="a", pack="p", text="update 1\nupdate 2\n"),
    Ended(update_s=1.5, check_s=0.5, worker_s=4.0),
    ADOPTED,
]


def line(event: Event, /, **changed: Any) -> bytes:
    """Write an event with some keys of its JSON changed."""
    return json.dumps(event.as_json() | changed).encode()


def without(event: Event, key: str) -> bytes:
    return json.dumps({k: v for k, v in event.as_json().items() if k != key}).encode()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda each: each.kind)
def test_every_kind_is_read_as_it_was_written(event: Event) -> None:
    recorded = dataclasses.replace(event, time="2026", run=2, host="vm", pid=7)
    assert from_line(to_line(recorded)) == recorded
    assert json.loads(to_line(recorded)) == recorded.as_json()
    assert to_line(recorded).count(b"\n") == 1


def test_every_kind_has_an_example() -> None:
    assert {each.kind for each in EXAMPLES} == set(KINDS)


def test_every_line_of_the_committed_logs_is_read_in_full() -> None:
    logs = sorted(RESULTS.glob("*/attempts/*.jsonl"))
    assert len(logs) > 20
    for each in (line for log in logs for line in log.read_bytes().splitlines()):
        event, facts = from_line(each), json.loads(each)
        assert event is not None, each
        if isinstance(event, Session) and "numerics_id" in facts:
            facts["numerics_ids"] = [facts.pop("numerics_id")]
        assert event.as_json() == facts


def test_the_one_numerics_id_of_an_older_session_becomes_a_tuple_of_one() -> None:
    facts = session().as_json()
    del facts["numerics_ids"]
    read = from_line(json.dumps(facts | {"numerics_id": "plain-1"}).encode())
    assert isinstance(read, Session)
    assert read.numerics_ids == ("plain-1",)


def test_a_line_has_the_keys_that_logs_have_always_had() -> None:
    assert list(Started(trial_id="a", pack="p").as_json()) == [
        *("time", "event", "run", "host", "pid"),
        *("trial_id", "pack"),
    ]
    assert list(session().as_json())[5:] == [
        *("experiment", "budget", "argv", "numerics_ids", "machine", "system"),
        *("python", "libc", "cpus", "versions", "commit"),
    ]


def test_a_pack_that_is_not_known_is_left_out_and_a_commit_is_null() -> None:
    assert "pack" not in failed("a").as_json()
    assert session(commit=None).as_json()["commit"] is None


def test_keys_of_later_versions_are_ignored() -> None:
    assert from_line(line(ADOPTED, later={"a": [1]})) == ADOPTED


@pytest.mark.parametrize("key", ["time", "run", "host", "pid", "pack"])
def test_a_damaged_optional_field_takes_its_default(key: str) -> None:
    event = Started(trial_id="a", pack="p", time="2026", run=3, host="vm", pid=7)
    default = dataclasses.replace(event, **{key: getattr(Started(trial_id="a"), key)})
    assert from_line(line(event, **{key: [None]})) == default
    assert from_line(without(event, key)) == default


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda each: each.kind)
def test_a_line_with_a_damaged_or_missing_required_field_is_left_out(event: Event) -> None:
    for each in dataclasses.fields(event):
        if each.default is dataclasses.MISSING:
            assert from_line(line(event, **{each.name: [None]})) is None, each.name
            assert from_line(without(event, each.name)) is None, each.name


@pytest.mark.parametrize(
    "changed",
    [
        {"made": True},
        {"made": 1.5},
        {"made": "20"},
        {"seconds": None},
        {"trial_id": 5},
        {"event": "later"},
        {"event": ["finished"]},
        {"event": None},
    ],
    ids=str,
)
def test_values_of_another_type_are_not_converted(changed: dict[str, Any]) -> None:
    assert from_line(line(finished("a"), **changed)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"argv": "small"},
        {"argv": ["small", 1]},
        {"numerics_ids": "plain-1"},
        {"versions": []},
        {"versions": {"torch": 2}},
        {"cpus": "2"},
    ],
    ids=str,
)
def test_the_contents_of_lists_and_mappings_are_checked_too(
    changed: dict[str, Any],
) -> None:
    assert from_line(line(session(), **changed)) is None


def test_a_whole_number_of_seconds_is_read() -> None:
    read = from_line(line(finished("a"), seconds=2))
    assert isinstance(read, Finished)
    assert read.seconds == 2


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"null", b"5", b"{", b"{}", b'"a"'])
def test_a_line_that_is_no_event_is_left_out(text: bytes) -> None:
    assert from_line(text) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    event=st.sampled_from(EXAMPLES),
    changed=st.dictionaries(
        st.sampled_from(sorted({key for each in EXAMPLES for key in each.as_json()})),
        VALUES,
    ),
)
def test_a_changed_line_never_raises(event: Event, changed: dict[str, Any]) -> None:
    read = from_line(line(event, **changed))
    assert read is None or from_line(to_line(read)) is not None


@given(st.binary())
def test_arbitrary_bytes_never_raise(text: bytes) -> None:
    read = from_line(text)
    assert read is None or from_line(to_line(read)) == read


def test_a_line_torn_anywhere_is_left_out() -> None:
    whole = to_line(finished("a")).rstrip()
    assert all(from_line(whole[:length]) is None for length in range(len(whole)))
