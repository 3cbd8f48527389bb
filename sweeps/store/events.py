"""The events of a log of attempts: one class per kind, and its line of JSON.

Only this module knows the JSON. A line is read in full or skipped: see `from_line`.
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
    """Fields of all events: time and origin, set by `Attempts.record`."""

    kind: ClassVar[str]
    """The value of `event` in the JSON."""

    time: str = ""
    """In UTC, ISO 8601."""
    run: int = 0
    """Number of the run, from 1."""
    host: str = ""
    pid: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the event as JSON values, without optional fields that are None."""
        written = {
            each.name: _to_json(value)
            for each in dataclasses.fields(self)
            if (value := getattr(self, each.name)) is not None or each.default is not None
        }
        return {"time": self.time, "event": self.kind} | written


@dataclass(frozen=True, kw_only=True)
class OfTrial(Header):
    """Fields of all events of one trial."""

    trial_id: str
    pack: str | None = None
    """The `pack_id`; None if the driver, not a worker, recorded the event."""


@dataclass(frozen=True, kw_only=True)
class Session(Header):
    """A run began."""

    kind = "session"

    experiment: str
    """Its name, or the path of its file."""
    budget: int
    argv: tuple[str, ...]
    numerics_ids: tuple[str, ...]
    """All numerics ids that the run trains with; older logs have one, `numerics_id`."""
    machine: str
    system: str
    python: str
    libc: str
    cpus: int | None
    versions: Mapping[str, str | None]
    """By package; None if it is not installed."""
    commit: str | None


@dataclass(frozen=True, kw_only=True)
class Started(OfTrial):
    """A worker started or resumed a trial."""

    kind = "started"

    engine: str | None = None
    """The engine, if the trials have several."""


@dataclass(frozen=True, kw_only=True)
class Restarted(OfTrial):
    """A trial restarted from its first update although it had a checkpoint."""

    kind = "restarted"

    reason: str
    """Why the checkpoint cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Finished(OfTrial):
    """An attempt at a trial produced a result."""

    kind = "finished"

    outcome: str
    updates: int
    """Of the result."""
    made: int
    """Updates made by this attempt: fewer if it resumed from a checkpoint."""
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
    """Output printed by a trial's trainer."""

    kind = "printed"

    text: str


@dataclass(frozen=True, kw_only=True)
class Ended(Header):
    """A run ended, with its efficiency (`sweeps.monitor.efficiency`)."""

    kind = "ended"

    update_s: float
    check_s: float
    worker_s: float


@dataclass(frozen=True, kw_only=True)
class Adopted(Header):
    """Checkpoints of earlier numerics were adopted: the current numerics give equal bits."""

    kind = "adopted"

    earlier: str
    """The earlier numerics id."""
    numerics_id: str
    checkpoints: int
    """Number of adopted checkpoints."""


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

    Unknown keys, as of a later version, are ignored. A field with a default takes it if it
    is missing or of another type.

    Returns:
        The event, or None if the line is torn, its kind is unknown, or a field without
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
    """Convert a session of an older version, with its one `numerics_id`."""
    return {"numerics_ids": [facts.get("numerics_id")], **facts}


@functools.cache
def _fields(kind: type[Event]) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the names of the fields without a default, and the type of each field."""
    found, hints = dataclasses.fields(kind), get_type_hints(kind)
    required = (each.name for each in found if each.default is dataclasses.MISSING)
    return frozenset(required), {each.name: hints[each.name] for each in found}


def _is_a(hint: Any, value: Any) -> bool:
    """Return whether a JSON value has the type of a field."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return any(_is_a(each, value) for each in args)
    if origin is tuple:
        return isinstance(value, list) and all(_is_a(args[0], each) for each in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(_is_a(args[1], v) for v in value.values())
    return type(value) in (
        (float, int) if hint is float else (hint,)
    )  # True is not a number


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _to_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
