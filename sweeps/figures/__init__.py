"""Plotting functions: one palette, one set of axis labels, intervals and n on every figure.

A figure is drawn from the table alone; with a partial table it shows what is missing.
The package imports matplotlib; import it only to draw.

| module | what it draws |
| --- | --- |
| `success` | success rates: a panel per initialisation, a line per variant |
| `lengths` | error rate against sequence length, a line per seed |
| `problems` | success rate by problem, and error rate during training |
| `thresholds` | success and speed against the clipping threshold |
| `history` | one trial's checks, a panel per quantity |
| `style` | palette, labels, and how figures are written |
"""

from sweeps.figures.history import history_panels as history_panels
from sweeps.figures.lengths import error_against_length as error_against_length
from sweeps.figures.problems import problems as problems
from sweeps.figures.style import rendered as rendered
from sweeps.figures.style import save as save
from sweeps.figures.success import success_panels as success_panels
from sweeps.figures.thresholds import success_by_multiple as success_by_multiple
