"""Targets recomputed from inputs by a slow, obvious function; which patterns come."""

import itertools
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest
from drawing import indices, of_any_length, seeds, sequences
from hypothesis import given
from hypothesis import strategies as st

from rnnlab import Memorisation
from rnnlab.data import draw_batch
from rnnlab.rng import TRAIN

TWENTY_BITS = partial(Memorisation, values=5, positions=10)


def slow_target(task: Memorisation, symbols: list[float]) -> list[float]:
    """From the trigger on the pattern is asked for, before it a blank."""
    blank, trigger = task.values, task.values + 1
    pattern, rest = symbols[: task.positions], symbols[task.positions :]
    assert all(0 <= symbol < task.values for symbol in pattern)
    assert rest.count(trigger) == 1
    blanks = rest.index(trigger)
    assert rest == [blank] * blanks + [trigger] + [blank] * (task.positions - 1)
    return [blank] * (task.positions + blanks) + pattern


anything = st.builds(
    Memorisation,
    length=st.integers(1, 200),
    values=st.integers(2, 100),
    positions=st.integers(1, 50),
)


@given(anything | of_any_length(Memorisation) | of_any_length(TWENTY_BITS), seeds, indices)
def test_the_pattern_is_asked_for_when_the_trigger_comes(
    task: Memorisation, seed: int, index: int
) -> None:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=4)
    most = task.length_max or task.length + 1
    for (symbols,), targets in sequences(batch):
        assert targets == slow_target(task, symbols)
        blanks = len(symbols) - 2 * task.positions
        assert task.length <= blanks < most


def patterns(task: Memorisation, seed: int, index: int, size: int) -> np.ndarray:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=size)
    return batch.inputs[: task.positions].T


@given(of_any_length(Memorisation), seeds, indices)
def test_all_32_patterns_form_each_batch_of_32(
    task: Memorisation, seed: int, index: int
) -> None:
    found = {tuple(row) for row in patterns(task, seed, index, 32).tolist()}
    assert found == set(itertools.product((0, 1), repeat=5))


@pytest.mark.parametrize(
    ("values", "positions", "count"), [(2, 1, 2), (3, 4, 81), (31, 2, 961)]
)
def test_fewer_than_a_thousand_patterns_are_shown_in_turn(
    values: int, positions: int, count: int
) -> None:
    task = Memorisation(length=1, values=values, positions=positions)
    found = {tuple(row) for row in patterns(task, 0, 0, count).tolist()}
    assert found == set(itertools.product(range(values), repeat=positions))


def test_a_pattern_of_20_bits_is_uniform() -> None:
    drawn = patterns(TWENTY_BITS(length=1), 1, 0, 20_000)
    for place in range(10):
        counts = Counter(drawn[:, place].tolist())
        assert set(counts) == set(range(5))
        assert all(abs(count - 4_000) < 5 * 57 for count in counts.values())
    correlations = np.corrcoef(drawn.T)[np.triu_indices(10, k=1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"values": 1}, "Memorisation.values must lie between 2 and 100, got 1."),
        ({"values": 101}, "Memorisation.values must lie between 2 and 100, got 101."),
        ({"values": 2.0}, "Memorisation.values must be a whole number, got 2.0."),
        ({"positions": 0}, "Memorisation.positions must lie between 1 and 1000, got 0."),
        ({"positions": 1001}, "Memorisation.positions must lie between 1 and 1000, got"),
        ({"positions": True}, "Memorisation.positions must be a whole number, got True."),
    ],
)
def test_a_pattern_that_cannot_be_drawn_is_refused(
    fields: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Memorisation(**fields)
