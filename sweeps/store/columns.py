"""The columns of a table, derived from the dataclasses: no list to keep in step.

Needs neither pyarrow nor pandas, so that planning and `--where` can use it.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

from rnnlab import Check, Result, Trial
from rnnlab.tasks import TASKS

_COUNTED_IN_RATE = ("update", "errors", "sequences")


def trial_columns(trial: Trial) -> dict[str, Any]:
    """Flatten a trial: its id, then its fields by dotted name.

    Example:
        >>> columns = trial_columns(Trial())
        >>> columns["task.kind"], columns["task.length"], columns["init"]
        ('TemporalOrder', 100, 'smart_tanh')
    """
    flat: dict[str, Any] = {"trial_id": trial.trial_id}
    for each in fields(trial):
        value = getattr(trial, each.name)
        if dataclasses.is_dataclass(value):
            flat[f"{each.name}.kind"] = type(value).__name__
            for inner in fields(value):
                flat[f"{each.name}.{inner.name}"] = getattr(value, inner.name)
        else:
            flat[each.name] = value
    return flat


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of the trial in a row of the table: of tasks, those of its own.

    Example:
        >>> columns = trial_columns(Trial(test_lengths=(50, 100)))
        >>> row = {**dict.fromkeys(trial_types()), **columns, "test_lengths": [50, 100]}
        >>> {"trial_id": columns["trial_id"], **fields_of(row)} == columns
        True
    """
    mine = [task for task in TASKS if task.__name__ == row["task.kind"]]
    own = {f"task.{each.name}" for task in mine for each in fields(task)}
    return {
        name: tuple(row[name]) if isinstance(row[name], list) else row[name]
        for name in trial_types()
        if name in own or row[name] is not None or not name.startswith("task.")
    }


def result_columns(result: Result) -> dict[str, Any]:
    """Flatten a result: how the trial ended and what its last check saw.

    Where a trial diverged before its first check, what a check sees is None.
    """
    last = result.last_check
    return {
        "outcome": result.outcome,
        "updates": result.updates,
        "solved_at": result.solved_at,
        "zero_errors_at": result.zero_errors_at,
        "clip_threshold": result.clip_threshold,
        "test_errors": result.test_errors,
        "error_rate": last.error_rate if last else None,
        "error_rate_of": last.sequences if last else None,
        **{name: getattr(last, name) if last else None for name in _seen_by_check()},
        "engine": result.engine,
        "numerics_id": result.numerics_id,
    }


def history_rows(result: Result, after: int = 0) -> list[dict[str, Any]]:
    """Give one row per check of a trial beyond update `after`."""
    return [
        {
            "trial_id": result.trial_id,
            **dataclasses.asdict(check),
            "error_rate": check.error_rate,
            "numerics_id": result.numerics_id,
        }
        for check in result.checks
        if check.update > after
    ]


def table_types() -> dict[str, type]:
    """Give the type of each column of the table, in order."""
    return {"trial_id": str, **trial_types(), **_result_types()}


def history_types() -> dict[str, type]:
    """Give the type of each column of the history, in order."""
    seen = {each.name: plain_type(each.type) for each in fields(Check)}
    return {"trial_id": str, **seen, "error_rate": float, "numerics_id": str}


def quantities() -> list[str]:
    """Name what a check measures: columns of the history, and of the table."""
    return ["error_rate", *_seen_by_check()]


def trial_types() -> dict[str, type]:
    """Give the type of each field of a trial by dotted name, over all tasks."""
    found: dict[str, type] = {}
    for each in fields(Trial):
        if each.name != "task":
            found[each.name] = plain_type(each.type)
            continue
        found["task.kind"] = str
        for task in TASKS:
            for inner in fields(task):
                found[f"task.{inner.name}"] = plain_type(inner.type)
    return found


def trial_defaults() -> dict[str, Any]:
    """Give the default of each field of a trial but its task, by column."""
    flat = trial_columns(Trial())
    return {name: flat[name] for name in trial_types() if not name.startswith("task.")}


def task_defaults() -> dict[str, dict[str, Any]]:
    """Give the default of each field of each kind of task: by column, then by kind."""
    found: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        for each in fields(task):
            if each.default is not dataclasses.MISSING:
                column = found.setdefault(f"task.{each.name}", {})
                column[task.__name__] = each.default
    return found


def differing(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Give the kind of a trial's task, and the fields that are not at their default.

    Args:
        columns: A trial, as in `trial_columns`.

    Example:
        >>> differing(trial_columns(Trial(lr=0.1)))
        {'task.kind': 'TemporalOrder', 'lr': 0.1}
    """
    kind = columns["task.kind"]
    of_task = {name: of.get(kind) for name, of in task_defaults().items()}
    usual = {**trial_defaults(), **of_task}
    return {
        name: columns[name]
        for name in trial_types()
        if name in columns and columns[name] != usual.get(name)
    }


def plain_type(annotation: Any) -> type:
    """Reduce an annotation to int, float, bool, str, or tuple for a list of whole numbers.

    Raises:
        TypeError: If a column cannot hold such values.

    Example:
        >>> plain_type(float | None), plain_type(Literal["a", "b"])
        (<class 'float'>, <class 'str'>)
    """
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) in (types.UnionType, typing.Union):
        kept = [each for each in get_args(annotation) if each is not types.NoneType]
        if len(kept) == 1:
            return plain_type(kept[0])
    if annotation == tuple[int, ...]:
        return tuple
    if annotation in (int, float, bool, str):
        return annotation
    raise TypeError(
        f"A column cannot hold {annotation}: use int, float, bool, str or tuple[int, ...]."
    )


def _seen_by_check() -> list[str]:
    return [each.name for each in fields(Check) if each.name not in _COUNTED_IN_RATE]


def _result_types() -> dict[str, type]:
    return {
        "outcome": str,
        "updates": int,
        "solved_at": int,
        "zero_errors_at": int,
        "clip_threshold": float,
        "test_errors": tuple,
        "error_rate": float,
        "error_rate_of": int,
        **dict.fromkeys(_seen_by_check(), float),
        "engine": str,
        "numerics_id": str,
    }
