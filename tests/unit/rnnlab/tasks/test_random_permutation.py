"""Targets recomputed from inputs by a slow, obvious function; frequencies."""

from collections import Counter

import numpy as np
from drawing import indices, of_any_length, seeds, sequences
from hypothesis import given

from rnnlab import RandomPermutation, Task
from rnnlab.data import draw_batch
from rnnlab.rng import TRAIN


@given(of_any_length(RandomPermutation), seeds, indices)
def test_the_first_symbol_is_asked_for_and_stands_nowhere_else(
    task: Task, seed: int, index: int
) -> None:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=4)
    for (symbols,), targets in sequences(batch):
        assert targets == [symbols[0]]
        assert symbols[0] in (0, 1)
        assert set(symbols[1:]) <= set(range(2, 100))


def test_both_first_symbols_and_all_98_others_come_equally_often() -> None:
    batch = draw_batch(
        RandomPermutation(length=50), seed=1, purpose=TRAIN, index=0, size=20_000
    )
    assert abs((batch.inputs[0] == 1).mean() - 0.5) < 5 * 0.5 / np.sqrt(20_000)
    others = Counter(batch.inputs[1:].ravel().tolist())
    assert set(others) == set(range(2, 100))
    expected = 20_000 * 49 / 98
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in others.values())


def test_symbols_of_different_steps_are_independent() -> None:
    batch = draw_batch(
        RandomPermutation(length=20), seed=2, purpose=TRAIN, index=0, size=20_000
    )
    correlations = np.corrcoef(batch.inputs)[np.triu_indices(20, k=1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)
