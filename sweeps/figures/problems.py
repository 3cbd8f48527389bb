"""Success rate by problem, and error rate during training."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.claims.comparison import unsolved_until
from sweeps.figures.style import PALETTE
from sweeps.statistics import wilson
from sweeps.store.trial_id import id_of

ROW_IN, WIDTH_IN = 0.95, 9.5


def problems(
    results: pd.DataFrame, history: pd.DataFrame, trials: Mapping[str, Sequence[Any]]
) -> Figure:
    """Draw the success rate of each problem, and every trial's error rate against updates.

    Args:
        results: The table, possibly partial.
        history: One row per trial and check.
        trials: All trials of the sweep, by problem.
    """
    figure = Figure(figsize=(WIDTH_IN, ROW_IN * len(trials) + 1.2), layout="constrained")
    axes = figure.subplots(len(trials), 2, width_ratios=(1, 3), sharex="col", squeeze=False)
    for (name, planned), (left, right) in zip(trials.items(), axes, strict=True):
        ids = [id_of(trial) for trial in planned]
        here = results[results["trial_id"].isin(ids)]
        _draw_rate(left, name, here, len(planned))
        _draw_errors(right, here, history)
    axes[-1][0].set_xlabel("success rate")
    axes[-1][1].set_xlabel("updates")
    every = {id_of(trial) for planned in trials.values() for trial in planned}
    results = results[results["trial_id"].isin(every)]
    figure.supxlabel(_caption(results, len(every)), fontsize=8)
    return figure


def _draw_rate(axis: Axes, name: str, here: pd.DataFrame, planned: int) -> None:
    axis.set_xlim(-0.03, 1.03)
    axis.set_ylim(-0.5, 0.5)
    axis.set_yticks([0], [name])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False)
    axis.xaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f} %")
    axis.axhline(0, color="0.9", linewidth=6, zorder=0)
    text = "no trials yet"
    if len(here):
        solved = int((here["outcome"] == "solved").sum())
        low, high = wilson(solved, len(here))
        axis.plot([low, high], [0, 0], color=PALETTE[1], linewidth=2, solid_capstyle="butt")
        axis.plot([solved / len(here)], [0], "o", color=PALETTE[1], clip_on=False)
        text = f"{solved} of {len(here)}"
        if len(here) < planned:
            text += f", {planned - len(here)} missing"
    axis.text(0.0, 0.28, text, fontsize=8, color="0.35")


def _draw_errors(axis: Axes, here: pd.DataFrame, history: pd.DataFrame) -> None:
    for number, trial_id in enumerate(here.sort_values("seed")["trial_id"]):
        of_one = history[history["trial_id"] == trial_id]
        colour = PALETTE[number % len(PALETTE)]
        axis.plot(of_one["update"], of_one["error_rate"], color=colour, linewidth=0.8)
        if (here[here["trial_id"] == trial_id]["outcome"] == "solved").any():
            last = of_one.iloc[-1:]
            axis.plot(last["update"], last["error_rate"], "o", color=colour, markersize=4)
    axis.axhline(0.01, color="0.4", linewidth=0.8, linestyle=":")
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axis.xaxis.set_major_formatter(lambda updates, _: f"{updates:,.0f}")
    axis.set_ylabel("wrong", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _caption(results: pd.DataFrame, planned: int) -> str:
    diverged = int((results["outcome"] == "diverged").sum())
    missing = planned - len(results)
    parts = [
        "Wilson 95 % intervals; a line is one trial, a dot its end where solved; dotted: 1 %",
        unsolved_until(results).removeprefix("; ") or "none unsolved",
        f"{diverged} diverged" if diverged else "none diverged",
        f"MISSING: {missing} of {planned} trials" if missing else f"all {planned} trials",
    ]
    return "; ".join(parts) + "."
