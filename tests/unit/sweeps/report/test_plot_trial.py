"""The figure of a trial's history holds its numbers, and says which trial it is of."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from small import NAN, RECURRENT, check, result, store, trial

from rnnlab import TemporalOrder, Trial
from rnnlab.trainer import MEASURED
from sweeps.cli import call
from sweeps.errors import SweepError
from sweeps.figures.history import LABELS, history_panels
from sweeps.report.plot_trial import plot
from sweeps.report.show_trial import show
from sweeps.store.result import Result

mpl.use("agg")

ONE = trial()
COLUMNS = RECURRENT.columns
QUANTITIES = ["error_rate", *MEASURED]
SWINGS: list[dict[str, float]] = [
    {"loss": 1.4, "grad_norm_max": 2.0, "valid_share": 1.0, "omega": 0.25},
    {"loss": NAN, "grad_norm_max": 900.0, "valid_share": 0.5, "omega": 0.5},
    {"loss": 0.2, "grad_norm_max": 30.0, "valid_share": 0.75, "omega": 0.125},
]


def checks(of: list[dict[str, float]]) -> tuple[dict[str, Any], ...]:
    return tuple({**check(10 * (n + 1), errors=3 - n), **each} for n, each in enumerate(of))


def columns(of: tuple[Mapping[str, Any], ...]) -> dict[str, list[Any]]:
    return {name: [each[name] for each in of] for name in ["update", *QUANTITIES]}


def ended(one: Trial, updates: int = 30, **summary: Any) -> Result:
    """A result with the swings as its history."""
    found = result(one, updates)
    summary = {**found.summary, **summary}
    return replace(found, checks=checks(SWINGS)[: updates // 10], summary=summary)


def spec(one: Trial) -> dict[str, Any]:
    """What a figure names a trial by: its id, and what is not as usual."""
    own = COLUMNS.of_trial(one)
    return {"trial_id": one.trial_id, **COLUMNS.differing(own)}


def drawn(one: Trial = ONE, *, solved_at: int | None = 30, **changed: Any) -> Figure:
    found = ended(one, solved_at=solved_at, clip_threshold=1.0)
    return history_panels(spec(one), found.row(), columns(found.checks) | changed)


def panels(figure: Figure) -> dict[str, Axes]:
    titles = {label: name for name, label in LABELS.items()}
    return {titles[axis.get_title(loc="left")]: axis for axis in figure.axes}


def dotted(axis: Axes) -> list[float]:
    found = (line for line in axis.lines if line.get_linestyle() == ":")
    return [float(np.asarray(line.get_ydata())[0]) for line in found]


def words(figure: Figure) -> str:
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " ".join([figure.get_suptitle(), *labels]).replace("\n", " ")


def test_there_is_a_panel_for_each_quantity_with_the_numbers_of_the_history() -> None:
    found = panels(drawn())
    history = columns(checks(SWINGS))
    assert list(found) == QUANTITIES
    for name, axis in found.items():
        line = axis.lines[0]
        np.testing.assert_array_equal(np.asarray(line.get_xdata()), [10, 20, 30])
        np.testing.assert_array_equal(np.asarray(line.get_ydata()), history[name])


def test_what_spans_decades_is_on_a_logarithmic_scale() -> None:
    found = panels(drawn())
    scales = {name: axis.get_yscale() for name, axis in found.items()}
    logarithmic = {name for name, scale in scales.items() if scale == "log"}
    assert logarithmic == {"grad_norm_max"}
    assert scales["error_rate"] == "symlog"


def test_the_check_that_solved_it_is_marked_in_every_panel() -> None:
    figure = drawn(solved_at=20)
    for axis in figure.axes:
        assert np.asarray(axis.lines[-1].get_xdata()).tolist() == [20, 20]
    assert "under 1 % wrong at 20 updates" in words(figure)
    never = drawn(solved_at=None)
    assert "under 1 % wrong at" not in words(never)
    for axis in never.axes:
        assert np.asarray(axis.lines[-1].get_xdata()).tolist() != [20, 20]


@pytest.mark.parametrize(
    ("one", "norm", "gamma"),
    [
        (ONE, [1.0], [1.0]),
        (replace(ONE, init="sigmoid"), [1.0], [4.0]),
        (replace(ONE, clip_by="value"), [], [1.0]),
        (replace(ONE, clip_norm=None), [], [1.0]),
    ],
)
def test_lines_are_where_success_clipping_and_vanishing_begin(
    one: Trial, norm: list[float], gamma: list[float]
) -> None:
    row = ended(one, clip_threshold=one.clip_norm).row()
    found = panels(history_panels(spec(one), row, columns(checks(SWINGS))))
    lines = {name: dotted(axis) for name, axis in found.items() if dotted(axis)}
    of_norms = {"grad_norm_mean": norm, "grad_norm_max": norm} if norm else {}
    assert lines == {"error_rate": [0.01], **of_norms, "largest_singular_value": gamma}
    for name, (height,) in lines.items():
        low, high = found[name].get_ylim()
        assert low < height < high, name


def test_the_legend_names_the_lines_that_are_there() -> None:
    assert "1 % wrong, threshold of clipping, 1/γ" in words(drawn())
    assert "1 % wrong, 1/γ" in words(drawn(replace(ONE, clip_by="value")))


@pytest.mark.parametrize(("in_use", "height"), [(2.5, 2.5), (None, 1.0)])
def test_the_threshold_is_the_one_in_use_and_in_a_row_of_before_the_one_of_the_trial(
    in_use: float | None, height: float
) -> None:
    row = ended(ONE, clip_threshold=in_use).row()
    own = {**spec(ONE), "clip_norm": 1.0}
    found = panels(history_panels(own, row, columns(checks(SWINGS))))
    assert dotted(found["grad_norm_mean"]) == [height]


def test_the_title_names_the_trial_and_what_of_it_is_not_as_usual() -> None:
    one = Trial(task=TemporalOrder(length=70), lr=0.5, seed=3)
    said = words(drawn(one))
    assert f"trial {one.trial_id[:12]}: TemporalOrder length=70 lr=0.5 seed=3" in said
    assert "hidden" not in said
    assert "unsolved after 30 updates" in said
    assert (
        f"trial {Trial().trial_id[:12]}: TemporalOrder\n" in drawn(Trial()).get_suptitle()
    )


def test_what_was_not_recorded_is_said_in_its_panel() -> None:
    found = panels(drawn(largest_singular_value=[None] * 3))
    texts = {name: [text.get_text() for text in a.texts] for name, a in found.items()}
    assert texts.pop("largest_singular_value") == ["not recorded"]
    assert not any(texts.values())
    in_part = panels(drawn(omega=[None, 0.5, 0.25]))["omega"]
    np.testing.assert_array_equal(
        np.asarray(in_part.lines[0].get_ydata()), [NAN, 0.5, 0.25]
    )


def test_a_history_without_a_single_number_is_drawn_as_nothing() -> None:
    axis = panels(drawn(loss=[NAN] * 3))["loss"]
    assert np.isnan(np.asarray(axis.lines[0].get_ydata())).all()
    assert axis.get_yscale() == "linear"


def test_the_lowest_and_highest_numbers_are_inside_their_panels() -> None:
    history = columns(checks(SWINGS))
    for name, axis in panels(drawn()).items():
        low, high = axis.get_ylim()
        assert low <= min(v for v in history[name] if not math.isnan(v)), name
        assert high >= max(v for v in history[name] if not math.isnan(v)), name


def kept(folder: Path, updates: int = 30) -> str:
    store(folder).commit([(ONE, ended(ONE, updates))])
    return ONE.trial_id


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")],
)
def test_a_file_is_of_the_kind_that_its_ending_says(
    tmp_path: Path, ending: str, begins: bytes
) -> None:
    facts = show(kept(tmp_path / "mine"), str(tmp_path))
    file = tmp_path / f"a new folder/it's.{ending}"
    assert plot(facts, str(file)) == str(file)
    first = file.read_bytes()
    assert first.startswith(begins)
    plot(facts, str(file))
    assert file.read_bytes() == first
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_command_draws_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["show", kept(tmp_path / "mine"), "--results", str(tmp_path)]
    file = str(tmp_path / "a.svg")
    assert call([*words, "--plot", file]) == 0
    assert f"history drawn in {file}" in capsys.readouterr().out.splitlines()
    assert call([*words, "--plot", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plot"] == file
    assert call([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plot"] is None
    assert found["results"][0]["history"]["loss"] == [1.4, "nan", 0.2]


def test_the_furthest_result_is_drawn(tmp_path: Path) -> None:
    kept(tmp_path / "mine", 10)
    kept(tmp_path / "other", 30)
    name = kept(tmp_path / "quick" / "mine", 20)
    plot(show(name, str(tmp_path)), str(tmp_path / "a.svg"))
    assert "unsolved after 30 updates" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("file", ["a.jpeg", "a", "svg", ".svg", "a.svg/", "a.svg.gz", ""])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, file: str) -> None:
    facts = show(kept(tmp_path / "mine"), str(tmp_path))
    with pytest.raises(SweepError, match=r"ends in \.svg, \.png or \.pdf"):
        plot(facts, f"{tmp_path}/{file}")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("file", ["file/a.svg", "folder.svg"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.svg").mkdir()
    facts = show(kept(tmp_path / "mine"), str(tmp_path))
    with pytest.raises(SweepError, match=f"cannot be written to {tmp_path}/{file}"):
        plot(facts, f"{tmp_path}/{file}")
    assert (tmp_path / "file").read_text() == ""
    assert list((tmp_path / "folder.svg").iterdir()) == []


def test_a_trial_without_a_check_cannot_be_drawn(tmp_path: Path) -> None:
    early = result(ONE, 3, "diverged")
    store(tmp_path / "mine").commit([(ONE, early)])
    facts = show(ONE.trial_id, str(tmp_path))
    for each in (facts, facts | {"results": []}):
        with pytest.raises(SweepError, match="has no check to draw"):
            plot(each, f"{tmp_path}/a.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
