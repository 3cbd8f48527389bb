"""What a network that ignores its inputs gets wrong: the rates that learning starts from."""

from collections.abc import Sequence

import pytest
import torch

from rnnlab import (
    Addition,
    Memorisation,
    Multiplication,
    RandomPermutation,
    Task,
    TemporalOrder,
    ThreeBitOrder,
)
from rnnlab.costs import wrong
from rnnlab.data import draw_batch
from rnnlab.rng import CHECK

SEQUENCES = 100_000
ALLOWED = 0.007
"""Over four times the standard deviation of a half."""


def wrong_share(task: Task, answer: Sequence[float]) -> float:
    """Give one answer to every sequence, at each step where that is asked for."""
    batch = draw_batch(task, seed=1, purpose=CHECK, index=1, size=SEQUENCES)
    rows = batch.targets.shape if task.cost == "class_at_each_step" else (SEQUENCES,)
    outputs = torch.tensor(answer, dtype=torch.float64).expand(*rows, task.outputs)
    return wrong(task.cost, outputs, torch.from_numpy(batch.targets)).double().mean().item()


def one_of(count: int, chosen: int) -> list[float]:
    return [float(each == chosen) for each in range(count)]


@pytest.mark.parametrize("chosen", range(4))
def test_one_class_is_wrong_on_75_percent_of_temporal_order(chosen: int) -> None:
    share = wrong_share(TemporalOrder(length=10), one_of(4, chosen))
    assert share == pytest.approx(0.75, abs=ALLOWED)


@pytest.mark.parametrize("chosen", range(8))
def test_one_class_is_wrong_on_87_percent_and_a_half_of_3_bit_order(chosen: int) -> None:
    share = wrong_share(ThreeBitOrder(length=10), one_of(8, chosen))
    assert share == pytest.approx(0.875, abs=ALLOWED)


def test_the_mean_is_wrong_on_36_percent_of_addition() -> None:
    """|s − 1| > .4 for the sum s of two numbers: (1 − .4)²."""
    share = wrong_share(Addition(length=10), [0.5])
    assert share == pytest.approx(0.36, abs=ALLOWED)


def test_the_mean_is_wrong_on_39_percent_of_multiplication() -> None:
    """P(ab ≤ x) = x (1 − log x); right are products from .05 to .45."""
    share = wrong_share(Multiplication(length=10), [0.25])
    assert share == pytest.approx(0.3905, abs=ALLOWED)


@pytest.mark.parametrize(("chosen", "expected"), [(0, 0.5), (1, 0.5), (2, 1.0), (99, 1.0)])
def test_one_of_the_two_symbols_is_wrong_on_half_of_the_permutations(
    chosen: int, expected: float
) -> None:
    share = wrong_share(RandomPermutation(length=10), one_of(100, chosen))
    assert share == pytest.approx(expected, abs=ALLOWED)


@pytest.mark.parametrize("chosen", range(3))
def test_one_class_at_every_step_remembers_nothing(chosen: int) -> None:
    assert wrong_share(Memorisation(length=10), one_of(3, chosen)) == 1.0
