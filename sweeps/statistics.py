"""Success rates and survival times, with unknown values and censoring handled explicitly."""

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Values = Sequence[float | None]
"""Numbers; None where unknown."""
DECADES = 100.0
"""Values span decades if the highest is at least this many times the lowest."""


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval:
    """Compute the Wilson score interval of a success rate, at 95 %.

    E. B. Wilson (1927), *Probable inference, the law of succession, and statistical
    inference*, JASA 22, without continuity correction.

    Args:
        successes: k, 0 to n.
        trials: n, at least 1.

    Raises:
        ValueError: If k or n is out of range.

    Example:
        >>> low, high = wilson(5, 5)
        >>> f"{low:.3f} {high:.3f}"
        '0.566 1.000'
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"Need 0 <= k <= n and n >= 1, got k={successes}, n={trials}.")
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Interval(float(interval.low), float(interval.high))


def newcombe(successes: int, trials: int, others: int, of: int) -> Interval:
    """Compute an interval of the difference of two success rates, at 95 %.

    R. G. Newcombe (1998), *Interval estimation for the difference between independent
    proportions: comparison of eleven methods*, Statistics in Medicine 17, method 10: the
    Wilson intervals of both, squared and added.

    Args:
        successes: Successes of the first, 0 to `trials`.
        trials: Trials of the first, at least 1.
        others: Successes of the second, which are subtracted; 0 to `of`.
        of: Trials of the second, at least 1.

    Raises:
        ValueError: If a number is out of range.

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
    """A survival curve: a step function that falls at event times."""

    times: tuple[float, ...]
    """Event times, ascending."""
    shares: tuple[float, ...]
    """Share that survives beyond each of the times."""

    def at(self, time: float) -> float:
        """Return the share that survives beyond a time."""
        before = [s for t, s in zip(self.times, self.shares, strict=True) if t <= time]
        return before[-1] if before else 1.0


def kaplan_meier(times: Sequence[float], ended: Sequence[bool]) -> Survival:
    """Estimate a survival curve from partly censored times.

    The product-limit estimate of E. L. Kaplan & P. Meier (1958), *Nonparametric estimation
    from incomplete observations*, JASA 53: S(t) = Π (1 − d_i / n_i) over the times t_i ≤ t
    of an event, with d_i events then and n_i still under observation.

    Args:
        times: How long each was observed.
        ended: Whether the event occurred then; otherwise the time is censored.

    Example:
        >>> kaplan_meier([2, 3, 3, 5], [True, True, False, False])
        Survival(times=(2, 3), shares=(0.75, 0.5))
    """
    ends = Counter(t for t, end in zip(times, ended, strict=True) if end)
    share, shares = Fraction(1), list[float]()  # rounding could shift a median by one
    for time, count in sorted(ends.items()):
        at_risk = sum(each >= time for each in times)
        share *= Fraction(at_risk - count, at_risk)
        shares.append(float(share))
    return Survival(tuple(sorted(ends)), tuple(shares))


def success_curve(updates: Sequence[int], outcomes: Sequence[str]) -> Survival:
    """Estimate the share of trials that is not solved yet, against updates.

    An unsolved trial is censored at its last update. A diverged one will never be solved:
    it is censored at infinity.

    Args:
        updates: Updates at which each trial stopped.
        outcomes: Its outcome.

    Example:
        >>> success_curve([10, 20, 30], ["diverged", "solved", "unsolved"])
        Survival(times=(20,), shares=(0.6666666666666666,))
    """
    pairs = list(zip(updates, outcomes, strict=True))
    times = [math.inf if how == "diverged" else when for when, how in pairs]
    return kaplan_meier(times, [how == "solved" for _, how in pairs])


def time_at(curve: Survival, share: float) -> float:
    """Return the time at which a survival curve falls to a share; infinity if never."""
    reached = [t for t, s in zip(curve.times, curve.shares, strict=True) if s <= share]
    return reached[0] if reached else math.inf


def spans_decades(values: Values) -> bool:
    """Return whether values are positive and the highest is at least 100 times the lowest."""
    low, high = span(values)
    return low > 0 and high >= DECADES * low


def span(values: Values) -> tuple[float, float]:
    """Return the lowest and the highest finite value; NaN if there is none."""
    found = finite(values)
    return min(found, default=math.nan), max(found, default=math.nan)


def finite(values: Values) -> list[float]:
    """Return the values without None, NaN and infinity."""
    return [each for each in values if each is not None and math.isfinite(each)]
