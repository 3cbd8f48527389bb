"""Trial ids: hashes of the content of trials."""

import dataclasses
import hashlib
import json
from dataclasses import fields
from typing import Any

DIGITS = 32
SHOWN_DIGITS = 12
"""Digits shown to users; any unambiguous prefix is accepted."""
_MEMO = "_sweeps_trial_id"


def id_of(trial: Any) -> str:
    """Return the id of a trial: 32 hex digits that depend only on its content.

    A type may define an attribute `trial_id`. Otherwise the id is a hash of the class name
    and of the fields that differ from their default, so that a new field with a default
    changes no id. Numbers are written by the field's type: `lr=1` equals
    `lr=1.0`.

    Args:
        trial: An instance of a frozen dataclass.
    """
    named: str | None = getattr(trial, "trial_id", None)
    if isinstance(named, str):
        return named
    memo: str | None = getattr(trial, "__dict__", {}).get(_MEMO)
    if memo is not None:
        return memo
    text = json.dumps(_content(trial), sort_keys=True, separators=(",", ":"))
    found = hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
    if hasattr(trial, "__dict__"):
        object.__setattr__(trial, _MEMO, found)
    return found


def _content(value: Any) -> dict[str, Any]:
    """Return the class name and the non-default fields, for JSON."""
    written: dict[str, Any] = {"class": type(value).__name__}
    for each in fields(value):
        here = getattr(value, each.name)
        if here != default_of(each):
            written[each.name] = _written(here, each.type)
    return written


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """Return the default of a field, or `dataclasses.MISSING`."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _written(value: Any, annotation: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _content(value)
    if value is not None and annotation in (float, float | None, "float", "float | None"):
        return repr(float(value) + 0.0)  # -0.0 equals 0.0
    return value
