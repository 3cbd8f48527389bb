"""Figures show k of n with Wilson intervals, and say what is missing."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from small import RECURRENT, result, store

from rnnlab import Outcome, Trial
from sweeps.experiments import figure7_more_seeds
from sweeps.experiments.figure7 import INITIALISERS, VARIANTS, draw, sweep
from sweeps.figures import save
from sweeps.report.frames import as_of
from sweeps.statistics import wilson
from sweeps.storage.folder import Folder

mpl.use("agg")


def table(trials: Sequence[Trial], outcomes: list[Outcome]) -> pd.DataFrame:
    rows = [
        {**RECURRENT.columns.of_trial(each), **result(each, 30, outcome).row()}
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


def numbers(drawn: ArrayLike) -> list[float]:
    return np.asarray(drawn).tolist()


def bars(axis: Axes) -> list[ErrorbarContainer]:
    """Give the lines with their error bars."""
    return [each for each in axis.containers if isinstance(each, ErrorbarContainer)]


def drawn_bars(axis: Axes) -> list[ErrorbarContainer]:
    """Give those that have a point."""
    return [each for each in bars(axis) if numbers(each.lines[0].get_xdata())]


def words(figure: Figure) -> str:
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    return " | ".join([*texts, figure.get_supxlabel()])


def test_a_point_is_the_success_rate_and_its_bar_the_wilson_interval() -> None:
    outcomes: list[Outcome] = ["solved", "solved", "unsolved", "diverged", "solved"]
    figure = draw(table(cell("smart_tanh", 50, "MSGD-C"), outcomes))
    smart = figure.axes[2]
    (bar,) = drawn_bars(smart)
    assert numbers(bar.lines[0].get_ydata()) == [0.6]
    (segment,) = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 1], wilson(3, 5))
    assert bar.get_label() == "MSGD-C"


def test_every_point_of_every_line_is_k_of_n() -> None:
    """Read from the axes: heights, bars and places of all thirty-six points."""
    endings: tuple[Outcome, ...] = ("solved", "unsolved", "diverged")
    rng = np.random.default_rng(0)
    outcomes = [endings[each] for each in rng.choice(3, 180, p=(0.5, 0.3, 0.2))]
    results = table(sweep.trials, outcomes)
    won = set(results["trial_id"][results["outcome"] == "solved"])
    figure = draw(results)
    for axis, init in zip(figure.axes, INITIALISERS, strict=True):
        for bar, variant in zip(bars(axis), VARIANTS, strict=True):
            assert bar.get_label() == variant
            cells = [cell(init, length, variant) for length in (50, 100, 150, 200)]
            solved = [sum(t.trial_id in won for t in each) for each in cells]
            line, _, (segments,) = bar.lines
            assert numbers(line.get_ydata()) == [k / 5 for k in solved]
            assert numbers(line.get_xdata()) == pytest.approx([50, 100, 150, 200], abs=5)
            drawn = [segment[:, 1] for segment in segments.get_segments()]
            expected = [tuple(wilson(k, 5)) for k in solved]
            np.testing.assert_allclose(drawn, expected, atol=1e-12)


def test_more_seeds_are_drawn_as_the_papers_five_are() -> None:
    trials = figure7_more_seeds.sweep.trials
    assert set(cell("basic_tanh", 50, "MSGD-CR")) < set(trials)
    outcomes: list[Outcome] = ["solved" if t.seed < 7 else "unsolved" for t in trials]
    basic, smart = figure7_more_seeds.draw(table(trials, outcomes)).axes[:2]
    for axis in (basic, smart):
        assert [bar.get_label() for bar in bars(axis)] == list(VARIANTS)
        for bar in bars(axis):
            assert numbers(bar.lines[0].get_ydata()) == [7 / 20] * 2
            drawn = [segment[:, 1] for segment in bar.lines[2][0].get_segments()]
            np.testing.assert_allclose(drawn, [tuple(wilson(7, 20))] * 2, atol=1e-12)


def test_a_point_is_of_the_replicates_there_are() -> None:
    figure = draw(table(cell("sigmoid", 50, "MSGD")[:3], ["solved", "solved", "unsolved"]))
    (bar,) = drawn_bars(figure.axes[0])
    assert numbers(bar.lines[0].get_ydata()) == [2 / 3]
    (segment,) = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 1], wilson(2, 3))


def test_two_lines_never_hide_each_others_points() -> None:
    figure = draw(table(sweep.trials, ["solved"] * 180))
    for axis in figure.axes:
        places = [tuple(numbers(bar.lines[0].get_xdata())) for bar in bars(axis)]
        assert len(set(itertools.chain(*places))) == 12


def test_the_table_of_a_store_is_drawn_like_any(tmp_path: Path) -> None:
    trials = cell("sigmoid", 100, "MSGD")
    kept = store(tmp_path)
    kept.commit([(each, result(each, 30, "solved")) for each in trials])
    from_store = draw(pd.read_parquet(kept.compact()))
    made = draw(table(trials, ["solved"] * 5))
    assert words(from_store) == words(made)
    (bar,) = drawn_bars(from_store.axes[0])
    assert numbers(bar.lines[0].get_ydata()) == [1.0]


def test_a_table_without_rows_says_that_all_is_missing() -> None:
    said = words(draw(table(sweep.trials, ["solved"] * 180).iloc[:0]))
    assert said.count("no trials yet") == 3
    assert "MISSING: 180 of 180 trials" in said
    assert "n = 0 seeds a point" in said


def test_unequal_replicates_and_budgets_are_shown_as_a_range() -> None:
    trials = [*cell("sigmoid", 50, "MSGD")[:2], *cell("sigmoid", 100, "MSGD")]
    results = table(trials, ["unsolved"] * 7)
    results.loc[0, "updates"] = 4000
    assert "n = 2 to 5 seeds a point" in words(draw(results))
    assert "unsolved after 30 to 4,000 updates" in words(draw(results))


def test_a_partial_table_says_what_is_missing() -> None:
    figure = draw(table(cell("smart_tanh", 50, "MSGD")[:3], ["unsolved"] * 3))
    said = words(figure)
    assert said.count("no trials yet") == 2
    assert "3 of 60 trials so far" in said
    assert "n = 3 seeds a point" in said
    assert "MISSING: 177 of 180 trials" in said
    assert "unsolved after 30 updates" in said


def test_a_whole_table_says_that_nothing_is_missing() -> None:
    outcomes: list[Outcome] = ["solved"] * 180
    outcomes[-1] = "diverged"
    figure = draw(table(sweep.trials, outcomes))
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
    first, second = (
        [Path(path).read_bytes() for path in save(draw(results), Folder(tmp_path), "f")]
        for _ in range(2)
    )
    assert first == second


def test_at_a_smaller_budget_later_endings_have_not_come() -> None:
    results = as_of(table(sweep.trials[:2], ["solved", "diverged"]), 20)
    assert results["outcome"].tolist() == ["unsolved", "unsolved"]
    assert results["updates"].tolist() == [20, 20]
