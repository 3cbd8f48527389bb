"""How wrong solved models are on sequences of lengths that they were not trained on."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab import Trial
from sweeps.columns import trial_columns
from sweeps.figures.style import LABELS, MARKERS, PALETTE

PANEL_WIDTH_IN, PANEL_HEIGHT_IN = 3.6, 3.6
TESTED_ON = 10_000
"""Sequences of a test."""


def error_against_length(results: pd.DataFrame, trials: Sequence[Trial]) -> Figure:
    """Draw the share of wrong sequences at each tested length: a panel a task, a line a seed.

    Args:
        results: The table, possibly partial.
        trials: All trials of the sweep, to tell what is missing.
    """
    planned = pd.DataFrame([trial_columns(trial) for trial in trials])
    kinds = list(dict.fromkeys(planned["task.kind"]))
    results = results[results["trial_id"].isin(planned["trial_id"])]
    figure = Figure(
        figsize=(PANEL_WIDTH_IN * len(kinds), PANEL_HEIGHT_IN), layout="constrained"
    )
    axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for place, (axis, kind) in enumerate(zip(axes, kinds, strict=True)):
        here = results[results["task.kind"] == kind]
        wanted = planned[planned["task.kind"] == kind]
        for number, (_, row) in enumerate(here.sort_values("seed").iterrows()):
            if row["test_errors"] is not None:
                _draw_model(axis, row, number)
        _dress(axis, wanted, first=place == 0)
        axis.set_title(f"{LABELS.get(kind, kind)}: {_solved(here, wanted)}", fontsize=10)
    figure.supxlabel(_caption(results, planned), fontsize=8)
    return figure


def _draw_model(axis: Axes, row: pd.Series, number: int) -> None:
    shares = [errors / TESTED_ON for errors in row["test_errors"]]
    axis.plot(
        row["test_lengths"],
        shares,
        color=PALETTE[number % len(PALETTE)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        linewidth=1.2,
        label=f"seed {row['seed']}",
        clip_on=False,
    )


def _dress(axis: Axes, planned: pd.DataFrame, *, first: bool) -> None:
    low, high = planned["task.length"].iloc[0], planned["task.length_max"].iloc[0]
    axis.axvspan(low, high, color="0.9", zorder=0, label="trained on")
    axis.axhline(0.01, color="0.4", linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    ticks = [n for n in planned["test_lengths"].iloc[0] if n not in (150, 250, 3000)]
    axis.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axis.minorticks_off()
    axis.set_yscale("symlog", linthresh=1e-3)
    axis.set_ylim(-1e-4, 1)
    axis.set_yticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "0.1 %", "1 %", "10 %", "100 %"])
    axis.set_xlabel("sequence length T (steps)")
    if first:
        axis.set_ylabel("wrong of 10,000 fresh sequences")
    axis.grid(visible=True, axis="y", linewidth=0.4, alpha=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="upper left")


def _solved(here: pd.DataFrame, wanted: pd.DataFrame) -> str:
    solved = int((here["outcome"] == "solved").sum())
    missing = len(wanted) - len(here)
    return f"{solved} of {len(here)} solved" + (f", {missing} missing" if missing else "")


def _caption(results: pd.DataFrame, planned: pd.DataFrame) -> str:
    unsolved = results[results["outcome"] == "unsolved"]["updates"]
    parts = [
        "a line is one model, from the check that solved it; dotted: 1 %",
        f"unsolved after {int(unsolved.min()):,} updates or more"
        if len(unsolved)
        else "none unsolved",
    ]
    missing = len(planned) - len(results)
    parts.append(
        f"MISSING: {missing} of {len(planned)} trials"
        if missing
        else f"all {len(planned)} trials"
    )
    return "; ".join(parts) + "."
