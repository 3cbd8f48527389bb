"""Compare the success rates of two groups of trials on the cells that both have."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sweeps.statistics import Interval, newcombe

if TYPE_CHECKING:
    import pandas as pd


CELL = ("task.length", "init", "clip_multiple", "seed")
"""Columns on which compared trials are matched, except the column under comparison."""


class Gain(NamedTuple):
    """Difference between the success rates of two groups of trials."""

    by: float
    """Difference of the rates."""
    interval: Interval
    summary: str


def gain_of(
    baseline: "pd.DataFrame", variant: "pd.DataFrame", except_column: str = ""
) -> Gain:
    """Compute how much more often the variant is solved than the baseline.

    Only replicates that both groups have are compared. If there are none, the difference
    is NaN.

    Args:
        baseline: Trials.
        variant: The trials compared with them.
        except_column: A column of `CELL` in which the groups differ.
    """
    if not (baseline.empty or variant.empty):
        baseline, variant = matched(baseline, variant, except_column)
    if baseline.empty or variant.empty:
        return Gain(math.nan, Interval(-1.0, 1.0), "not run yet")
    k, n = solved_in(variant), len(variant)
    m, of = solved_in(baseline), len(baseline)
    interval = newcombe(k, n, m, of)
    summary = (
        f"{m} of {of} → {k} of {n} "
        f"({100 * interval.low:+.0f} to {100 * interval.high:+.0f} points)"
    )
    return Gain(k / n - m / of, interval, summary)


def matched(
    one: "pd.DataFrame", other: "pd.DataFrame", except_column: str
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Keep the replicates that both groups have, at the largest update that all reached."""
    import pandas as pd

    columns = [name for name in CELL if name != except_column and name in one.columns]
    horizon = min(_horizon(one), _horizon(other))
    cells = set(_cells(one, columns)) & set(_cells(other, columns))
    kept: list[pd.DataFrame] = []
    for group in (one, other):
        here = group[pd.Series(_cells(group, columns), group.index).isin(cells)]
        in_time = here["updates"] <= horizon
        kept.append(here.assign(outcome=here["outcome"].where(in_time, "unsolved")))
    return kept[0], kept[1]


def _cells(group: "pd.DataFrame", columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a key of the replicate of each row; null is a value like any other."""
    return [tuple(map(repr, row)) for row in group[list(columns)].values.tolist()]


def _horizon(group: "pd.DataFrame") -> float:
    """Return the updates that every unsolved trial of a group has reached."""
    unsolved = group[group["outcome"] == "unsolved"]["updates"]
    return float(unsolved.min()) if len(unsolved) else math.inf


def drop_of(first: "pd.DataFrame", last: "pd.DataFrame", column: str) -> Gain:
    """Compute how much less often the last group is solved than the first, along a column."""
    gain = gain_of(first, last, except_column=column)
    low, high = gain.interval
    return Gain(-gain.by, Interval(-high, -low), gain.summary)


def rows_of(results: "pd.DataFrame", where: Mapping[str, Any]) -> "pd.DataFrame":
    """Return the rows with these values; None means null."""
    for column, value in where.items():
        here = results[column]
        results = results[here.isna() if value is None else here == value]
    return results


def solved_in(results: "pd.DataFrame") -> int:
    """Count the solved trials."""
    return int((results["outcome"] == "solved").sum())
