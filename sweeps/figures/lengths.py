"""Error rates of solved models on sequence lengths that they were not trained on."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.claims.comparison import unsolved_until
from sweeps.figures.style import LABELS, MARKERS, PALETTE, matching
from sweeps.store.columns import Columns

PANEL_WIDTH_IN, PANEL_HEIGHT_IN = 3.6, 3.0
TESTED_ON = 10_000
"""Sequences of a test."""


def error_against_length(
    results: pd.DataFrame, trials: Sequence[Any], initialisers: Sequence[str]
) -> Figure:
    """Draw the share of wrong sequences at each tested length, a line per seed.

    Args:
        results: The table, possibly partial.
        trials: All trials of the sweep, to show what is missing; one column per task.
        initialisers: Values of `init`, one row each.
    """
    planned = pd.DataFrame([Columns().of_trial(trial) for trial in trials])
    kinds = list(dict.fromkeys(planned["task.kind"]))
    results = results[results["trial_id"].isin(planned["trial_id"])]
    rows, columns = len(initialisers), len(kinds)
    size = (PANEL_WIDTH_IN * columns, PANEL_HEIGHT_IN * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, sharex="col", squeeze=False)
    for (init, kind), axis in zip(product(initialisers, kinds), axes.flat, strict=True):
        where = {"init": init, "task.kind": kind}
        here, wanted = matching(results, where), matching(planned, where)
        for number, (_, row) in enumerate(here.sort_values("seed").iterrows()):
            if row["outcome"] == "solved" and row["test_errors"] is not None:
                _draw_model(axis, row, number)
        _dress(axis, wanted)
        axis.set_title(
            f"{LABELS[kind]}, {LABELS[init]}: {_solved(here, wanted)}", fontsize=9
        )
    for axis in axes[:, 0]:
        axis.set_ylabel("wrong of 10,000 fresh sequences")
    for axis in axes[-1]:
        axis.set_xlabel("sequence length T (steps)")
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


def _dress(axis: Axes, planned: pd.DataFrame) -> None:
    low, high = planned["task.length"].iloc[0], planned["task.length_max"].iloc[0]
    axis.axvspan(low, high, color="0.92", zorder=0)
    axis.axhline(0.01, color="0.4", linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    ticks = [n for n in planned["test_lengths"].iloc[0] if n not in (150, 250, 2000, 3000)]
    axis.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axis.minorticks_off()
    axis.set_yscale("symlog", linthresh=1e-3)
    axis.set_ylim(-1e-4, 1)
    axis.set_yticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "0.1 %", "1 %", "10 %", "100 %"])
    axis.grid(visible=True, axis="y", linewidth=0.4, alpha=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, frameon=False, loc="upper left")


def _solved(here: pd.DataFrame, wanted: pd.DataFrame) -> str:
    solved = int((here["outcome"] == "solved").sum())
    missing = len(wanted) - len(here)
    return f"{solved} of {len(here)} solved" + (f", {missing} missing" if missing else "")


def _caption(results: pd.DataFrame, planned: pd.DataFrame) -> str:
    diverged = int((results["outcome"] == "diverged").sum())
    parts = [
        "a line is one model, from the check that solved it; shaded: lengths trained on; dotted: 1 %",
        unsolved_until(results).removeprefix("; ") or "none unsolved",
        f"{diverged} diverged" if diverged else "none diverged",
    ]
    missing = len(planned) - len(results)
    parts.append(
        f"MISSING: {missing} of {len(planned)} trials"
        if missing
        else f"all {len(planned)} trials"
    )
    return "; ".join(parts) + "."
