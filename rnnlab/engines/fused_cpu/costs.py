"""Outputs y = W_out h + b_out, the cost C and its derivatives; see `rnnlab.costs`.

With e = ∂C/∂y, which overwrites y: ∂C/∂b_out = Σ e, ∂C/∂W_out = Σ eᵀ h, and the cost adds
e W_out to ∂C/∂h. The rows of y are the sequences; with a class at each step there is such
a set of rows for every step.
"""

import numpy as np
from numba import njit

from rnnlab.bounds import WRONG_ABOVE
from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.network import Network, Work
from rnnlab.engines.fused_cpu.operations import doubles, floats, integers
from rnnlab.engines.fused_cpu.products import (
    FLOAT_BYTES,
    Matrix,
    Rows,
    Start,
    multiply,
)
from rnnlab.engines.fused_cpu.steps import step_of
from rnnlab.engines.fused_cpu.units import exp_of_negative, log

_FAR_BELOW = np.float32(-1e30)
"""Its exponential is 0, whatever is subtracted from it."""
_LOGARITHMS = 16
"""Rows per logarithm: the product of so many sums stays finite."""


@njit(error_model="numpy", nogil=True)
def asked_rows(work: Work, steps: int) -> int:
    """Return how many rows of y have a target."""
    return work.batch * steps if work.each_step else work.batch


@njit(error_model="numpy", nogil=True)
def arrange_outputs(network: Network, work: Work) -> None:
    """Lay out b_out; before a softmax, padding is very negative, so its probability is 0."""
    bias = floats(network.bias_out, work.answers)
    start = floats(work.from_bias, work.answers)
    start[:] = bias
    if not work.numbers:
        start[work.outputs :] = _FAR_BELOW


@njit(error_model="numpy", nogil=True)
def answer(work: Work, steps: int) -> None:
    """Compute y = W_out h + b_out for h_T, or for h_1 to h_T."""
    first = 1 if work.each_step else steps
    multiply(
        Start(work.from_bias, 0, work.counting, 0),
        Matrix(step_of(work.h, first % work.places, work), work.width, 1),
        Rows(work.w_out_t, work.answers),
        Rows(work.y, work.answers),
        asked_rows(work, steps),
        work.answers // LANES,
        work.hidden,
    )


@njit(error_model="numpy", nogil=True)
def cost(gradient: Network, work: Work, steps: int) -> float:
    """Compute C, overwrite y with e, and sum ∂C/∂b_out."""
    rows = asked_rows(work, steps)
    loss = squares_missed(work) if work.numbers else surprise(work, rows)
    sum_errors(gradient, work, rows)
    return loss


@njit(error_model="numpy", nogil=True)
def sum_errors(gradient: Network, work: Work, rows: int) -> None:
    """Compute ∂C/∂b_out in float64: with a cost at each step, many similar rows are added."""
    total = doubles(work.bias_sums, work.answers)
    total[:] = 0.0
    for row in range(rows):
        e = floats(work.y + FLOAT_BYTES * row * work.answers, work.answers)
        for output in range(work.answers):
            total[output] += e[output]
    bias_out = floats(gradient.bias_out, work.answers)
    for output in range(work.answers):
        bias_out[output] = total[output]


@njit(error_model="numpy", nogil=True)
def squares_missed(work: Work) -> float:
    """Compute the mean of (y − wanted)², and turn y into its derivative."""
    y = floats(work.y, work.batch * work.answers)
    wanted = floats(work.wanted, work.batch * work.outputs)
    count = work.batch * work.outputs
    loss = 0.0
    for k in range(work.batch):
        for output in range(work.outputs):
            place = k * work.answers + output
            missed = np.float64(y[place]) - wanted[k * work.outputs + output]
            loss += missed * missed
            y[place] = 2 * missed / count
    return loss / count


@njit(error_model="numpy", nogil=True)
def surprise(work: Work, rows: int) -> float:
    """Compute the mean of −log softmax(y)[class] over the rows, and turn y into its derivative.

    Of three passes the most expensive, eʸ, is one loop without branches over all of y.
    """
    answers, outputs = work.answers, work.outputs
    classes = integers(work.classes, rows)
    y = floats(work.y, rows * answers)
    loss = 0.0
    for row in range(rows):
        of_row = floats(work.y + FLOAT_BYTES * row * answers, answers)
        largest = of_row[0]
        for output in range(1, outputs):
            largest = max(largest, of_row[output])
        for output in range(answers):
            of_row[output] -= largest
        loss -= np.float64(of_row[classes[row]])
    for i in range(rows * answers):
        y[i] = exp_of_negative(y[i])
    product = 1.0
    for row in range(rows):
        of_row = floats(work.y + FLOAT_BYTES * row * answers, answers)
        total = 0.0
        for output in range(outputs):
            total += of_row[output]
        others = total - of_row[classes[row]]  # 1 − p for p near 1 would lose digits
        share = np.float32(1 / (total * rows))
        for output in range(answers):
            of_row[output] *= share
        of_row[classes[row]] = -others / (total * rows)
        product *= total
        if row % _LOGARITHMS == 0:
            loss += log(product)
            product = 1.0
    return float(loss + log(product)) / rows


@njit(error_model="numpy", nogil=True)
def credit(gradient: Network, work: Work, first: int, last: int) -> None:
    """Add eᵀ h of steps `first` to `last` to ∂C/∂W_out."""
    multiply(
        Start(gradient.w_out, work.width, work.counting, 1),
        Matrix(errors_of(work, first), 1, work.answers),
        Rows(step_of(work.h, first, work), work.width),
        Rows(gradient.w_out, work.width),
        work.outputs,
        work.width // LANES,
        (last - first + 1) * work.batch,
    )


@njit(error_model="numpy", nogil=True)
def blame(network: Network, work: Work, t: int, start: int, target: int) -> None:
    """Add e_t W_out to the rows at `start`."""
    multiply(
        Start(start, work.width, work.counting, 1),
        Matrix(errors_of(work, t), work.answers, 1),
        Rows(network.w_out, work.width),
        Rows(target, work.width),
        work.batch,
        work.width // LANES,
        work.outputs,
    )


@njit(error_model="numpy", nogil=True)
def errors_of(work: Work, t: int) -> int:
    """Return the address of e_t."""
    step = t - 1 if work.each_step else 0
    return work.y + FLOAT_BYTES * step * work.batch * work.answers


@njit(error_model="numpy", nogil=True)
def is_wrong(work: Work, k: int, steps: int) -> bool:
    """Return whether the answer to sequence k is wrong."""
    if work.numbers:
        y = floats(work.y + FLOAT_BYTES * k * work.answers, work.outputs)
        wanted = floats(work.wanted + FLOAT_BYTES * k * work.outputs, work.outputs)
        missed = 0.0
        for output in range(work.outputs):
            missed += (np.float64(y[output]) - wanted[output]) ** 2
        return not missed <= WRONG_ABOVE  # NaN is wrong too
    rows = asked_rows(work, steps)
    classes = integers(work.classes, rows)
    for row in range(k, rows, work.batch):
        y = floats(work.y + FLOAT_BYTES * row * work.answers, work.outputs)
        if np.argmax(y) != classes[row]:
            return True
    return False
