"""Groups of trials compared: the cells that both have, and how often they were solved."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sweeps.statistics import Interval, newcombe

if TYPE_CHECKING:
    import pandas as pd


CELL = ("task.length", "init", "clip_multiple", "seed")
"""What two trials have in common that are compared, where the comparison is not of that."""


class Gain(NamedTuple):
    """How much more often one group of trials is solved than another."""

    by: float
    """Difference of the rates."""
    interval: Interval
    told: str


def gain_of(one: "pd.DataFrame", other: "pd.DataFrame", but: str = "") -> Gain:
    """Compare the success rates of two groups; of nothing, nothing is known.

    Args:
        one: Trials.
        other: Others, of which those count whose replicate is in `one`, and vice versa.
        but: A column of `CELL` in which they differ.
    """
    if not (one.empty or other.empty):
        one, other = matched(one, other, but)
    if one.empty or other.empty:
        return Gain(math.nan, Interval(-1.0, 1.0), "not run yet")
    k, n, m, of = solved_in(other), len(other), solved_in(one), len(one)
    interval = newcombe(k, n, m, of)
    told = (
        f"{m} of {of} → {k} of {n} "
        f"({100 * interval.low:+.0f} to {100 * interval.high:+.0f} points)"
    )
    return Gain(k / n - m / of, interval, told)


def matched(
    one: "pd.DataFrame", other: "pd.DataFrame", but: str
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Keep the replicates that both have, as they stood at updates that all of them had."""
    import pandas as pd

    columns = [name for name in CELL if name != but and name in one.columns]
    horizon = min(_horizon(one), _horizon(other))
    cells = set(_cells(one, columns)) & set(_cells(other, columns))
    kept: list[pd.DataFrame] = []
    for group in (one, other):
        here = group[pd.Series(_cells(group, columns), group.index).isin(cells)]
        in_time = here["updates"] <= horizon
        kept.append(here.assign(outcome=here["outcome"].where(in_time, "unsolved")))
    return kept[0], kept[1]


def _cells(group: "pd.DataFrame", columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Name the replicate that each row is of; null is a value like others."""
    return [tuple(map(repr, row)) for row in group[list(columns)].values.tolist()]


def _horizon(group: "pd.DataFrame") -> float:
    """Give the updates that every trial of a group had that was not solved."""
    unsolved = group[group["outcome"] == "unsolved"]["updates"]
    return float(unsolved.min()) if len(unsolved) else math.inf


def drop_of(first: "pd.DataFrame", last: "pd.DataFrame", column: str) -> Gain:
    """Say how much less often the last group is solved than the first, along a column."""
    gain = gain_of(first, last, but=column)
    low, high = gain.interval
    return Gain(-gain.by, Interval(-high, -low), gain.told)


def rows_of(results: "pd.DataFrame", where: Mapping[str, Any]) -> "pd.DataFrame":
    """Give the rows with these values; None means null."""
    for column, value in where.items():
        here = results[column]
        results = results[here.isna() if value is None else here == value]
    return results


def solved_in(results: "pd.DataFrame") -> int:
    """Count the solved trials."""
    return int((results["outcome"] == "solved").sum())
