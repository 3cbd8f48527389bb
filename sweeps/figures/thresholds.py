"""Success and speed against the clipping threshold."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from sweeps.claims.comparison import unsolved_until
from sweeps.figures.style import LABELS, MARKERS, PALETTE, matching
from sweeps.statistics import success_curve, time_at, wilson
from sweeps.store.columns import Columns

PANEL_WIDTH_IN, HEIGHT_IN = 2.9, 5.2
SPREAD = 0.04
"""Horizontal shift between the points of two lines, as a share of a decade."""


def success_by_multiple(
    results: pd.DataFrame,
    trials: Sequence[Any],
    initialisers: Sequence[str],
    clippings: Sequence[str],
) -> Figure:
    """Draw the success rate, and below it updates to success, against `clip_multiple`.

    Updates to success are the median of the Kaplan–Meier estimate, with its quartiles as
    a bar; an unsolved trial is censored at its last update.

    Args:
        results: The table, possibly partial.
        trials: The trials with a multiple, to show what is missing.
        initialisers: Values of `init`, left to right.
        clippings: Values of `clip_by`, left to right within each.
    """
    planned = pd.DataFrame([Columns().of_trial(trial) for trial in trials])
    results = results[results["trial_id"].isin(planned["trial_id"])]
    panels = [(init, clip_by) for init in initialisers for clip_by in clippings]
    figure = Figure(figsize=(PANEL_WIDTH_IN * len(panels), HEIGHT_IN), layout="constrained")
    rows = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for place, (init, clip_by) in enumerate(panels):
        where = {"init": init, "clip_by": clip_by}
        wanted, here = matching(planned, where), matching(results, where)
        for number, length in enumerate(sorted(wanted["task.length"].unique())):
            of_length = matching(here, {"task.length": length})
            _draw_rates(rows[0][place], of_length, number, f"T = {length}")
            _draw_times(rows[1][place], of_length, number)
        rows[0][place].set_title(
            f"{LABELS.get(init, init)}, by {clip_by}\n{len(here)} of {len(wanted)} trials",
            fontsize=9,
        )
        _dress(rows[0][place], rows[1][place], sorted(wanted["clip_multiple"].unique()))
    rows[0][0].set_ylabel("success rate")
    rows[1][0].set_ylabel("updates to success")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), frameon=False
    )
    figure.supxlabel(_caption(results, planned), fontsize=8)
    return figure


def _draw_rates(axis: Axes, here: pd.DataFrame, number: int, label: str) -> None:
    groups = [(float(str(m)), g) for m, g in here.groupby("clip_multiple")]
    rates = [float((g["outcome"] == "solved").mean()) for _, g in groups]
    bounds = [wilson(int((g["outcome"] == "solved").sum()), len(g)) for _, g in groups]
    axis.errorbar(
        [_shifted(m, number) for m, _ in groups],
        rates,
        yerr=[
            [max(0.0, r - b.low) for r, b in zip(rates, bounds, strict=True)],
            [max(0.0, b.high - r) for r, b in zip(rates, bounds, strict=True)],
        ],
        label=label,
        color=PALETTE[number],
        marker=MARKERS[number],
        markersize=4,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
    )


def _draw_times(axis: Axes, here: pd.DataFrame, number: int) -> None:
    for multiple, group in here.groupby("clip_multiple"):
        curve = success_curve(group["updates"].tolist(), group["outcome"].tolist())
        low, middle, high = (time_at(curve, share) for share in (0.75, 0.5, 0.25))
        x, budget = _shifted(float(str(multiple)), number), float(group["updates"].max())
        colour = PALETTE[number]
        if math.isfinite(low):
            top = min(high, budget)
            axis.plot([x, x], [low, top], color=colour, linewidth=0.8)
        if math.isfinite(middle):
            axis.plot([x], [middle], MARKERS[number], color=colour, markersize=4)
        else:
            axis.plot([x], [budget], MARKERS[number], color=colour, markersize=4, mfc="w")


def _shifted(multiple: float, number: int) -> float:
    return multiple * 10 ** (SPREAD * (number - 1.5))


def _dress(top: Axes, bottom: Axes, ticks: Sequence[float]) -> None:
    top.set_ylim(-0.04, 1.04)
    top.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f} %")
    bottom.set_xscale("log")
    bottom.set_yscale("log")
    bottom.set_xticks(list(ticks), [f"{tick:g}" for tick in ticks])
    bottom.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bottom.yaxis.set_major_formatter(lambda updates, _: f"{updates:,.0f}")
    bottom.minorticks_off()
    bottom.set_xlabel("threshold / mean norm")
    for axis in (top, bottom):
        axis.grid(visible=True, axis="y", linewidth=0.4, alpha=0.6)
        axis.spines[["top", "right"]].set_visible(False)


def _caption(results: pd.DataFrame, planned: pd.DataFrame) -> str:
    missing = len(planned) - len(results)
    parts = [
        "above: Wilson 95 % intervals",
        "below: Kaplan–Meier median and quartiles, hollow where beyond the budget",
        unsolved_until(results).removeprefix("; ") or "none unsolved",
        f"MISSING: {missing} of {len(planned)} trials"
        if missing
        else f"all {len(planned)} trials",
    ]
    return "; ".join(parts) + "."
