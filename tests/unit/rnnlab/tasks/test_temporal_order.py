"""Targets recomputed from inputs by a slow, obvious function; positions; frequencies."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from drawing import indices, of_any_length, seeds, sequences
from hypothesis import given

from rnnlab import Task, TemporalOrder
from rnnlab.data import draw_batch
from rnnlab.rng import TRAIN, WORD
from rnnlab.tasks import temporal_order

A, B = 0, 1


def positions(symbols: list[float]) -> list[int]:
    return [step for step, symbol in enumerate(symbols) if symbol in (A, B)]


def slow_target(symbols: list[float]) -> int:
    first, second = (int(symbols[step]) for step in positions(symbols))
    return {(A, A): 0, (B, A): 1, (A, B): 2, (B, B): 3}[first, second]


@given(of_any_length(TemporalOrder), seeds, indices)
def test_the_target_is_the_order_of_the_two_symbols(
    task: Task, seed: int, index: int
) -> None:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=4)
    for (symbols,), targets in sequences(batch):
        assert targets == [slow_target(symbols)]
        assert set(symbols) <= set(range(6))


@pytest.mark.parametrize(("word", "last"), [(0, False), (WORD, True)])
def test_the_two_windows_are_those_of_the_authors_floating_point(
    word: int, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_order, "words", lambda *_: (word,) * 4)
    monkeypatch.setattr(temporal_order, "draw_distractors", lambda *_: None)
    for length in range(10, 5001):
        written: Any = {}  # in place of a row, to see what is written
        temporal_order.draw_example(0, TRAIN, 0, 0, length, (), [written], [0])
        further = int(0.1 * length) - 1 if last else 0
        windows = [int(0.1 * length), int(0.5 * length)]
        assert list(written) == [start + further for start in windows]


def test_classes_positions_and_distractors_come_equally_often() -> None:
    batch = draw_batch(
        TemporalOrder(length=100), seed=1, purpose=TRAIN, index=0, size=20_000
    )
    classes = Counter(batch.targets.tolist())
    assert set(classes) == {0, 1, 2, 3}
    assert all(abs(count - 5_000) < 5 * 61 for count in classes.values())
    marked = batch.inputs <= B
    steps = Counter(np.nonzero(marked)[0].tolist())
    assert set(steps) == {*range(10, 20), *range(50, 60)}
    assert all(abs(count - 2_000) < 5 * 43 for count in steps.values())
    distractors = Counter(batch.inputs[~marked].tolist())
    expected = 20_000 * 98 / 4
    assert set(distractors) == {2, 3, 4, 5}
    assert all(abs(count / expected - 1) < 0.01 for count in distractors.values())


def test_distractors_at_different_steps_are_independent() -> None:
    batch = draw_batch(
        TemporalOrder(length=100), seed=3, purpose=TRAIN, index=0, size=10_000
    )
    for one, other in [(0, 1), (0, 8), (1, 9), (20, 36), (0, 64), (25, 89), (70, 99)]:
        agreement = (batch.inputs[one] == batch.inputs[other]).mean()
        assert abs(agreement - 0.25) < 0.025, (one, other)
