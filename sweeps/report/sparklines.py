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
"""Numbers are left out where a sparkline beside them would have fewer marks than these."""
NOT_SHOWN = ("update", "errors", "sequences")
"""Columns that others say better."""
_HEAD = ("first", "last", "min", "max", "")


@dataclass(frozen=True)
class TextStyle:
    """What lines are written on."""

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
    """Write a history: for each quantity its sparkline, first, last, least and most.

    Args:
        history: The columns of the checks of one trial; at least one check.
        style: Decides how long lines are.
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
        told = "".join(f"{number:>{width}}" for number, width in beside)
        return f"  {name:<{names}}  {drawn:<{cells}}{told}".rstrip()

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
    """Draw values as marks between the lowest of them and the highest.

    Where there are more values than marks, a mark is the mean of a stretch. The scale is
    logarithmic where they span decades.

    Args:
        values: None, NaN and infinity are gaps.
        width: Marks at most.
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
    """Share room between marks and numbers; no widths where there is none for numbers."""
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
