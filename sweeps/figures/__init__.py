"""Figures: one palette, one set of axis labels, intervals and n on every one.

A figure is drawn from the table alone, and from a partial table too: it says what is
missing. matplotlib is imported here and in this package only where something is drawn.

| module | what it draws |
| --- | --- |
| `success` | success rates, a panel an initialisation, a line a variant |
| `lengths` | wrong sequences against their length, a line a seed |
| `problems` | success by problem, and the error on the way |
| `thresholds` | success and speed against the threshold of clipping |
| `history` | what the checks of one trial saw, a panel a quantity |
| `style` | palette, labels, and how figures are written |
"""

from sweeps.figures.history import history_panels as history_panels
from sweeps.figures.lengths import error_against_length as error_against_length
from sweeps.figures.problems import problems as problems
from sweeps.figures.style import rendered as rendered
from sweeps.figures.style import save as save
from sweeps.figures.success import success_panels as success_panels
from sweeps.figures.thresholds import success_by_multiple as success_by_multiple
