"""Bad values are refused where they are written, with the remedy."""

import re

import pytest

from rnnlab import TemporalOrder, Trial
from rnnlab.spec import content, require_budget


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": -1}, "lr must be positive, got -1. A usual value is 0.01."),
        ({"lr": 0}, "lr must be positive, got 0."),
        ({"lr": "fast"}, "lr must be a number, got 'fast'."),
        ({"clip_norm": 0.0}, "To train without clipping, set Trial.clip_norm to None."),
        ({"clip_norm": float("inf")}, "clip_norm must be finite"),
        ({"omega_weight": -4}, "To train without Ω, set Trial.omega_weight to 0."),
        ({"task": TemporalOrder}, "task must be a task such as TemporalOrder(length=100)"),
        ({"task": None}, "task must be a task such as TemporalOrder(length=100)"),
        ({"init": "xavier"}, "init must be one of sigmoid, basic_tanh, smart_tanh"),
        ({"clip_by": "entry"}, "clip_by must be one of norm, value, got 'entry'."),
        ({"stop": "never"}, "stop must be one of below_1_percent, zero_errors"),
        ({"hidden": 513}, "hidden must lie between 1 and 512, got 513."),
        ({"hidden": 50.0}, "hidden must be a whole number, got 50.0."),
        ({"batch": 0}, "batch must lie between 1 and"),
        ({"seed": -1}, "seed must lie between 0 and 4294967295, got -1."),
        ({"seed": True}, "seed must be a whole number, got True."),
        ({"check_every": 0}, "check_every must lie between 1 and"),
        ({"repair_nonfinite": 1}, "repair_nonfinite must be True or False, got 1."),
        ({"repair_nonfinite": True, "clip_norm": None}, "Set clip_norm, or leave the"),
    ],
)
def test_a_bad_field_is_refused_with_its_value_and_the_remedy(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Trial(**fields)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (5, "TemporalOrder.length is 5, but the two symbols are drawn from windows"),
        (10.0, "TemporalOrder.length must be a whole number, got 10.0."),
        (1_000_000, "TemporalOrder.length is 1000000, which makes sequences of"),
    ],
)
def test_a_length_that_leaves_no_room_is_refused(length: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TemporalOrder(length=length)


def test_the_unit_goes_with_the_initialisation() -> None:
    assert Trial(init="sigmoid").activation == "logistic"
    assert Trial(init="basic_tanh").activation == "tanh"
    assert Trial(init="smart_tanh").activation == "tanh"


def test_a_trial_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Trial().lr = 1.0  # type: ignore[misc]


def test_content_leaves_defaults_out_at_every_depth() -> None:
    assert content(Trial()) == {"class": "Trial"}
    assert content(Trial(task=TemporalOrder(length=50), clip_norm=None)) == {
        "class": "Trial",
        "task": {"class": "TemporalOrder", "length": 50},
        "clip_norm": None,
    }


@pytest.mark.parametrize("budget", [0, -2000, 1999, 2001])
def test_a_budget_between_two_checks_is_refused(budget: int) -> None:
    with pytest.raises(
        ValueError, match="Choose a positive multiple of 2000, such as 2000"
    ):
        require_budget(2000, budget)
