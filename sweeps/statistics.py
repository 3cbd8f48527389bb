"""Success rates and times to an end, with what is not known counted as such."""

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Values = Sequence[float | None]
"""Numbers, some of them not known."""
DECADES = 100.0
"""Values span decades where the highest is so many times the lowest."""


class Interval(NamedTuple):
    """A 95 % confidence interval of a rate."""

    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval:
    """Give the Wilson score interval of a success rate, at 95 %.

    E. B. Wilson (1927), *Probable inference, the law of succession, and statistical
    inference*, JASA 22, without continuity correction.

    Args:
        successes: k, 0 to n.
        trials: n, at least 1.

    Raises:
        ValueError: If k and n are no such numbers.

    Example:
        >>> low, high = wilson(5, 5)
        >>> f"{low:.3f} {high:.3f}"
        '0.566 1.000'
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"No rate is {successes} of {trials}: give 0 <= k <= n, n >= 1.")
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Interval(float(interval.low), float(interval.high))


def newcombe(successes: int, trials: int, others: int, of: int) -> Interval:
    """Give an interval of the difference of two success rates, at 95 %.

    R. G. Newcombe (1998), *Interval estimation for the difference between independent
    proportions: comparison of eleven methods*, Statistics in Medicine 17, method 10: the
    Wilson intervals of both, squared and added.

    Args:
        successes: Of the first, 0 to `trials`.
        trials: At least 1.
        others: Successes of the second, which are subtracted; 0 to `of`.
        of: Trials of the second, at least 1.

    Raises:
        ValueError: If these are no such numbers.

    Example:
        >>> low, high = newcombe(56, 70, 48, 80)
        >>> f"{low:.4f} {high:.4f}"
        '0.0524 0.3339'
    """
    (low, high), (low_2, high_2) = wilson(successes, trials), wilson(others, of)
    rate, rate_2 = successes / trials, others / of
    return Interval(
        rate - rate_2 - math.hypot(rate - low, high_2 - rate_2),
        rate - rate_2 + math.hypot(high - rate, rate_2 - low_2),
    )


class Survival(NamedTuple):
    """A survival curve: a step function that falls at times of an end."""

    times: tuple[float, ...]
    """Ascending."""
    shares: tuple[float, ...]
    """Share that goes on beyond each of the times."""

    def at(self, time: float) -> float:
        """Give the share that goes on beyond a time."""
        before = [s for t, s in zip(self.times, self.shares, strict=True) if t <= time]
        return before[-1] if before else 1.0


def kaplan_meier(times: Sequence[float], ended: Sequence[bool]) -> Survival:
    """Estimate how long things last, where some were watched for a while only.

    The product-limit estimate of E. L. Kaplan & P. Meier (1958), *Nonparametric estimation
    from incomplete observations*, JASA 53: S(t) = Π (1 − d_i / n_i) over the times t_i ≤ t
    of an end, with d_i that end then and n_i that were still watched.

    Args:
        times: How long each was watched.
        ended: Whether it ended then; else it was watched no longer (censored).

    Example:
        >>> kaplan_meier([2, 3, 3, 5], [True, True, False, False])
        Survival(times=(2, 3), shares=(0.75, 0.5))
    """
    ends = Counter(t for t, end in zip(times, ended, strict=True) if end)
    share, shares = Fraction(1), list[float]()  # rounding would miss a median by one
    for time, count in sorted(ends.items()):
        watched = sum(each >= time for each in times)
        share *= Fraction(watched - count, watched)
        shares.append(float(share))
    return Survival(tuple(sorted(ends)), tuple(shares))


def success_curve(updates: Sequence[int], outcomes: Sequence[str]) -> Survival:
    """Estimate the share of trials that is not solved yet, against updates.

    An unsolved trial was watched until its last update. One that diverged was not solved
    and never will be: it is watched for ever.

    Args:
        updates: Where each trial stopped.
        outcomes: How.

    Example:
        >>> success_curve([10, 20, 30], ["diverged", "solved", "unsolved"])
        Survival(times=(20,), shares=(0.6666666666666666,))
    """
    pairs = list(zip(updates, outcomes, strict=True))
    times = [math.inf if how == "diverged" else when for when, how in pairs]
    return kaplan_meier(times, [how == "solved" for _, how in pairs])


def time_at(curve: Survival, share: float) -> float:
    """Give when a survival curve falls to a share; infinity where it does not."""
    reached = [t for t, s in zip(curve.times, curve.shares, strict=True) if s <= share]
    return reached[0] if reached else math.inf


def spans_decades(values: Values) -> bool:
    """Say whether values are positive, and the highest a hundred times the lowest."""
    low, high = span(values)
    return low > 0 and high >= DECADES * low


def span(values: Values) -> tuple[float, float]:
    """Return the least and the greatest finite value; NaN where there is none."""
    found = finite(values)
    return min(found, default=math.nan), max(found, default=math.nan)


def finite(values: Values) -> list[float]:
    """Return the values without None, NaN and infinity."""
    return [each for each in values if each is not None and math.isfinite(each)]
