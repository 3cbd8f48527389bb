"""Draw a batch into memory: the first stage of an update."""

from collections.abc import Callable

import numpy as np
from numba import njit

from rnnlab.engines.fused_cpu.network import Work
from rnnlab.engines.fused_cpu.operations import double_rows, doubles, floats, integers
from rnnlab.engines.fused_cpu.products import FLOAT_BYTES, INDEX_BYTES


@njit(error_model="numpy", nogil=True)
def fill_batch(
    draw: Callable[..., None],
    seed: int,
    purpose: int,
    index: int,
    first: int,
    count: int,
    steps: int,
    work: Work,
) -> None:
    """Draw sequences `first`, … of a batch: their inputs and targets."""
    settings = integers(work.settings, work.setting_count)
    rows = 1 if work.one_hot else work.inputs
    asked = work.outputs if work.numbers else (steps if work.each_step else 1)
    inputs = double_rows(work.drawn, rows, steps)
    targets = doubles(work.drawn_targets, asked)
    for k in range(count):
        draw(seed, purpose, index, first + k, steps, settings, inputs, targets)
        if work.one_hot:
            keep_symbols(work, k, inputs[0])
        else:
            keep_values(work, k, inputs)
        if work.numbers:
            keep_wanted(work, k, targets)
        else:
            keep_classes(work, k, targets)


@njit(error_model="numpy", nogil=True)
def keep_symbols(work: Work, k: int, drawn: np.ndarray) -> None:
    """Write the symbols of sequence k as integers."""
    row = integers(work.symbols + INDEX_BYTES * k * work.longest, drawn.size)
    for t in range(drawn.size):
        row[t] = int(drawn[t])


@njit(error_model="numpy", nogil=True)
def keep_values(work: Work, k: int, drawn: np.ndarray) -> None:
    """Write the input numbers of sequence k, those of one step side by side."""
    rows, steps = drawn.shape
    place = work.values + FLOAT_BYTES * k * work.longest * rows
    values = floats(place, steps * rows)
    for t in range(steps):
        for row in range(rows):
            values[t * rows + row] = drawn[row, t]


@njit(error_model="numpy", nogil=True)
def keep_classes(work: Work, k: int, drawn: np.ndarray) -> None:
    """Write the target classes of sequence k as integers."""
    column = integers(work.classes + INDEX_BYTES * k, drawn.size * work.batch)
    for t in range(drawn.size):
        column[t * work.batch] = int(drawn[t])


@njit(error_model="numpy", nogil=True)
def keep_wanted(work: Work, k: int, drawn: np.ndarray) -> None:
    """Write the target numbers of sequence k."""
    row = floats(work.wanted + FLOAT_BYTES * k * work.outputs, drawn.size)
    for output in range(drawn.size):
        row[output] = drawn[output]
