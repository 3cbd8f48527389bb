"""Targets recomputed from inputs by a slow, obvious function; positions; frequencies."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from drawing import indices, of_any_length, seeds, sequences
from hypothesis import given

from rnnlab import Task, ThreeBitOrder
from rnnlab.data import draw_batch
from rnnlab.rng import TRAIN, WORD
from rnnlab.tasks import three_bit_order

A, B = 0, 1
CLASSES = ["AAA", "BAA", "ABA", "BBA", "AAB", "BAB", "ABB", "BBB"]


def positions(symbols: list[float]) -> list[int]:
    return [step for step, symbol in enumerate(symbols) if symbol in (A, B)]


def slow_target(symbols: list[float]) -> int:
    three = "".join("AB"[int(symbols[step])] for step in positions(symbols))
    return CLASSES.index(three)


@given(of_any_length(ThreeBitOrder), seeds, indices)
def test_the_target_is_the_order_of_the_three_symbols(
    task: Task, seed: int, index: int
) -> None:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=4)
    for (symbols,), targets in sequences(batch):
        assert targets == [slow_target(symbols)]
        assert set(symbols) <= set(range(6))


@pytest.mark.parametrize(("word", "last"), [(0, False), (WORD, True)])
def test_the_three_windows_are_those_of_the_authors_floating_point(
    word: int, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(three_bit_order, "words", lambda *_: (word,) * 4)
    monkeypatch.setattr(three_bit_order, "draw_distractors", lambda *_: None)
    for length in range(10, 5001):
        written: Any = {}  # in place of a row, to see what is written
        three_bit_order.draw_example(0, TRAIN, 0, 0, length, (), [written], [0])
        further = int(0.1 * length) - 1 if last else 0
        windows = [int(tenth * length) for tenth in (0.1, 0.3, 0.6)]
        assert list(written) == [start + further for start in windows]


def test_classes_and_positions_come_equally_often() -> None:
    batch = draw_batch(
        ThreeBitOrder(length=100), seed=1, purpose=TRAIN, index=0, size=20_000
    )
    classes = Counter(batch.targets.tolist())
    assert set(classes) == set(range(8))
    assert all(abs(count - 2_500) < 5 * 47 for count in classes.values())
    steps = Counter(np.nonzero(batch.inputs <= B)[0].tolist())
    assert set(steps) == {*range(10, 20), *range(30, 40), *range(60, 70)}
    assert all(abs(count - 2_000) < 5 * 43 for count in steps.values())


def test_the_three_positions_and_the_class_are_independent() -> None:
    batch = draw_batch(
        ThreeBitOrder(length=100), seed=2, purpose=TRAIN, index=0, size=20_000
    )
    marked = np.nonzero((batch.inputs <= B).T)[1].reshape(20_000, 3) % 10
    drawn = np.column_stack([marked, batch.targets])
    correlations = np.asarray(np.corrcoef(drawn.T))[np.triu_indices(4, k=1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)
