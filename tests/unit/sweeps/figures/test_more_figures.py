"""Figures of the other experiments: what is drawn is what the table and the history say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from small import RECURRENT, result

from rnnlab import Outcome, Trial
from sweeps.experiments import any_length, clip_threshold, pathological
from sweeps.report.frames import as_of
from sweeps.statistics import wilson
from sweeps.store.result import Result


def table(pairs: list[tuple[Trial, Result]]) -> pd.DataFrame:
    rows = [{**RECURRENT.columns.of_trial(one), **found.row()} for one, found in pairs]
    columns = [*RECURRENT.columns.of_trial(Trial()), *result(Trial()).row()]
    return pd.DataFrame(rows, columns=None if rows else columns)


def history(pairs: list[tuple[Trial, Result]]) -> pd.DataFrame:
    rows = [row for _, found in pairs for row in found.history()]
    return pd.DataFrame(rows or result(Trial()).history())


def ended(of: Trial, outcome: Outcome, updates: int, **summary: Any) -> Result:
    found = result(of, updates, outcome)
    return replace(found, summary={**found.summary, **summary})


def words(figure: Figure) -> str:
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    titles = [axis.get_title() for axis in figure.axes]
    return " | ".join([*texts, *titles, figure.get_supxlabel()])


def test_a_line_of_any_length_is_the_errors_of_one_model() -> None:
    trials = any_length.sweep.trials
    solved = [
        (one, ended(one, "solved", 30, test_errors=errors))
        for one, errors in zip(trials[::6], [(0,) * 10, (5,) * 9 + (1234,)], strict=False)
    ]
    unsolved = [(trials[1], ended(trials[1], "unsolved", 40))]
    figure = any_length.draw(table(solved + unsolved))
    order, addition = figure.axes[:2]
    first, second = order.lines[:2]
    assert np.asarray(first.get_ydata()).tolist() == [0] * 10
    assert np.asarray(second.get_ydata()).tolist() == [0.0005] * 9 + [0.1234]
    assert np.asarray(second.get_xdata()).tolist() == list(any_length.LENGTHS)
    assert len([x for x in addition.lines if len(np.asarray(x.get_xdata())) == 6]) == 0
    said = words(figure)
    assert "2 of 2 solved, 3 missing" in said
    assert "0 of 1 solved, 4 missing" in said
    assert "1 unsolved after 40 updates" in said
    assert "MISSING: 27 of 30 trials" in said


def test_problems_show_success_and_every_error_on_the_way() -> None:
    of_one = pathological.TRIALS["addition"]
    outcomes: list[Outcome] = ["solved", "unsolved", "solved", "diverged"]
    pairs = [
        (one, ended(one, outcome, 30))
        for one, outcome in zip(of_one, outcomes, strict=False)
    ]
    figure = pathological.draw(table(pairs), history(pairs))
    place = list(pathological.TRIALS).index("addition")
    left, right = figure.axes[2 * place : 2 * place + 2]
    bar, point = left.lines[1:3]
    assert np.asarray(bar.get_xdata()).tolist() == pytest.approx(list(wilson(2, 4)))
    assert np.asarray(point.get_xdata()).tolist() == [0.5]
    lines = [line for line in right.lines if len(np.asarray(line.get_xdata())) == 3]
    assert len(lines) == 4
    assert np.asarray(lines[0].get_xdata()).tolist() == [10, 20, 30]
    expected = [check["error_rate"] for check in pairs[0][1].checks]
    assert np.asarray(lines[0].get_ydata()).tolist() == expected
    said = words(figure)
    assert "2 of 4, 1 missing" in said
    assert said.count("no trials yet") == 6
    assert "MISSING: 61 of 65 trials" in said


def test_the_comparison_has_a_row_a_problem_with_k_of_n_and_its_interval() -> None:
    of_one = pathological.TRIALS["random permutation"]
    outcomes: list[Outcome] = ["solved", "unsolved", "solved", "diverged", "unsolved"]
    updates = (20, 50, 30, 10, 50)
    pairs = [
        (one, ended(one, *end))
        for one, end in zip(of_one, zip(outcomes, updates, strict=True), strict=True)
    ]
    lines = pathological.compare(table(pairs)).splitlines()
    assert len(lines) == 2 + len(pathological.TRIALS)
    (row,) = [line for line in lines if "permutation" in line]
    assert "100 units, lr 0.001, α 1, threshold 6" in row
    assert "| 2 of 5 | 2 of 5; 2 unsolved after 50 updates | 12 to 77 % | over 50 |" in row
    assert sum("not run yet" in line for line in lines) == 6
    addition = pathological.TRIALS["addition"][:3]
    text = pathological.compare(
        table([(one, ended(one, "solved", 30)) for one in addition])
    )
    assert "| 100 % | 3 of 3 (2 missing) | 44 to 100 % | 30 |" in text


def test_thresholds_show_success_and_the_median_time_to_it() -> None:
    cell = [
        one
        for one in clip_threshold.STAGE_TWO
        if (one.task.length, one.init, one.clip_by, one.clip_multiple)
        == (50, "smart_tanh", "value", 2.0)
    ]
    ends: list[tuple[Outcome, int]] = [
        ("solved", 10),
        ("solved", 20),
        ("solved", 30),
        ("unsolved", 40),
        ("unsolved", 40),
    ]
    pairs = [(one, ended(one, *end)) for one, end in zip(cell, ends, strict=True)]
    figure = clip_threshold.draw(table(pairs))
    rates, times = figure.axes[3], figure.axes[7]
    (bar,) = [
        each
        for each in rates.containers
        if isinstance(each, ErrorbarContainer)
        and len(np.asarray(each.lines[0].get_xdata()))
    ]
    assert np.asarray(bar.lines[0].get_ydata()).tolist() == [0.6]
    quartiles, median = times.lines
    assert np.asarray(median.get_ydata()).tolist() == [30]
    assert np.asarray(quartiles.get_ydata()).tolist() == [20, 40]
    assert "5 of 100 trials" in words(figure)
    assert "MISSING: 395 of 400 trials" in words(figure)


def test_where_half_are_not_solved_the_median_is_beyond_the_budget() -> None:
    cell = clip_threshold.STAGE_TWO[:1]
    figure = clip_threshold.draw(table([(cell[0], ended(cell[0], "unsolved", 40))]))
    (point,) = figure.axes[4].lines
    assert np.asarray(point.get_ydata()).tolist() == [40]
    assert point.get_markerfacecolor() == "w"


def test_a_model_that_was_solved_later_than_the_budget_is_not_drawn() -> None:
    one = any_length.sweep.trials[0]
    found = table([(one, ended(one, "solved", 30, test_errors=(0,) * 10))])
    drawn = any_length.draw(as_of(found, 20)).axes[0]
    assert not [line for line in drawn.lines if len(np.asarray(line.get_xdata())) == 10]
    assert as_of(found, 20)["test_errors"].tolist() == [None]


@pytest.mark.parametrize("experiment", [any_length, pathological])
def test_diverged_trials_are_reported(experiment: Any) -> None:
    one, other = experiment.sweep.trials[:2]
    pairs = [(one, ended(one, "diverged", 30)), (other, ended(other, "unsolved", 40))]
    takes_history = experiment is pathological
    figure = experiment.draw(table(pairs), *([history(pairs)] if takes_history else []))
    assert "1 unsolved after 40 updates; 1 diverged" in words(figure)


def test_figures_of_nothing_say_that_all_is_missing() -> None:
    nothing = table([])
    assert "MISSING: 30 of 30" in words(any_length.draw(nothing))
    assert "MISSING: 65 of 65" in words(pathological.draw(nothing, history([])))
    assert "MISSING: 400 of 400" in words(clip_threshold.draw(nothing))


def test_a_trial_of_stage_two_refers_to_trials_of_stage_one() -> None:
    from rnnlab.threshold import references

    stage_one = set(clip_threshold.STAGE_ONE)
    assert {one for two in clip_threshold.STAGE_TWO for one in references(two)} == stage_one


def test_the_experiments_have_the_settings_that_they_name() -> None:
    of_one = {name: trials[0] for name, trials in pathological.TRIALS.items()}
    assert {(t.init, t.check_every) for t in of_one.values()} == {("basic_tanh", 2000)}
    assert {name: (t.lr, t.clip_norm, t.omega_weight) for name, t in of_one.items()} == {
        "temporal order": (1e-3, 6, 2),
        "3-bit temporal order": (1e-3, 6, 2),
        "addition": (1e-2, 6, 0.5),
        "multiplication": (1e-2, 6, 0.5),
        "random permutation": (1e-3, 6, 1),
        "memorisation, 5 bits": (1e-2, 1, 2),
        "memorisation, 20 bits": (1e-2, 1, 2),
    }
    assert {t.task.length_max for t in pathological.sweep.trials} == {200, None}
    assert len(pathological.TRIALS["memorisation, 5 bits"]) == 20
    assert {t.batch for t in pathological.TRIALS["memorisation, 5 bits"]} == {32}
    assert {t.stop for t in any_length.sweep.trials} == {"zero_errors"}
