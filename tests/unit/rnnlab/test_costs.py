"""Costs and error rules against slow, obvious functions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.costs import cost, wrong

Answers = tuple[np.ndarray, np.ndarray]
"""What a network gave, and what was asked for."""

scores = st.integers(-3, 3).map(float) | st.floats(-30, 30)  # whole ones are often equal
numbers = st.floats(-2, 2)


def filled(draw: st.DrawFn, values: st.SearchStrategy[float], *shape: int) -> np.ndarray:
    count = math.prod(shape)
    return np.array(draw(st.lists(values, min_size=count, max_size=count))).reshape(shape)


@st.composite
def classes(draw: st.DrawFn, *, each_step: bool) -> Answers:
    """Scores, and the class asked for, of each sequence or of each of its steps."""
    batch, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = (draw(st.integers(1, 4)), batch) if each_step else (batch,)
    given_scores = filled(draw, scores, *shape, outputs)
    return given_scores, filled(draw, st.integers(0, outputs - 1), *shape)


@st.composite
def values(draw: st.DrawFn) -> Answers:
    batch, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return filled(draw, numbers, batch, outputs), filled(draw, numbers, batch, outputs)


def surprise(row: np.ndarray, wanted: int) -> float:
    """−log softmax(y)[wanted]."""
    return -math.log(math.exp(row[wanted]) / sum(math.exp(y) for y in row))


def first_largest(row: np.ndarray) -> int:
    return max(range(len(row)), key=lambda k: (row[k], -k))


def squared_distance(one: np.ndarray, other: np.ndarray) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


@given(classes(each_step=False))
def test_a_class_at_the_end_costs_its_mean_surprise(answers: Answers) -> None:
    given_scores, wanted = answers
    each = [surprise(row, k) for row, k in zip(given_scores, wanted, strict=True)]
    found = cost("class_at_end", *map(torch.from_numpy, answers))
    assert found.item() == pytest.approx(sum(each) / len(each), rel=1e-9, abs=1e-12)


@given(classes(each_step=False))
def test_a_class_at_the_end_is_wrong_where_another_is_larger(answers: Answers) -> None:
    given_scores, wanted = answers
    found = wrong("class_at_end", *map(torch.from_numpy, answers))
    assert found.tolist() == [
        first_largest(row) != k for row, k in zip(given_scores, wanted, strict=True)
    ]


@given(classes(each_step=True))
def test_a_class_at_each_step_costs_the_mean_surprise_of_all_steps(
    answers: Answers,
) -> None:
    given_scores, wanted = answers
    steps, batch = wanted.shape
    each = [
        surprise(given_scores[t, k], wanted[t, k])
        for t in range(steps)
        for k in range(batch)
    ]
    found = cost("class_at_each_step", *map(torch.from_numpy, answers))
    assert found.item() == pytest.approx(sum(each) / len(each), rel=1e-9, abs=1e-12)


@given(classes(each_step=True))
def test_a_sequence_is_wrong_if_any_of_its_steps_is(answers: Answers) -> None:
    given_scores, wanted = answers
    steps, batch = wanted.shape
    found = wrong("class_at_each_step", *map(torch.from_numpy, answers))
    assert found.tolist() == [
        any(first_largest(given_scores[t, k]) != wanted[t, k] for t in range(steps))
        for k in range(batch)
    ]


@given(values())
def test_numbers_cost_their_mean_squared_error(answers: Answers) -> None:
    given_numbers, wanted = answers
    each = [squared_distance(*pair) for pair in zip(given_numbers, wanted, strict=True)]
    found = cost("value_at_end", *map(torch.from_numpy, answers))
    assert found.item() == pytest.approx(sum(each) / wanted.size, rel=1e-9, abs=1e-12)


@given(values())
def test_numbers_are_wrong_where_their_squared_error_is_above_4_hundredths(
    answers: Answers,
) -> None:
    given_numbers, wanted = answers
    found = wrong("value_at_end", *map(torch.from_numpy, answers)).tolist()
    for is_wrong, *pair in zip(found, given_numbers, wanted, strict=True):
        squared = squared_distance(*pair)
        if abs(squared - 0.04) > 1e-12:
            assert is_wrong == (squared > 0.04)


def test_the_bound_lies_at_a_fifth_on_either_side() -> None:
    outputs = torch.tensor([[0.3001], [0.2999], [0.7001], [0.6999]])
    targets = torch.full((4, 1), 0.5, dtype=torch.float64)
    found = wrong("value_at_end", outputs, targets)
    assert found.tolist() == [False, True, True, False]


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_no_finite_number_is_wrong(answer: float) -> None:
    outputs, targets = torch.tensor([[answer]]), torch.tensor([[0.5]])
    assert wrong("value_at_end", outputs, targets).tolist() == [True]


def test_a_cost_in_float32_stays_in_float32() -> None:
    """Numbers asked for are drawn in float64."""
    outputs, targets = torch.zeros(2, 1), torch.ones(2, 1, dtype=torch.float64)
    assert cost("value_at_end", outputs, targets).dtype == torch.float32
