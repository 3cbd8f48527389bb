"""The history of one trial: a panel for each quantity, against updates."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sweeps.figures.style import PALETTE
from sweeps.statistics import Values, spans_decades
from sweeps.store.columns import KIND
from sweeps.store.trial_id import SHOWN_DIGITS

COLUMNS, WIDTH_IN, ROW_IN, MARGIN_IN = 2, 9.0, 1.5, 1.0
TITLE_LETTERS = 110
FEW = 50
"""Histories of at most this many checks also get point markers."""
LABELS = {
    "error_rate": "wrong of up to 10,000 fresh sequences",
    "loss": "training cost C",
    "grad_norm_mean": "mean gradient norm",
    "grad_norm_max": "largest gradient norm",
    "clipped_share": "clipped updates",
    "repaired_share": "repaired updates",
    "omega": "regulariser Ω",
    "valid_share": "valid steps",
    "spectral_radius": "spectral radius ρ of W_rec",
    "largest_singular_value": "largest singular value λ₁ of W_rec",
}
NOT_DRAWN = ("update", "errors", "sequences")
SHARES = ("clipped_share", "repaired_share", "valid_share")
COLOUR, OF_SOLVED = PALETTE[1], PALETTE[2]
DOTTED: dict[str, Any] = {"color": "0.4", "linewidth": 0.8, "linestyle": ":"}


def history_panels(
    spec: Mapping[str, Any], result: Mapping[str, Any], history: Mapping[str, Values]
) -> Figure:
    """Draw each quantity of a history against updates.

    Args:
        spec: The trial's id and the fields to name it by.
        result: How it ended: the columns of the table after the trial's.
        history: The columns of its checks; at least one check.

    Returns:
        The figure. A line marks the first check with under 1 % wrong; dotted lines are at
        1 % wrong, at the clipping threshold, and at 1/γ.
    """
    names = measured(history)
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDTH_IN, ROW_IN * rows + MARGIN_IN), layout="constrained")
    axes = list(figure.subplots(rows, COLUMNS, sharex=True, squeeze=False).flat)
    axes[0].set_xlim(0, 1.02 * result["updates"])
    dotted = _dotted(spec, result)
    for name, axis in zip(names, axes, strict=False):
        _draw(axis, history["update"], history[name], dotted.get(name))
        _dress(axis, name)
        if (solved_at := _solved_at(result)) is not None:
            axis.axvline(solved_at, color=OF_SOLVED, linewidth=0.9, zorder=1)
    for axis in axes[len(names) - COLUMNS : len(names)]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("updates", fontsize=9)
    for axis in axes[len(names) :]:
        axis.remove()
    figure.suptitle(_title(spec, result), fontsize=10)
    figure.legend(
        handles=_legend(result, dotted),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=8,
    )
    return figure


def _dotted(spec: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, float]:
    """Return the height of the dotted line in each panel that has one."""
    if "clip_threshold" not in result:  # not a recurrent network's
        return {}
    one_over_gamma = 4.0 if spec.get("init") == "sigmoid" else 1.0
    found = {"error_rate": 0.01, "largest_singular_value": one_over_gamma}
    threshold = result["clip_threshold"] or spec.get("clip_norm")
    if threshold is not None and spec.get("clip_by", "norm") == "norm":
        found |= {"grad_norm_mean": threshold, "grad_norm_max": threshold}
    return found


def measured(history: Mapping[str, Values]) -> list[str]:
    """Return the columns of a history that can be drawn, in order."""
    return [
        name
        for name, values in history.items()
        if name not in NOT_DRAWN and not any(isinstance(each, str) for each in values)
    ]


def _solved_at(result: Mapping[str, Any]) -> int | None:
    own = result["updates"] if result["outcome"] == "solved" else None
    return result.get("solved_at", own)


def _draw(axis: Axes, updates: Values, values: Values, dotted: float | None) -> None:
    if all(each is None for each in values):
        axis.text(
            0.5, 0.5, "not recorded", transform=axis.transAxes, ha="center", color="0.5"
        )
        return
    places, heights = _numbers(updates), _numbers(values)
    marker = "." if len(values) <= FEW else ""
    axis.plot(places, heights, color=COLOUR, linewidth=1, marker=marker, zorder=2)
    if dotted is not None:
        axis.axhline(dotted, **DOTTED)
    if spans_decades(values):
        axis.set_yscale("log")
        axis.minorticks_off()
    else:
        axis.ticklabel_format(axis="y", useOffset=False)


def _numbers(values: Values) -> list[float]:
    return [math.nan if each is None else each for each in values]


def _dress(axis: Axes, name: str) -> None:
    axis.set_title(LABELS.get(name, name), loc="left", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axis.xaxis.set_major_formatter(lambda updates, _: f"{updates:,.0f}")
    if name == "error_rate":
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.set_ylim(-1e-4, 1.2)
        axis.set_yticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "0.1 %", "1 %", "10 %", "100 %"])
    elif name in SHARES:
        axis.set_yscale("linear")
        axis.set_ylim(-0.05, 1.05)
        axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axis.grid(visible=True, axis="y", linewidth=0.4, alpha=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _title(spec: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    words = [f"trial {spec['trial_id'][:SHOWN_DIGITS]}:"]
    for name, value in spec.items():
        if name.endswith(KIND):
            words.append(str(value))
        elif name != "trial_id":
            words.append(f"{name.rpartition('.')[2]}={value}".replace(" ", ""))
    ended = (
        f"{result['outcome']} after {result['updates']:,} updates, {result['numerics_id']}"
    )
    named = textwrap.fill(" ".join(words), TITLE_LETTERS, break_on_hyphens=False)
    return f"{named}\n{ended}"


def _legend(result: Mapping[str, Any], dotted: Mapping[str, float]) -> list[Line2D]:
    meanings = {
        "error_rate": "1 % wrong",
        "grad_norm_mean": "threshold of clipping",
        "largest_singular_value": "1/γ",
    }
    label = ", ".join(meaning for name, meaning in meanings.items() if name in dotted)
    found = [Line2D([], [], label=label, **DOTTED)] if label else []
    if (solved_at := _solved_at(result)) is not None:
        how = "under 1 % wrong" if "solved_at" in result else "solved"
        label = f"{how} at {solved_at:,} updates"
        found.append(Line2D([], [], label=label, color=OF_SOLVED))
    return found
