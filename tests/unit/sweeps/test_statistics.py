"""Wilson's interval: the formula, published values, and how often it holds the truth."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.statistics import kaplan_meier, success_curve, time_at, wilson

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
    with pytest.raises(ValueError, match=f"got k={k}, n={n}"):
        wilson(k, n)


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1))
def test_kaplan_meier_is_the_product_of_what_went_on(
    watched: list[tuple[int, bool]],
) -> None:
    """Term by term from the definition, in fractions."""
    curve = kaplan_meier([t for t, _ in watched], [end for _, end in watched])
    for time in range(22):
        expected = Fraction(1)
        for at in range(time + 1):
            risk = sum(t >= at for t, _ in watched)
            ends = sum(t == at and end for t, end in watched)
            expected *= 1 - (Fraction(ends, risk) if risk else 0)
        assert curve.at(time) == pytest.approx(float(expected))


def test_kaplan_meier_on_the_data_of_freireich() -> None:
    """6-mercaptopurine, weeks of remission; Cox & Oakes (1984), Table 1.1 and 4.1."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = kaplan_meier([*ended, *censored], [True] * 9 + [False] * 12)
    shares = {time: round(share, 3) for time, share in zip(*curve, strict=True)}
    assert shares == {
        6: 0.857,
        7: 0.807,
        10: 0.753,
        13: 0.69,
        16: 0.627,
        22: 0.538,
        23: 0.448,
    }


def test_without_an_end_every_trial_survives() -> None:
    curve = kaplan_meier([3, 5], [False, False])
    assert curve == ((), ())
    assert curve.at(100) == 1.0


@pytest.mark.parametrize("n", range(1, 60))
def test_the_median_of_what_all_ended_is_an_order_statistic(n: int) -> None:
    curve = success_curve(list(range(1, n + 1)), ["solved"] * n)
    assert time_at(curve, 0.5) == -(-n // 2)
    assert time_at(curve, 0.25) == -(-3 * n // 4)
