"""Wilson's interval: the formula, published values, and how often it holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.statistics import wilson

Z = 1.959963984540054
"""The normal distribution's 97.5 % point."""


@pytest.mark.parametrize(
    ("k", "n"), [*((k, 5) for k in range(6)), (0, 1), (1, 10), (50, 100)]
)
def test_it_is_the_score_interval(k: int, n: int) -> None:
    """Both ends p solve |k/n − p| = z √(p (1 − p) / n)."""
    rate = k / n
    centre = (rate + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    assert wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 5, 0.0, 0.4345), (5, 5, 0.5655, 1.0), (1, 10, 0.0179, 0.4042)],
)
def test_published_values(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


cases = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=50)
@given(cases)
def test_the_rate_lies_within_and_failures_mirror_successes(case: tuple[int, int]) -> None:
    k, n = case
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    narrower = wilson(4 * k, 4 * n)
    assert narrower.high - narrower.low < high - low


@pytest.mark.parametrize("n", [5, 20])
def test_it_holds_the_truth_about_95_times_of_100(n: int) -> None:
    intervals = [wilson(k, n) for k in range(n + 1)]
    coverage = [
        sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k)
            for k, (low, high) in enumerate(intervals)
            if low <= p <= high
        )
        for p in np.linspace(0.005, 0.995, 100)
    ]
    assert np.mean(coverage) == pytest.approx(0.955, abs=0.01)
    assert min(coverage) > 0.83


@pytest.mark.parametrize(("k", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_a_rate_that_cannot_be_is_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"No rate is {k} of {n}"):
        wilson(k, n)
