"""The input of a step: a row looked up for a symbol, or a product for numbers.

In the backward pass ∂C/∂W_in costs nothing if u_{t+1} is stored in the padding of h_t: the
product δ_{t+1}ᵀ h_t includes it. After numbers a 1 is stored too, which yields ∂C/∂b. If
the padding is too small, δ is summed: into the row of each symbol, or times each number.
"""

import numpy as np
from numba import njit

from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.network import Network, Work
from rnnlab.engines.fused_cpu.operations import floats, integers
from rnnlab.engines.fused_cpu.products import (
    FLOAT_BYTES,
    INDEX_BYTES,
    Matrix,
    Rows,
    Start,
    multiply,
)

_ONE = np.float32(1)
_ZERO = np.float32(0)


@njit(error_model="numpy", nogil=True)
def arrange_inputs(network: Network, work: Work) -> None:
    """Compute W_in u + b for each symbol."""
    if not work.one_hot:
        return
    bias = floats(network.bias, work.width)
    for symbol in range(work.inputs):
        offset = FLOAT_BYTES * symbol * work.width
        w_in = floats(network.w_in + offset, work.width)
        arriving = floats(work.arriving + offset, work.width)
        for j in range(work.width):
            arriving[j] = w_in[j] + bias[j]


@njit(error_model="numpy", nogil=True)
def entering(network: Network, work: Work, t: int, count: int, here: int) -> Start:
    """Return the start of the sum W_rec h_{t−1} + …: W_in u_t + b, at `here` for numbers."""
    if work.one_hot:
        symbols = work.symbols + INDEX_BYTES * (t - 1)
        return Start(work.arriving, work.width, symbols, work.longest)
    multiply(
        Start(network.bias, 0, work.counting, 0),
        Matrix(values_of(work, t), work.longest * work.inputs, 1),
        Rows(network.w_in, work.width),
        Rows(here, work.width),
        count,
        work.width // LANES,
        work.inputs,
    )
    return Start(here, work.width, work.counting, 1)


@njit(error_model="numpy", nogil=True)
def values_of(work: Work, t: int) -> int:
    """Return the address of the numbers of step t of the first sequence."""
    return work.values + FLOAT_BYTES * (t - 1) * work.inputs


@njit(error_model="numpy", nogil=True)
def ride(address: int, t: int, count: int, work: Work) -> None:
    """Write u_t into the padding of h_{t−1}, and a 1 after numbers."""
    h = floats(address, count * work.width)
    if work.one_hot:
        places = count * work.longest
        symbol = integers(work.symbols + INDEX_BYTES * (t - 1), places)
        for k in range(count):
            h[k * work.width + work.hidden + symbol[k * work.longest]] = _ONE
        return
    row = work.longest * work.inputs
    value = floats(values_of(work, t), count * row)
    for k in range(count):
        place = k * work.width + work.hidden
        for channel in range(work.inputs):
            h[place + channel] = value[k * row + channel]
        h[place + work.inputs] = _ONE


@njit(error_model="numpy", nogil=True)
def alight(gradient: Network, work: Work) -> None:
    """Move ∂C/∂W_in, and for numbers ∂C/∂b, out of the padding of the gradient of W_rec."""
    w_rec = floats(gradient.w_rec, work.hidden * work.width)
    w_in = floats(gradient.w_in, work.inputs * work.width)
    bias = floats(gradient.bias, work.width)
    for unit in range(work.hidden):
        place = unit * work.width + work.hidden
        for channel in range(work.inputs):
            w_in[channel * work.width + unit] = w_rec[place + channel]
            w_rec[place + channel] = _ZERO
        if not work.one_hot:
            bias[unit] = w_rec[place + work.inputs]
            w_rec[place + work.inputs] = _ZERO
    w_out = floats(gradient.w_out, work.outputs * work.width)
    for output in range(work.outputs):  # inputs in the padding of h are not part of eᵀ h
        for j in range(output * work.width + work.hidden, (output + 1) * work.width):
            w_out[j] = _ZERO


@njit(error_model="numpy", nogil=True)
def add_up(gradient: Network, work: Work, first: int, last: int) -> None:
    """Add δ_t of a block of steps to ∂C/∂W_in, and for numbers also to ∂C/∂b."""
    for t in range(first, last + 1):
        for k in range(work.batch):
            place = (t - first) * work.batch + k
            delta = floats(work.delta + FLOAT_BYTES * place * work.width, work.width)
            if work.one_hot:
                symbols = work.symbols + INDEX_BYTES * (k * work.longest + t - 1)
                symbol = integers(symbols, 1)[0]
                row = gradient.w_in + FLOAT_BYTES * symbol * work.width
                add_times(_ONE, delta, floats(row, work.width))
            else:
                of_k = FLOAT_BYTES * k * work.longest * work.inputs
                value = floats(values_of(work, t) + of_k, work.inputs)
                for channel in range(work.inputs):
                    row = gradient.w_in + FLOAT_BYTES * channel * work.width
                    add_times(value[channel], delta, floats(row, work.width))
                add_times(_ONE, delta, floats(gradient.bias, work.width))


@njit(error_model="numpy", nogil=True)
def add_times(factor: np.float32, row: np.ndarray, target: np.ndarray) -> None:
    """Add a multiple of a row to another."""
    for j in range(row.size):
        target[j] += factor * row[j]


@njit(error_model="numpy", nogil=True)
def sum_symbols(gradient: Network, work: Work) -> None:
    """Compute ∂C/∂b: each step has one symbol, so it is the sum of the rows of ∂C/∂W_in."""
    if not work.one_hot:
        return
    total = floats(gradient.bias, work.width)
    total[:] = _ZERO
    for row in range(work.inputs):
        each = floats(gradient.w_in + FLOAT_BYTES * row * work.width, work.width)
        for j in range(work.width):
            total[j] += each[j]
