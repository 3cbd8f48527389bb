"""The events of a log of attempts: one class for each kind, and its line of JSON.

Only this module knows the JSON. A line is read in full or left out: see `from_line`.
"""

import dataclasses
import functools
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args, get_origin, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Header:
    """What all events have: when and where they were recorded, as `Attempts.record` sets it."""

    kind: ClassVar[str]
    """The value of `event` in the JSON."""

    time: str = ""
    """In UTC, ISO 8601."""
    run: int = 0
    """Number of the run, from 1."""
    host: str = ""
    pid: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the event as JSON has it; an optional field that is None is left out."""
        written = {
            each.name: _to_json(value)
            for each in dataclasses.fields(self)
            if (value := getattr(self, each.name)) is not None or each.default is not None
        }
        return {"time": self.time, "event": self.kind} | written


@dataclass(frozen=True, kw_only=True)
class OfTrial(Header):
    """What all events of one trial have."""

    trial_id: str
    pack: str | None = None
    """The `pack_id`; None where the driver, not a worker, recorded the event."""


@dataclass(frozen=True, kw_only=True)
class Session(Header):
    """A run began."""

    kind = "session"

    experiment: str
    """Its name, or the path of its file."""
    budget: int
    argv: tuple[str, ...]
    numerics_ids: tuple[str, ...]
    """Of all the numerics that the run trains with; older logs have one, `numerics_id`."""
    machine: str
    system: str
    python: str
    libc: str
    cpus: int | None
    versions: Mapping[str, str | None]
    """By package; None where it is not installed."""
    commit: str | None


@dataclass(frozen=True, kw_only=True)
class Started(OfTrial):
    """A worker began to train a trial, or to go on with it."""

    kind = "started"


@dataclass(frozen=True, kw_only=True)
class Restarted(OfTrial):
    """A trial starts from its first update, though it had a checkpoint."""

    kind = "restarted"

    reason: str
    """Why the checkpoint cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Finished(OfTrial):
    """An attempt at a trial gave a result."""

    kind = "finished"

    outcome: str
    updates: int
    """Of the result."""
    made: int
    """Updates made by this attempt: fewer where it went on from a checkpoint."""
    seconds: float
    numerics_id: str


@dataclass(frozen=True, kw_only=True)
class Failed(OfTrial):
    """An attempt at a trial crashed, or its worker died."""

    kind = "failed"

    error: str
    """The exception, or what killed the worker."""
    traceback: str


@dataclass(frozen=True, kw_only=True)
class Printed(OfTrial):
    """What a trial's trainer printed."""

    kind = "printed"

    text: str


@dataclass(frozen=True, kw_only=True)
class Ended(Header):
    """A run ended, with the efficiency that it had (`sweeps.monitor.efficiency`)."""

    kind = "ended"

    update_s: float
    check_s: float
    worker_s: float


@dataclass(frozen=True, kw_only=True)
class Adopted(Header):
    """Checkpoints of earlier numerics go on under those of today, which give equal bits."""

    kind = "adopted"

    earlier: str
    """The earlier numerics id."""
    numerics_id: str
    checkpoints: int
    """How many."""


AttemptEvent = Started | Restarted | Finished | Failed
"""Begins or ends an attempt at a trial."""
TrialEvent = AttemptEvent | Printed
Event = Session | Ended | Adopted | TrialEvent

KINDS: dict[str, type[Event]] = {each.kind: each for each in get_args(Event)}


def to_line(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    return json.dumps(event.as_json()).encode() + b"\n"


def from_line(line: bytes) -> Event | None:
    """Parse one line of a log.

    Keys that a later version may have added are ignored. A field with a default takes it
    where it is missing or of another type.

    Returns:
        The event, or None where the line is torn, its kind is unknown, or a field without
        a default is missing or of another type.
    """
    try:
        facts: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(facts, dict):
        return None
    kind = KINDS.get(str(facts.get("event")))
    return _parsed(kind, _renewed(facts)) if kind else None


def _parsed(kind: type[Event], facts: dict[str, Any]) -> Event | None:
    required, hints = _fields(kind)
    valid = {
        name: _from_json(facts[name])
        for name, hint in hints.items()
        if name in facts and _is_a(hint, facts[name])
    }
    return kind(**valid) if required <= valid.keys() else None


def _renewed(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a session of an older version, with its one `numerics_id`, as today's."""
    return {"numerics_ids": [facts.get("numerics_id")], **facts}


@functools.cache
def _fields(kind: type[Event]) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the names of the fields without a default, and the type of each field."""
    found, hints = dataclasses.fields(kind), get_type_hints(kind)
    required = (each.name for each in found if each.default is dataclasses.MISSING)
    return frozenset(required), {each.name: hints[each.name] for each in found}


def _is_a(hint: Any, value: Any) -> bool:
    """Say whether a value of JSON is of the type of a field."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return any(_is_a(each, value) for each in args)
    if origin is tuple:
        return isinstance(value, list) and all(_is_a(args[0], each) for each in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(_is_a(args[1], v) for v in value.values())
    return type(value) in ((float, int) if hint is float else (hint,))  # True is no number


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _to_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
