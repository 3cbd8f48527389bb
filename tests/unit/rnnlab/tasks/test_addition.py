"""Targets recomputed from inputs by a slow, obvious function; positions; frequencies.

Multiplication shows the same sequences, and asks for something else.
"""

from collections import Counter

import numpy as np
import pytest
from drawing import indices, of_any_length, plainly, seeds, sequences
from hypothesis import given
from hypothesis import strategies as st

from rnnlab import Addition, Multiplication, Task
from rnnlab.data import draw_batch, draw_steps
from rnnlab.rng import TRAIN, WORD
from rnnlab.tasks import addition

both = pytest.mark.parametrize("kind", [Addition, Multiplication])


def marked(numbers: list[float], markers: list[float]) -> list[float]:
    assert set(markers) == {0.0, 1.0}
    return [number for number, marker in zip(numbers, markers, strict=True) if marker]


def slow_target(task: Task, one: float, other: float) -> float:
    return (one + other) / 2 if isinstance(task, Addition) else one * other


@given(of_any_length(Addition) | of_any_length(Multiplication), seeds, indices)
def test_the_target_is_the_mean_or_product_of_the_only_two_that_are_marked(
    task: Task, seed: int, index: int
) -> None:
    batch = draw_batch(task, seed=seed, purpose=TRAIN, index=index, size=4)
    for (numbers, markers), targets in sequences(batch):
        one, other = marked(numbers, markers)
        assert targets == [slow_target(task, one, other)]
        assert all(0 < number < 1 for number in numbers)


@pytest.mark.parametrize(("word", "last"), [(0, False), (WORD, True)])
def test_the_two_windows_are_those_of_the_authors_floating_point(
    word: int, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addition, "words", lambda *_: (word,) * 4)
    for steps in [*range(10, 300), *range(300, 5001, 5)]:  # a tenth is whole, or nearly
        (_, markers), _ = plainly(Addition(), 0, TRAIN, 0, 0, steps)
        further = int(0.4 * steps) - 1 if last else 0
        assert markers.index(1.0) == (int(0.1 * steps) - 1 if last else 0)
        assert steps - 1 - markers[::-1].index(1.0) == int(0.1 * steps) + further


@both
@pytest.mark.parametrize("word", [0, WORD])
def test_numbers_are_never_0_or_1(
    kind: type[Task], word: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addition, "words", lambda *_: (word,) * 4)
    (numbers, _), _ = plainly(kind(length=10), 0, TRAIN, 0, 0, 10)
    assert all(0 < number < 1 for number in numbers)


@both
def test_numbers_and_positions_come_equally_often(kind: type[Task]) -> None:
    task = kind(length=19)  # 19 steps, or 19 + r(1): always 19
    batch = draw_batch(task, seed=1, purpose=TRAIN, index=0, size=20_000)
    numbers, markers = batch.inputs[:, :, 0], batch.inputs[:, :, 1]
    counts, _ = np.histogram(numbers, bins=50, range=(0, 1))
    expected = 20_000 * 19 / 50
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    steps = Counter(np.nonzero(markers)[0].tolist())
    assert steps[0] == 20_000
    assert set(steps) == {0, *range(1, 8)}
    expected = 20_000 / 7
    assert all(abs(steps[step] - expected) < 5 * np.sqrt(expected) for step in range(1, 8))


@both
def test_numbers_of_different_steps_are_independent(kind: type[Task]) -> None:
    batch = draw_batch(kind(length=12), seed=1, purpose=TRAIN, index=0, size=20_000)
    correlations = np.corrcoef(batch.inputs[:, :, 0])[np.triu_indices(12, k=1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)


@both
@given(length=st.integers(10, 60), seed=seeds)
def test_a_length_gives_it_or_up_to_a_tenth_more_each_equally_often(
    kind: type[Task], length: int, seed: int
) -> None:
    counts = Counter(draw_steps(kind(length=length), seed, TRAIN, 0, 3_000).tolist())
    choices = int(0.1 * length)
    assert set(counts) == set(range(length, length + choices))
    expected = 3_000 / choices
    assert all(abs(count - expected) < 6 * np.sqrt(expected) for count in counts.values())
