"""Targets recomputed from inputs by a slow, obvious function; positions; frequencies."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnlab import TemporalOrder
from rnnlab.data import draw_batch
from rnnlab.rng import TRAIN
from rnnlab.tasks.temporal_order import draw_example

A, B = 0, 1


def positions(symbols: list[int]) -> list[int]:
    return [step for step, symbol in enumerate(symbols) if symbol in (A, B)]


def slow_target(symbols: list[int]) -> int:
    first, second = (symbols[step] for step in positions(symbols))
    return {(A, A): 0, (B, A): 1, (A, B): 2, (B, B): 3}[first, second]


@given(st.integers(10, 300), st.integers(0, 2**32 - 1), st.integers(0, 5_000_000))
def test_the_target_is_the_order_of_the_two_symbols(
    length: int, seed: int, index: int
) -> None:
    symbols = [-1] * length
    target = draw_example(seed, TRAIN, index, 3, length, symbols)
    assert target == slow_target(symbols)
    first, second = positions(symbols)
    assert int(0.1 * length) <= first < 2 * int(0.1 * length)
    assert int(0.5 * length) <= second < int(0.5 * length) + int(0.1 * length)
    assert set(symbols) <= set(range(6))


@given(st.integers(10, 200), st.integers(0, 2**32 - 1), st.integers(0, 2**40))
def test_compiled_batches_equal_python(length: int, seed: int, index: int) -> None:
    task = TemporalOrder(length=length)
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=3, first=5)
    for column in range(3):
        symbols = [-1] * length
        target = draw_example(seed, TRAIN, index, 5 + column, length, symbols)
        assert batch.symbols[:, column].tolist() == symbols
        assert batch.targets[column] == target


def test_classes_positions_and_distractors_come_equally_often() -> None:
    batch = draw_batch(
        TemporalOrder(length=100), seed=1, purpose=TRAIN, index=0, size=20_000
    )
    classes = Counter(batch.targets.tolist())
    assert set(classes) == {0, 1, 2, 3}
    assert all(abs(count - 5_000) < 5 * 61 for count in classes.values())
    marked = batch.symbols <= B
    steps = Counter(np.nonzero(marked)[0].tolist())
    assert set(steps) == {*range(10, 20), *range(50, 60)}
    assert all(abs(count - 2_000) < 5 * 43 for count in steps.values())
    distractors = Counter(batch.symbols[~marked].tolist())
    expected = 20_000 * 98 / 4
    assert set(distractors) == {2, 3, 4, 5}
    assert all(abs(count / expected - 1) < 0.01 for count in distractors.values())


def test_a_constant_answer_is_wrong_on_three_of_four() -> None:
    batch = draw_batch(
        TemporalOrder(length=50), seed=2, purpose=TRAIN, index=9, size=10_000
    )
    assert abs((batch.targets != 0).mean() - 0.75) < 0.02


def test_distractors_at_different_steps_are_independent() -> None:
    batch = draw_batch(
        TemporalOrder(length=100), seed=3, purpose=TRAIN, index=0, size=10_000
    )
    for one, other in [(0, 1), (0, 8), (1, 9), (20, 36), (0, 64), (25, 89), (70, 99)]:
        agreement = (batch.symbols[one] == batch.symbols[other]).mean()
        assert abs(agreement - 0.25) < 0.025, (one, other)
