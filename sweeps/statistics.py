"""Success rates with honest intervals."""

from typing import NamedTuple


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
