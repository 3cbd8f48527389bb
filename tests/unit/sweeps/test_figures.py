"""Figures show k of n with Wilson intervals, and say what is missing."""

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from small import result

from rnnlab import Outcome, Trial
from sweeps.columns import result_columns, trial_columns
from sweeps.drawing import as_of
from sweeps.experiments.figure7 import VARIANTS, draw, sweep
from sweeps.figures import save
from sweeps.statistics import wilson

mpl.use("agg")


def table(trials: list[Trial], outcomes: list[Outcome]) -> pd.DataFrame:
    rows = [
        {**trial_columns(each), **result_columns(result(each, 30, outcome))}
        for each, outcome in zip(trials, outcomes, strict=True)
    ]
    return pd.DataFrame(rows)


def cell(init: str, length: int, variant: str) -> list[Trial]:
    fields = VARIANTS[variant]
    return [
        each
        for each in sweep.trials
        if (each.init, each.task.length) == (init, length)
        and all(getattr(each, name) == value for name, value in fields.items())
    ]


def words(figure: Figure) -> str:
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    return " | ".join([*texts, figure.get_supxlabel()])


def test_a_point_is_the_success_rate_and_its_bar_the_wilson_interval() -> None:
    outcomes: list[Outcome] = ["solved", "solved", "unsolved", "diverged", "solved"]
    figure = draw(table(cell("smart_tanh", 50, "MSGD-C"), outcomes))
    smart = figure.axes[2]
    (bar,) = [c for c in smart.containers if len(c.lines[0].get_ydata())]
    assert list(bar.lines[0].get_ydata()) == [0.6]
    (segment,) = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 1], wilson(3, 5))
    assert bar.get_label() == "MSGD-C"


def test_a_partial_table_says_what_is_missing() -> None:
    figure = draw(table(cell("smart_tanh", 50, "MSGD")[:3], ["unsolved"] * 3))
    said = words(figure)
    assert said.count("no trials yet") == 2
    assert "3 of 60 trials so far" in said
    assert "n = 3 seeds a point" in said
    assert "MISSING: 177 of 180 trials" in said
    assert "unsolved after 30 updates" in said


def test_a_whole_table_says_that_nothing_is_missing() -> None:
    figure = draw(table(sweep.trials, ["solved"] * 179 + ["diverged"]))
    said = words(figure)
    assert "all 180 trials" in said
    assert "n = 5 seeds a point" in said
    assert "1 diverged" in said
    assert "MISSING" not in said
    assert [axis.get_title() for axis in figure.axes] == [
        "sigmoid",
        "basic tanh",
        "smart tanh",
    ]
    assert all(len(axis.containers) == 3 for axis in figure.axes)


def test_rows_of_trials_that_are_not_of_the_sweep_are_left_out() -> None:
    stranger = Trial(hidden=7)
    figure = draw(table([*cell("sigmoid", 50, "MSGD"), stranger], ["solved"] * 6))
    assert "MISSING: 175 of 180 trials" in words(figure)


def test_a_figure_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    results = table(sweep.trials[:20], ["solved"] * 20)
    first = [path.read_bytes() for path in save(draw(results), tmp_path / "figure7")]
    second = [path.read_bytes() for path in save(draw(results), tmp_path / "figure7")]
    assert first == second


def test_at_a_smaller_budget_later_endings_have_not_come() -> None:
    results = as_of(table(sweep.trials[:2], ["solved", "diverged"]), 20)
    assert results["outcome"].tolist() == ["unsolved", "unsolved"]
    assert results["updates"].tolist() == [20, 20]


@pytest.mark.parametrize("k", range(6))
def test_wilson_is_the_score_interval(k: int) -> None:
    n, z = 5, 1.959963984540054
    centre = (k / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert wilson(k, n) == pytest.approx((max(0, centre - half), min(1, centre + half)))


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_a_rate_that_cannot_be_is_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="No rate is"):
        wilson(k, n)
