"""Columns follow the dataclasses: names, order, types, defaults; None for what is not known."""

import dataclasses
import types
from dataclasses import dataclass, field
from typing import Any, Literal, get_origin

import pytest
from methods import Constant, Halving, Momentum, Sgd
from small import RECURRENT, Walk, result, trial

from rnnlab import Check, TemporalOrder, Trial
from rnnlab.tasks import TASKS
from sweeps.spec.trial_type import type_of
from sweeps.store.columns import Columns, flat, members, plain_type
from sweeps.store.trial_id import id_of

COLUMNS = RECURRENT.columns
TYPES = COLUMNS.trial_types()
SEEN_BY_A_CHECK = {
    "error_rate",
    "error_rate_of",
    *(each.name for each in dataclasses.fields(Check)),
} - {"update", "errors", "sequences"}


def row(of: Trial, **fields: Any) -> dict[str, Any]:
    return {**COLUMNS.of_trial(of), **result(of, **fields).row()}


def test_a_trial_is_flattened_by_dotted_names() -> None:
    one = trial(3, length=12)
    columns = COLUMNS.of_trial(one)
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
    kinds = {"trial_id": str, **TYPES, **(COLUMNS.result or {})}
    found = row(trial(), outcome=outcome)
    of_others = {"task.values", "task.positions"}
    assert list(found) == [name for name in kinds if name not in of_others]
    for name, value in found.items():
        kind = get_origin(kinds[name]) or kinds[name]
        assert value is None or type(value) is kind, name


def test_the_last_check_is_what_a_row_shows() -> None:
    one = trial()
    found = row(one, updates=30, outcome="solved")
    assert (found["error_rate"], found["error_rate_of"]) == (0.0, 10_000)
    assert (found["solved_at"], found["zero_errors_at"]) == (30, 30)
    assert found["loss"] == 1.25
    assert row(one, updates=30)["error_rate"] == 100 / 128
    assert row(one, updates=30)["solved_at"] is None


def test_what_no_check_saw_is_none() -> None:
    found = row(trial(), updates=3, outcome="diverged")
    empty = {name for name, value in found.items() if value is None}
    asked = {"task.length_max", "clip_multiple"}
    assert empty == SEEN_BY_A_CHECK | asked | {"solved_at", "zero_errors_at", "test_errors"}
    assert (found["outcome"], found["updates"]) == ("diverged", 3)


def test_a_history_has_a_row_for_each_check_beyond_an_update() -> None:
    one = result(trial(), 40)
    assert [each["update"] for each in one.history()] == [10, 20, 30, 40]
    assert [each["update"] for each in one.history(after=20)] == [30, 40]
    assert one.history(after=40) == []
    assert result(trial(), 3, "diverged").history() == []


def test_a_history_row_has_its_columns_in_order_and_of_their_types() -> None:
    kinds = {"trial_id": str, **(COLUMNS.check or {})}
    for found in result(trial(), 20, "solved").history():
        assert {name: type(value) for name, value in found.items()} == kinds
        assert list(found) == list(kinds)
        assert found["error_rate"] == found["errors"] / found["sequences"]


def test_every_field_of_a_trial_has_a_type() -> None:
    every = [Trial(task=task()) for task in TASKS]
    assert set(TYPES) == set().union(*map(COLUMNS.of_trial, every)) - {"trial_id"}


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, int),
        (bool, bool),
        (float | None, float),
        (None | str, str),
        (Literal["a", "b"], str),
        (Literal["a", None], str),
        (tuple[int, ...], tuple[int, ...]),
        (tuple[str, ...] | None, tuple[str, ...]),
    ],
)
def test_an_annotation_is_reduced_to_a_type(annotation: Any, kind: type) -> None:
    assert plain_type(annotation) == kind


@pytest.mark.parametrize(
    "annotation",
    [list[int], int | str, types.NoneType, dict, "int", Literal[1, "a"], tuple[int, int]],
)
def test_what_no_column_can_hold_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError, match="A column cannot hold"):
        plain_type(annotation)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A trial with everything that a field may hold."""

    data: str
    check_every: int = 10
    method: Sgd | Momentum = field(default_factory=Sgd)
    warmup: Constant | None = None
    sizes: tuple[int, ...] = (3, 4)
    seed: int = 0


FIT = Columns(Fit)


def test_a_field_that_holds_a_dataclass_has_the_columns_of_all_its_classes() -> None:
    assert FIT.trial_types() == {
        "data": str,
        "check_every": int,
        "method.kind": str,
        "method.beta": float,
        "method.schedule.kind": str,
        "method.schedule.value": float,
        "method.schedule.every": int,
        "warmup.kind": str,
        "warmup.value": float,
        "warmup.every": int,
        "sizes": tuple[int, ...],
        "seed": int,
    }
    assert members(Constant) == (Constant, Halving)
    assert members(Sgd | Momentum | None) == (Sgd, Momentum)
    assert members(int | None) == ()


def test_a_nested_dataclass_is_flattened_with_its_classes() -> None:
    one = Fit(data="a", method=Momentum(0.5, Halving(every=7)))
    assert flat(one) == {
        "data": "a",
        "check_every": 10,
        "method.kind": "Momentum",
        "method.beta": 0.5,
        "method.schedule.kind": "Halving",
        "method.schedule.value": 0.1,
        "method.schedule.every": 7,
        "warmup.kind": None,
        "sizes": (3, 4),
        "seed": 0,
    }
    assert FIT.of_trial(one) == {"trial_id": id_of(one), **flat(one)}


def test_a_default_is_that_of_the_class_which_a_row_names() -> None:
    momentum = {"method": "Momentum", "method.schedule": "Halving"}
    assert FIT.default("method.beta", momentum) == 0.9
    assert FIT.default("method.schedule.every", momentum) == 100
    assert FIT.default("method.beta", {"method": "Sgd"}) is None
    assert FIT.default("warmup.every", {"warmup": "Constant"}) is None
    assert FIT.default("warmup.every", {"warmup": None}) is None
    assert (FIT.default("sizes", {}), FIT.default("data", {})) == ((3, 4), None)
    known = {name for name in FIT.trial_types() if not FIT.has_default(name)}
    assert known == {"data"}


def test_a_field_whose_class_is_not_named_has_its_own_default() -> None:
    """It was added after the row was written, so the row had its default."""
    assert FIT.default("method.kind", {}) == "Sgd"
    assert FIT.default("method.beta", {}) is None
    assert (FIT.default("warmup.kind", {}), FIT.default("warmup.value", {})) == (None, None)
    assert FIT.default("method.schedule.kind", {"method": "Momentum"}) == "Constant"
    assert FIT.default("method.schedule.value", {"method": "Momentum"}) == 0.1
    assert FIT.default("method.schedule.value", {"method": "Sgd"}) is None
    assert RECURRENT.columns.default("task.length", {}) == TemporalOrder().length


def test_what_differs_from_the_default_is_named_with_all_classes() -> None:
    one = Fit(data="a", method=Momentum(schedule=Constant(0.2)), seed=3)
    assert FIT.differing(FIT.of_trial(one)) == {
        "data": "a",
        "method.kind": "Momentum",
        "method.schedule.kind": "Constant",
        "method.schedule.value": 0.2,
        "warmup.kind": None,
        "seed": 3,
    }
    assert COLUMNS.differing(COLUMNS.of_trial(trial(2))) == {
        "task.kind": "TemporalOrder",
        "task.length": 10,
        "hidden": 4,
        "check_every": 10,
        "seed": 2,
    }


def test_the_fields_in_a_row_are_those_of_its_own_classes() -> None:
    one = Fit(data="a", method=Sgd(), sizes=(1, 2))
    everything = dict.fromkeys(FIT.trial_types()) | FIT.of_trial(one)
    full = {**everything, "sizes": [1, 2], "outcome": "solved", "updates": 10, "loss": 1.0}
    assert FIT.known_fields(full) == {
        "data": "a",
        "check_every": 10,
        "method.kind": "Sgd",
        "warmup.kind": None,
        "sizes": (1, 2),
        "seed": 0,
    }


def test_without_the_type_the_fields_are_what_stands_before_the_outcome() -> None:
    found = {"trial_id": "a", "lr": 0.1, "width": None, "sizes": [1], "outcome": "solved"}
    known = Columns().known_fields({**found, "loss": 1.0})
    assert known == {"trial_id": "a", "lr": 0.1, "sizes": (1,)}
    assert (Columns().trial_types(), Columns().default("lr", {})) == ({}, None)
    assert not Columns().has_default("lr")


def test_how_often_a_trial_is_checked_may_be_a_field_or_the_same_for_all() -> None:
    @dataclass(frozen=True)
    class Fixed:
        seed: int = 0
        check_every = 25

    assert type_of(Walk).columns.check_every({"check_every": 20}) == 20
    assert Columns(Fixed).check_every({}) == 25
    assert Columns().check_every({"check_every": 20}) == 20
    assert Columns().check_every({}) is None


def test_a_field_that_no_column_can_hold_is_named() -> None:
    @dataclass(frozen=True)
    class Odd:
        seed: int = 0
        sizes: list[int] = field(default_factory=list[int])

    with pytest.raises(TypeError, match=r"Odd\.sizes: A column cannot hold list\[int\]"):
        Columns(Odd).trial_types()


def test_a_field_called_kind_in_a_nested_dataclass_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Named\.kind: the column inner\.kind holds"):
        Columns(Outer).trial_types()


@dataclass(frozen=True)
class Named:
    kind: str = "a"


@dataclass(frozen=True)
class Outer:
    inner: Named = field(default_factory=Named)
