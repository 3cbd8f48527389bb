"""Columns follow the dataclasses: names, order, types, and None for what nobody saw."""

import dataclasses
import types
from typing import Any, Literal

import pytest
from small import result, trial

from rnnlab import Check, Trial
from rnnlab.tasks import TASKS
from sweeps.store.columns import (
    history_rows,
    history_types,
    plain_type,
    result_columns,
    table_types,
    trial_columns,
    trial_types,
)

SEEN_BY_A_CHECK = {
    "error_rate",
    "error_rate_of",
    *(each.name for each in dataclasses.fields(Check)),
} - {"update", "errors", "sequences"}


def row(of: Trial, **fields: Any) -> dict[str, Any]:
    return {**trial_columns(of), **result_columns(result(of, **fields))}


def test_a_trial_is_flattened_by_dotted_names() -> None:
    one = trial(3, length=12)
    columns = trial_columns(one)
    assert columns.pop("trial_id") == one.trial_id
    assert columns.pop("task.kind") == "TemporalOrder"
    assert columns.pop("task.length") == 12
    assert columns.pop("task.length_max") is None
    assert columns == {name: getattr(one, name) for name in columns}
    assert set(columns) == {each.name for each in dataclasses.fields(Trial)} - {"task"}


@pytest.mark.parametrize("outcome", ["solved", "unsolved", "diverged"])
def test_a_row_has_the_columns_of_the_table_in_order_and_of_their_types(
    outcome: str,
) -> None:
    found, kinds = row(trial(), outcome=outcome), table_types()
    of_others = {"task.values", "task.positions"}
    assert list(found) == [name for name in kinds if name not in of_others]
    for name, value in found.items():
        assert value is None or type(value) is kinds[name], name


def test_the_last_check_is_what_a_row_shows() -> None:
    one = trial()
    found = row(one, updates=30, outcome="solved")
    assert (found["error_rate"], found["error_rate_of"]) == (0.0, 10_000)
    assert (found["solved_at"], found["zero_errors_at"]) == (30, 30)
    assert found["loss"] == 1.25
    assert row(one, updates=30)["error_rate"] == 100 / 128
    assert row(one, updates=30)["solved_at"] is None
    waiting = dataclasses.replace(result(one, 30), solved_at=20)
    found = result_columns(waiting)
    assert (found["solved_at"], found["zero_errors_at"]) == (20, None)


def test_what_no_check_saw_is_none() -> None:
    found = row(trial(), updates=3, outcome="diverged")
    empty = {name for name, value in found.items() if value is None}
    asked = {"task.length_max", "clip_multiple"}
    assert empty == SEEN_BY_A_CHECK | asked | {"solved_at", "zero_errors_at", "test_errors"}
    assert (found["outcome"], found["updates"]) == ("diverged", 3)


def test_a_history_has_a_row_for_each_check_beyond_an_update() -> None:
    one = result(trial(), 40)
    assert [each["update"] for each in history_rows(one)] == [10, 20, 30, 40]
    assert [each["update"] for each in history_rows(one, after=20)] == [30, 40]
    assert history_rows(one, after=40) == []
    assert history_rows(result(trial(), 3, "diverged")) == []


def test_a_history_row_has_its_columns_in_order_and_of_their_types() -> None:
    kinds = history_types()
    for found in history_rows(result(trial(), 20, "solved")):
        assert {name: type(value) for name, value in found.items()} == kinds
        assert found["error_rate"] == found["errors"] / found["sequences"]


def test_every_field_of_a_trial_has_a_type() -> None:
    every = [Trial(task=task()) for task in TASKS]
    assert set(trial_types()) == set().union(*map(trial_columns, every)) - {"trial_id"}


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, int),
        (bool, bool),
        (float | None, float),
        (None | str, str),
        (Literal["a", "b"], str),
        (tuple[int, ...], tuple),
    ],
)
def test_an_annotation_is_reduced_to_a_type(annotation: Any, kind: type) -> None:
    assert plain_type(annotation) is kind


@pytest.mark.parametrize("annotation", [list[int], int | str, types.NoneType, dict, "int"])
def test_what_no_column_can_hold_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError, match="A column cannot hold"):
        plain_type(annotation)
