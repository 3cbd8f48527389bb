"""A trial's history as lines of text: for each quantity a sparkline over the updates."""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Self, TextIO

from sweeps.statistics import Values, finite, span, spans_decades

BLOCKS, PLAIN, GAP = "▁▂▃▄▅▆▇█", ".:-=+*#@", " "
CELLS = 8
"""Numbers are omitted if a sparkline next to them would have fewer marks."""
NOT_SHOWN = ("update", "errors", "sequences")
"""Columns whose content other columns show better."""
_HEAD = ("first", "last", "min", "max", "")


@dataclass(frozen=True)
class TextStyle:
    """Width and characters of the output."""

    width: int = 80
    """Characters."""
    marks: str = BLOCKS
    """From low to high."""

    @classmethod
    def of(cls, stream: TextIO) -> Self:
        """Take the width of the terminal, and marks that the stream can write."""
        try:
            BLOCKS.encode(stream.encoding)
            marks = BLOCKS
        except UnicodeEncodeError:
            marks = PLAIN
        return cls(shutil.get_terminal_size().columns, marks)


def trace(history: Mapping[str, Values], style: TextStyle) -> list[str]:
    """Return a history as lines: each quantity's sparkline, first, last, lowest and highest.

    Args:
        history: The columns of the checks of one trial; at least one check.
        style: Sets the length of lines.
    """
    updates = [f"{update:,}" for update in history["update"]]
    checks = f"{len(updates):,} check{'s' * (len(updates) > 1)}"
    shown = [
        name for name in history if name not in NOT_SHOWN and _is_numeric(history[name])
    ]
    rows = {name: _numbers(history[name]) for name in shown}
    names = max(map(len, rows))
    cells, widths = _layout(rows, len(updates), style.width - names - 4)

    def line(name: str, drawn: str, numbers: Sequence[str]) -> str:
        beside = zip(numbers, widths, strict=False)  # either may be left out
        shown = "".join(f"{number:>{width}}" for number, width in beside)
        return f"  {name:<{names}}  {drawn:<{cells}}{shown}".rstrip()

    found = [f"  history: {checks}, at {updates[0]} to {updates[-1]} updates"]
    found += [line("", "", _HEAD)] if widths else []
    for name, numbers in rows.items():
        if all(each is None for each in history[name]):
            found.append(line(name, "not recorded", ()))
        else:
            drawn = sparkline(history[name], cells, style.marks)
            found.append(line(name, drawn, numbers))
    return found


def _is_numeric(values: Sequence[object]) -> bool:
    return not any(isinstance(each, str) for each in values)


def sparkline(values: Values, width: int, marks: str = BLOCKS) -> str:
    """Draw values as marks between the lowest and the highest.

    If there are more values than marks, a mark is the mean of several. The scale is
    logarithmic if they span decades.

    Args:
        values: None, NaN and infinity are gaps.
        width: Maximum number of marks.
        marks: From low to high.

    Example:
        >>> sparkline([1, 2, 3, float("nan"), 8], width=10)
        '▁▂▃ █'
        >>> sparkline([1, 10, 100, 1000], width=10)
        '▁▃▆█'
    """
    if spans_decades(values):
        values = [None if each is None else math.log10(each) for each in values]
    low, high = span(values)
    count = min(width, len(values))
    bounds = [place * len(values) // count for place in range(count + 1)] if count else []
    stretches = (finite(values[start:end]) for start, end in pairwise(bounds))
    return "".join(
        marks[_level(fmean(each), low, high, len(marks))] if each else GAP
        for each in stretches
    )


def _layout(
    rows: Mapping[str, Sequence[str]], checks: int, room: int
) -> tuple[int, list[int]]:
    """Divide the width between marks and numbers; no widths if numbers do not fit."""
    columns = zip(_HEAD, *rows.values(), strict=True)
    widths = [max(map(len, column)) + 2 for column in columns]
    free = room - sum(widths)
    if free >= min(CELLS, checks):
        return min(free, checks), widths
    return min(room, checks), []


def _numbers(values: Values) -> tuple[str, ...]:
    first, last, *extremes = (
        "-" if each is None else f"{each:.3g}"
        for each in (values[0], values[-1], *span(values))
    )
    return first, last, *extremes, "log" if spans_decades(values) else ""


def _level(value: float, low: float, high: float, levels: int) -> int:
    share = (value - low) / (high - low) if high > low else 0.0
    return max(0, min(levels - 1, int(levels * share)))
