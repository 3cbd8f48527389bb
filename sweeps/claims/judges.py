"""Judge claims on a table: rates, differences of rates and times, each with an interval.

The functions here build the judge of a `sweeps.claims.claim.Claim`. Its verdicts: "reproduced"
if the interval, or every trial, supports the claim; "partly" if only part of the claim or only
the direction is supported; "not" if nothing is; "not run yet" if the trials to compare are
missing. Groups are compared on the cells that both have, at the same number of updates.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sweeps.claims.claim import Finding, Verdict
from sweeps.claims.comparison import median_updates, unsolved_until
from sweeps.claims.groups import Gain, drop_of, gain_of, rows_of, solved_in
from sweeps.statistics import newcombe, wilson

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.claims.claim import Judge

TESTED_ON = 10_000
"""Sequences of a test after training."""
SIGNIFICANT = 0.05
ALIKE = 0.2
"""Rates are alike if the interval of their difference is within ± this."""


def all_solved(results: "pd.DataFrame") -> Finding:
    """Judge "every trial is solved": partly if some are; not if none is."""
    solved, n = solved_in(results), len(results)
    verdict = _by_count(solved, n)
    return Finding(f"{_rate(solved, n)}{unsolved_until(results)}", verdict)


def solved_like(k: int, n: int) -> "Judge":
    """Judge "k of n are solved": our rate is not 0, and may differ from k/n only by chance."""

    def judge(results: "pd.DataFrame") -> Finding:
        ours = solved_in(results), len(results)
        low, high = newcombe(*ours, k, n)
        fits = ours[0] > 0 and low <= 0 <= high
        verdict = "reproduced" if fits else "partly" if ours[0] else "not"
        return Finding(f"{_rate(*ours)}{unsolved_until(results)}", verdict)

    return judge


def right_at(longest: int, wrong_below: int) -> "Judge":
    """Judge how solved models generalise to fresh sequences of other lengths.

    Args:
        longest: The longest length considered; one of `test_lengths`.
        wrong_below: A model is right at a length if fewer than this many of 10,000 are wrong.
    """

    def judge(results: "pd.DataFrame") -> Finding:
        tested = results[results["test_errors"].notna()]
        if tested.empty:
            return Finding("no model was solved, so none was tested", "not")
        found = zip(tested["test_lengths"], tested["test_errors"], strict=True)
        by_length = [
            {n: e for n, e in zip(*each, strict=True) if n <= longest} for each in found
        ]
        right = sum(max(each.values()) < wrong_below for each in by_length)
        worst = {n: max(each[n] for each in by_length) for n in by_length[0]}
        fails_from = next((n for n, e in worst.items() if e >= wrong_below), None)
        text = f"{right} of {len(tested)} solved models are right{_interval(right, len(tested))}"
        if fails_from is not None:
            wrong = [each[longest] for each in by_length]
            shares = dict.fromkeys(
                _percent(extreme) for extreme in (min(wrong), max(wrong))
            )
            text += (
                f"; the first length at which one fails is {fails_from:,}; at "
                f"{longest:,} {' to '.join(shares)} are wrong"
            )
        return Finding(text, _by_count(right, len(results)))

    return judge


def better(
    baseline: Mapping[str, Any],
    variant: Mapping[str, Any],
    panels: Mapping[str, Mapping[str, Any]],
) -> "Judge":
    """Judge "the variant is solved more often than the baseline" in each of several panels.

    Args:
        baseline: Its columns and values.
        variant: Its columns and values.
        panels: Columns and values of each panel, by its name.
    """

    def judge(results: "pd.DataFrame") -> Finding:
        gains = {
            name: gain_of(
                rows_of(results, {**where, **baseline}),
                rows_of(results, {**where, **variant}),
            )
            for name, where in panels.items()
        }
        return _finding(gains, results, _by_signs(gains.values()))

    return judge


def falls(
    column: str, lines: Mapping[str, Mapping[str, Any]], ends: tuple[Any, Any]
) -> "Judge":
    """Judge "the success rate falls along a column, in each line less than in the one before".

    Args:
        column: Such as "task.length".
        lines: Columns and values of each line, by its name; the steepest first.
        ends: The two values of the column to compare: the first and the last.
    """

    def judge(results: "pd.DataFrame") -> Finding:
        drops = {
            name: drop_of(
                rows_of(results, {**where, column: ends[0]}),
                rows_of(results, {**where, column: ends[1]}),
                column,
            )
            for name, where in lines.items()
        }
        steep, least = next(iter(drops.values())), list(drops.values())[-1]
        ordered = all(one.by > other.by for one, other in pairwise(drops.values()))
        verdict = _by_signs(drops.values())
        if verdict in ("reproduced", "partly"):
            certain = steep.interval.low > max(0.0, least.interval.high)
            verdict = "reproduced" if ordered and certain else "partly"
        return _finding(drops, results, verdict)

    return judge


def gains_more(
    column: str,
    halves: tuple[Sequence[Any], Sequence[Any]],
    baseline: Mapping[str, Any],
    variant: Mapping[str, Any],
) -> "Judge":
    """Judge "the variant's gain over the baseline is larger in the second half of a column".

    Reproduced if the intervals of the two gains do not overlap; not if the gain is smaller.
    """

    def judge(results: "pd.DataFrame") -> Finding:
        low, high = (results[results[column].isin(list(half))] for half in halves)
        gains = {
            f"at {half[0]} to {half[-1]}": gain_of(
                rows_of(here, baseline), rows_of(here, variant)
            )
            for half, here in zip(halves, (low, high), strict=True)
        }
        before, after = gains.values()
        verdict: Verdict = "partly" if after.by > before.by else "not"
        if math.isnan(after.by - before.by):
            verdict = "not run yet"
        elif after.interval.low > before.interval.high:
            verdict = "reproduced"
        return _finding(gains, results, verdict)

    return judge


def solved_at_each(column: str) -> "Judge":
    """Judge "it converges at every value of a column": partly if each has a solved trial."""

    def judge(results: "pd.DataFrame") -> Finding:
        groups = [(value, group) for value, group in results.groupby(column)]
        counts = [f"{value:g}: {solved_in(g)} of {len(g)}" for value, g in groups]
        shares = [solved_in(group) / len(group) for _, group in groups]
        verdict = "reproduced" if min(shares) == 1 else "partly" if min(shares) else "not"
        return Finding("; ".join(counts) + unsolved_until(results), verdict)

    return judge


def speeds_differ(column: str, one: float, other: float) -> "Judge":
    """Judge "the time to success differs between two values", by the log-rank test."""

    def judge(results: "pd.DataFrame") -> Finding:
        groups = [rows_of(results, {column: value}) for value in (one, other)]
        if any(group.empty for group in groups):
            return Finding("", "not run yet")
        p = _logrank(*groups)
        medians = [
            f"{value:g}: median {median_updates(group)} updates (n = {len(group)})"
            for value, group in zip((one, other), groups, strict=True)
        ]
        verdict = "reproduced" if p < SIGNIFICANT else "partly"
        return Finding(f"{'; '.join(medians)}; log-rank p = {p:.2g}", verdict)

    return judge


def alike(column: str, one: Any, other: Any) -> "Judge":
    """Judge "both are solved equally often": reproduced if they differ by at most 20 points."""

    def judge(results: "pd.DataFrame") -> Finding:
        gain = gain_of(rows_of(results, {column: one}), rows_of(results, {column: other}))
        low, high = gain.interval
        verdict: Verdict = "not" if low > 0 or high < 0 else "partly"
        if math.isnan(gain.by) or not solved_in(results):
            verdict = "not run yet"
        elif low >= -ALIKE and high <= ALIKE:
            verdict = "reproduced"
        return _finding({f"{one}, then {other}:": gain}, results, verdict)

    return judge


def _finding(
    gains: Mapping[str, Gain], results: "pd.DataFrame", verdict: Verdict
) -> Finding:
    summary = "; ".join(f"{name} {each.summary}" for name, each in gains.items())
    return Finding(summary + unsolved_until(results), verdict)


def _rate(k: int, n: int) -> str:
    return f"{k} of {n} solved{_interval(k, n)}"


def _interval(k: int, n: int) -> str:
    low, high = wilson(k, n)
    return f" ({100 * low:.0f} to {100 * high:.0f} %)"


def _percent(errors: int) -> str:
    return f"{100 * errors / TESTED_ON:.3g} %"


def _by_count(k: int, n: int) -> Verdict:
    return "reproduced" if k == n else "partly" if k else "not"


def _by_signs(gains: Iterable[Gain]) -> Verdict:
    """Return "reproduced" if all gains are certain, "partly" for some gain and no loss."""
    gains = list(gains)
    if all(math.isnan(each.by) for each in gains):
        return "not run yet"
    if any(each.interval.high < 0 for each in gains):
        return "not"
    if all(each.interval.low > 0 for each in gains):
        return "reproduced"
    return "partly" if any(each.by > 0 for each in gains) else "not"


def _logrank(one: "pd.DataFrame", other: "pd.DataFrame") -> float:
    from scipy.stats import CensoredData, logrank

    never = max(one["updates"].max(), other["updates"].max())
    first, second = (
        CensoredData.right_censored(
            group["updates"].where(group["outcome"] != "diverged", never),
            group["outcome"] != "solved",
        )
        for group in (one, other)
    )
    return float(logrank(first, second).pvalue)
