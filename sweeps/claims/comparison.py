"""A Markdown table that compares the paper's success rates with ours, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.statistics import success_curve, time_at, wilson
from sweeps.store.trial_id import id_of

if TYPE_CHECKING:
    import pandas as pd

HEAD = (
    "| problem | settings | paper | ours | 95 % interval | updates to success, median |",
    "| --- | --- | --- | --- | --- | --- |",
)


def comparison(
    results: "pd.DataFrame", problems: Mapping[str, tuple[str, str, Sequence[Any]]]
) -> str:
    """Return a Markdown table with a row for each problem: the paper's success rate and ours.

    Args:
        results: The table, possibly partial.
        problems: By name: what the paper says, its settings in words, and all trials.

    Returns:
        Markdown. The interval is Wilson's; the median is of the Kaplan–Meier estimate, in
        which an unsolved trial is censored at its last update.
    """
    rows = [_row(name, *each, results) for name, each in problems.items()]
    return "\n".join([*HEAD, *rows]) + "\n"


def _row(
    name: str, paper: str, settings: str, trials: Sequence[Any], results: "pd.DataFrame"
) -> str:
    here = results[results["trial_id"].isin([id_of(trial) for trial in trials])]
    n, solved = len(here), int((here["outcome"] == "solved").sum())
    if not n:
        ours, interval, median = "not run yet", "", ""
    else:
        low, high = wilson(solved, n)
        ours = f"{solved} of {n}"
        interval = f"{100 * low:.0f} to {100 * high:.0f} %"
        median = median_updates(here)
    if 0 < n < len(trials):
        ours += f" ({len(trials) - n} missing)"
    ours += unsolved_until(here)
    cells = (name, settings, paper, ours, interval, median)
    return f"| {' | '.join(cells)} |"


def median_updates(trials: "pd.DataFrame") -> str:
    """Return the median of updates to success as text, or a lower bound on it."""
    updates, outcomes = trials["updates"].tolist(), trials["outcome"].tolist()
    when = time_at(success_curve(updates, outcomes), 0.5)
    if math.isfinite(when):
        return f"{when:,.0f}"
    unsolved = trials[trials["outcome"] == "unsolved"]["updates"]
    if unsolved.empty:
        return "never: diverged"
    return f"over {int(unsolved.min()):,}"


def unsolved_until(trials: "pd.DataFrame") -> str:
    """Return how long unsolved trials were trained, as text; empty if there are none."""
    unsolved = trials[trials["outcome"] == "unsolved"]["updates"]
    if unsolved.empty:
        return ""
    low, high = int(unsolved.min()), int(unsolved.max())
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"; {len(unsolved)} unsolved after {span} updates"
