"""Success rates with intervals: panels side by side, a line per variant."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sweeps.figures.style import LABELS, MARKERS, PALETTE, matching
from sweeps.statistics import wilson
from sweeps.store.columns import Columns

PANEL_WIDTH_IN, PANEL_HEIGHT_IN = 3.5, 3.9
DODGE = 0.03
"""Horizontal shift between the points of two lines, as a share of the axis."""


class Cell(NamedTuple):
    """Counts of replicates, trials that differ in their seed only."""

    x: float
    solved: int
    n: int
    planned: int


def success_panels(
    results: pd.DataFrame,
    trials: Sequence[Any],
    *,
    panel: str,
    panels: Sequence[str],
    x: str,
    x_label: str,
    lines: Mapping[str, Mapping[str, Any]],
) -> Figure:
    """Draw success rates with Wilson 95 % intervals: panels side by side, a line per variant.

    Diverged trials count as not solved.

    Args:
        results: The table, possibly partial.
        trials: All trials of the sweep, to show what is missing.
        panel: The column that distinguishes the panels.
        panels: Its values, left to right.
        x: The column on the horizontal axis.
        x_label: Its label, with unit.
        lines: The columns that define each variant, by its name.

    Returns:
        The figure; its caption shows n, the budget and what is missing.
    """
    planned = pd.DataFrame([Columns().of_trial(trial) for trial in trials])
    results = results[results["trial_id"].isin(planned["trial_id"])]
    figure = Figure(
        figsize=(PANEL_WIDTH_IN * len(panels), PANEL_HEIGHT_IN), layout="constrained"
    )
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    ticks = sorted(planned[x].unique())
    for place, (axis, value) in enumerate(zip(axes, panels, strict=True)):
        axis.set_title(LABELS.get(value, value))
        done = len(matching(results, {panel: value}))
        _note_missing(axis, done, len(matching(planned, {panel: value})))
        for number, (name, fields) in enumerate(lines.items()):
            where = {panel: value, **fields}
            cells = _cells(matching(results, where), matching(planned, where), x)
            _draw_line(axis, cells, name, number, len(lines), ticks)
        _dress(axis, ticks, x_label, first=place == 0)
    figure.legend(
        handles=[_legend_entry(name, number) for number, name in enumerate(lines)],
        loc="outside upper center",
        ncols=len(lines),
        frameon=False,
    )
    figure.supxlabel(_caption(results, planned), fontsize=8)
    return figure


def _cells(results: pd.DataFrame, planned: pd.DataFrame, x: str) -> list[Cell]:
    cells: list[Cell] = []
    for value, wanted in planned.groupby(x):
        here = results[results[x] == value]
        solved = int((here["outcome"] == "solved").sum())
        cells.append(Cell(float(str(value)), solved, len(here), len(wanted)))
    return cells


def _draw_line(
    axis: Axes, cells: list[Cell], name: str, number: int, of: int, ticks: list[float]
) -> None:
    span = (max(ticks) - min(ticks)) or 1.0
    shift = DODGE * span * (number - (of - 1) / 2)
    shown = [cell for cell in cells if cell.n]
    rates = [cell.solved / cell.n for cell in shown]
    bounds = [wilson(cell.solved, cell.n) for cell in shown]
    below = [max(0.0, rate - bound.low) for rate, bound in zip(rates, bounds, strict=True)]
    above = [max(0.0, bound.high - rate) for rate, bound in zip(rates, bounds, strict=True)]
    places = [cell.x + shift for cell in shown]
    # Draw all points above all lines: where rates are equal, a line would hide them.
    axis.plot(places, rates, color=PALETTE[number], linewidth=1.4, zorder=2)
    axis.errorbar(
        places,
        rates,
        yerr=[below, above],
        label=name,
        color=PALETTE[number],
        marker=MARKERS[number],
        markersize=5,
        linestyle="none",
        elinewidth=0.9,
        capsize=2.5,
        zorder=3,
    )


def _note_missing(axis: Axes, done: int, planned: int) -> None:
    if done < planned:
        text = f"{done} of {planned} trials so far" if done else "no trials yet"
        axis.text(0.98, 0.5, text, transform=axis.transAxes, ha="right", color="0.5")


def _legend_entry(name: str, number: int) -> Line2D:
    return Line2D([], [], label=name, color=PALETTE[number], marker=MARKERS[number])


def _dress(axis: Axes, ticks: list[float], x_label: str, *, first: bool) -> None:
    span = (max(ticks) - min(ticks)) or 1.0
    axis.set_xticks(ticks)
    axis.set_xlim(min(ticks) - 0.1 * span, max(ticks) + 0.1 * span)
    axis.set_ylim(-0.04, 1.04)
    axis.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f} %")
    axis.set_xlabel(x_label)
    if first:
        axis.set_ylabel("success rate")
    axis.grid(visible=True, axis="y", linewidth=0.4, alpha=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _caption(results: pd.DataFrame, planned: pd.DataFrame) -> str:
    keys = [c for c in planned.columns if c not in ("trial_id", "seed", "test_lengths")]
    counts = results.groupby(keys, dropna=False).size() if len(results) else pd.Series([0])
    low, high = int(counts.min()), int(counts.max())
    n = f"n = {high}" if low == high else f"n = {low} to {high}"
    unsolved = results[results["outcome"] == "unsolved"]["updates"]
    budget = (
        f"unsolved after {_span(unsolved)} updates" if len(unsolved) else "none unsolved"
    )
    diverged = int((results["outcome"] == "diverged").sum())
    missing = len(planned) - len(results)
    parts = [
        f"{n} seeds a point, Wilson 95 % intervals",
        budget,
        f"{diverged} diverged",
        f"MISSING: {missing} of {len(planned)} trials"
        if missing
        else f"all {len(planned)} trials",
    ]
    return "; ".join(parts) + "."


def _span(values: "pd.Series[int]") -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
