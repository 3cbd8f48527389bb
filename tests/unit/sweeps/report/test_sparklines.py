"""A sparkline has a mark for each stretch of checks, and a gap where there is no number."""

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import NAN, RECURRENT

from rnnlab.trainer import MEASURED
from sweeps.report.sparklines import BLOCKS, PLAIN, TextStyle, sparkline, trace
from sweeps.statistics import Values, spans_decades

NUMBERS = st.floats(-1e100, 1e100)
VALUES = st.lists(NUMBERS | st.just(NAN) | st.just(math.inf) | st.none(), max_size=50)
WIDE = TextStyle(width=100)
QUANTITIES = ["error_rate", *MEASURED]


def history(checks: int = 4, **columns: Values) -> dict[str, Values]:
    """A history in which all that is not given is constant."""
    constant: dict[str, Values] = {name: [0.5] * checks for name in QUANTITIES}
    return {**constant, "update": range(10, 10 * checks + 1, 10), **columns}


def line_of(name: str, lines: list[str]) -> list[str]:
    (found,) = (line for line in lines if line.split()[:1] == [name])
    return found.split()[1:]


@given(VALUES, st.integers(1, 60))
def test_a_line_is_as_long_as_there_are_values_or_as_wide_as_it_may(
    values: list[float | None], width: int
) -> None:
    drawn = sparkline(values, width)
    assert len(drawn) == min(len(values), width)
    assert set(drawn) <= {*BLOCKS, " "}


@given(st.lists(NUMBERS, min_size=2, max_size=50, unique=True))
def test_the_lowest_has_the_lowest_mark_and_the_highest_the_highest(
    values: list[float],
) -> None:
    drawn = sparkline(values, len(values))
    assert drawn[values.index(min(values))] == BLOCKS[0]
    assert drawn[values.index(max(values))] == BLOCKS[-1]


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_what_is_higher_never_has_a_lower_mark(values: list[float]) -> None:
    drawn = sparkline(values, len(values))
    pairs = sorted(zip(values, drawn, strict=True))
    marks = [BLOCKS.index(mark) for _, mark in pairs]
    assert marks == sorted(marks)


@given(NUMBERS, st.integers(1, 50), st.integers(1, 50))
def test_a_constant_is_a_flat_line_at_the_bottom(
    value: float, count: int, width: int
) -> None:
    assert sparkline([value] * count, width) == BLOCKS[0] * min(count, width)


@given(VALUES)
def test_a_gap_is_where_a_number_is_missing_or_not_finite(
    values: list[float | None],
) -> None:
    drawn = sparkline(values, len(values) + 1)
    missing = [each is None or not math.isfinite(each) for each in values]
    assert [mark == " " for mark in drawn] == missing


def test_marks_rise_evenly() -> None:
    assert sparkline(range(8), 8) == BLOCKS
    assert sparkline(range(8), 8, PLAIN) == PLAIN
    assert sparkline(range(16), 16) == "".join(2 * mark for mark in BLOCKS)


def test_many_checks_share_a_mark_that_is_their_mean() -> None:
    assert sparkline([0, 0, 0, 8, 8, 8, 3, 4, 5], 3) == "▁█▅"
    assert sparkline([0, NAN, NAN, NAN, 8, 8], 3) == "▁ █"
    assert sparkline([NAN, 0, 7, NAN], 2) == "▁█"


@pytest.mark.parametrize("unit", [1e-9, 1.0, 3e30])
def test_decades_are_drawn_evenly_on_a_logarithmic_scale(unit: float) -> None:
    values = [unit * 10**power for power in range(8)]
    assert spans_decades(values)
    assert sparkline(values, 8) == BLOCKS


@pytest.mark.parametrize("values", [[], [NAN], [None], [0.0, 1e9], [-1.0, 1e9], [1.0, 99]])
def test_what_is_not_positive_or_spans_little_is_drawn_linearly(
    values: list[float | None],
) -> None:
    assert not spans_decades(values)


def test_what_is_not_a_number_does_not_decide_about_the_scale() -> None:
    assert spans_decades([1.0, NAN, 100.0, None])
    assert not spans_decades([1.0, math.inf])


def test_each_quantity_has_its_first_last_lowest_and_highest_number() -> None:
    lines = trace(history(loss=[1.25, 4.0, 0.03125, 2.0]), WIDE)
    assert lines[0] == "  history: 4 checks, at 10 to 40 updates"
    assert lines[1].split() == ["first", "last", "min", "max"]
    assert line_of("loss", lines) == ["▇█▁▇", "1.25", "2", "0.0312", "4", "log"]
    assert line_of("omega", lines) == ["▁▁▁▁", "0.5", "0.5", "0.5", "0.5"]
    assert [line.split()[0] for line in lines[2:]] == QUANTITIES


@pytest.mark.parametrize(
    ("checks", "said"),
    [(1, "1 check, at 10 to 10"), (2500, "2,500 checks, at 10 to 25,000")],
)
def test_the_number_of_checks_is_shown(checks: int, said: str) -> None:
    assert trace(history(checks), WIDE)[0] == f"  history: {said} updates"


def test_no_quantity_of_the_history_is_left_out() -> None:
    about = {"trial_id", "numerics_id", "update", "errors", "sequences"}
    assert set(QUANTITIES) == set(RECURRENT.columns.check or {}) - about


def test_missing_numbers_are_marked_and_do_not_count() -> None:
    lines = trace(history(loss=[NAN, 4.0, 1.0, None], omega=[NAN] * 4), WIDE)
    assert line_of("loss", lines) == ["█▁", "nan", "-", "1", "4"]
    assert "  loss                     █▁ " in lines[3]
    assert line_of("omega", lines) == ["nan", "nan", "nan", "nan"]


def test_a_quantity_that_was_not_recorded_yet_says_so() -> None:
    lines = trace(history(largest_singular_value=[None] * 4), WIDE)
    assert line_of("largest_singular_value", lines) == ["not", "recorded"]


@given(st.integers(60, 300), st.integers(1, 300), st.floats(1e-30, 1e30))
def test_every_line_fits_the_terminal(width: int, checks: int, value: float) -> None:
    of = history(checks, loss=[value] * (checks - 1) + [1.0])
    assert max(map(len, trace(of, TextStyle(width)))) <= width


def test_a_line_of_many_checks_fills_the_terminal_and_one_of_few_does_not() -> None:
    of = history(500, loss=[float(n % 7 + 1) for n in range(500)])
    filled = [len(line) for line in trace(of, TextStyle(120)) if line.split()[0] == "loss"]
    assert 110 <= filled[0] <= 120
    assert max(len(line) for line in trace(history(3), TextStyle(120))) < 60


def test_a_narrow_terminal_shows_the_lines_without_their_numbers() -> None:
    lines = trace(history(100), TextStyle(40))
    assert [line.split()[0] for line in lines[1:]] == QUANTITIES
    assert {len(line) for line in lines[1:]} == {40}
    assert all(set(line.split()[1]) == {"▁"} for line in lines[1:])


def test_few_checks_leave_room_for_numbers_on_a_narrow_terminal_too() -> None:
    assert line_of("loss", trace(history(3), TextStyle(56)))[1:] == ["0.5"] * 4
    assert line_of("loss", trace(history(30), TextStyle(56)))[1:] == []


@pytest.mark.parametrize(
    ("encoding", "marks"), [("utf-8", BLOCKS), ("ascii", PLAIN), ("latin-1", PLAIN)]
)
def test_marks_are_plain_where_the_output_cannot_show_blocks(
    encoding: str, marks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert TextStyle.of(stream) == TextStyle(123, marks)
    of = history(loss=[1.0, 2.0, 3.0, 8.0])
    "\n".join(trace(of, TextStyle.of(stream))).encode(encoding)
