"""Thousands of updates in one call: the whole of training, without Python in between.

An update is a sequence of stages, each with its formula. They work on memory addresses,
which `rnnlab.engines.fused_cpu.network` lays out and names.

| stage | module |
| --- | --- |
| draw a batch | `batches` |
| inputs | `inputs` |
| the recurrence, forward and backward; Ω; clipping; the step | this one |
| outputs and costs | `costs` |
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from rnnlab.bounds import REPAIR_ABOVE, REPAIR_RATE, VALID_BOUND
from rnnlab.engines.fused_cpu.batches import fill_batch
from rnnlab.engines.fused_cpu.costs import (
    answer,
    arrange_outputs,
    blame,
    cost,
    credit,
    is_wrong,
)
from rnnlab.engines.fused_cpu.inputs import (
    add_up,
    alight,
    arrange_inputs,
    entering,
    ride,
    sum_symbols,
)
from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.network import Network, Work
from rnnlab.engines.fused_cpu.operations import (
    denormals_to_zero,
    floats,
    restore_denormals,
    squares,
    wide_squares,
)
from rnnlab.engines.fused_cpu.products import (
    FLOAT_BYTES,
    Matrix,
    Rows,
    Start,
    multiply,
)
from rnnlab.engines.fused_cpu.steps import step_of
from rnnlab.engines.fused_cpu.units import tanh
from rnnlab.rng import TRAIN

_BOUND = np.float32(VALID_BOUND)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_ZERO = np.float32(0)
_LARGEST = np.float32(np.finfo(np.float32).max)


class Settings(NamedTuple):
    """The settings of a trial that an update depends on, as numbers."""

    seed: int
    logistic: bool
    lr: float
    clips: bool
    threshold: float
    """Clipping threshold, of the norm or of each entry."""
    by_value: bool
    """Whether to clip each entry instead of the norm."""
    omega_weight: float
    repairs: bool


class Measured(NamedTuple):
    """Measurements of an update, before its step."""

    loss: float
    norm: float
    omega: float
    valid_share: float


@njit(error_model="numpy", nogil=True)
def arrange(network: Network, work: Work) -> None:
    """Prepare what the forward pass reads: W_recᵀ, W_outᵀ, and the initial rows of sums."""
    transpose(network.w_rec, work.hidden, work.hidden, work.width, work.w_rec_t, work.width)
    transpose(
        network.w_out, work.outputs, work.hidden, work.width, work.w_out_t, work.answers
    )
    arrange_inputs(network, work)
    arrange_outputs(network, work)


@njit(error_model="numpy", nogil=True)
def transpose(
    source: int, rows: int, columns: int, row: int, target: int, target_row: int
) -> None:
    """Write the transpose of a matrix."""
    given = floats(source, rows * row)
    turned = floats(target, columns * target_row)
    for i in range(rows):
        for j in range(columns):
            turned[j * target_row + i] = given[i * row + j]


@njit(error_model="numpy", nogil=True)
def forward(network: Network, work: Work, steps: int, count: int, logistic: bool) -> None:
    """Run the network: h_t = σ(W_rec h_{t−1} + W_in u_t + b), h_0 = 0 (ICML 2013, Eq. 2).

    Args:
        network: The parameters.
        work: The inputs are read, `h` is written; if it holds fewer than T + 1 steps,
            later steps overwrite earlier ones.
        steps: T.
        count: Sequences, at most `work.batch`.
        logistic: Whether σ is logistic; otherwise it is tanh.
    """
    floats(work.h, count * work.width)[:] = _ZERO
    if work.rides:
        ride(work.h, 1, count, work)
    for t in range(1, steps + 1):
        before = step_of(work.h, (t - 1) % work.places, work)
        here = step_of(work.h, t % work.places, work)
        multiply(
            entering(network, work, t, count, here),
            Matrix(before, work.width, 1),
            Rows(work.w_rec_t, work.width),
            Rows(here, work.width),
            count,
            work.width // LANES,
            work.hidden if t > 1 else 0,  # h_0 = 0
        )
        if logistic:
            squash_logistic(here, count, work)
        else:
            squash_tanh(here, count * work.width)
        if work.rides and t < steps:
            ride(here, t + 1, count, work)


@njit(error_model="numpy", nogil=True)
def squash_tanh(address: int, size: int) -> None:
    """Apply tanh in place."""
    x = floats(address, size)
    for i in range(size):
        x[i] = tanh(x[i])


@njit(error_model="numpy", nogil=True)
def squash_logistic(address: int, count: int, work: Work) -> None:
    """Apply 1/(1 + e⁻ˣ) = ½ + ½ tanh(x/2) in place; padding stays 0."""
    half = floats(work.half, work.width)
    for row in range(count):
        x = floats(address + FLOAT_BYTES * row * work.width, work.width)
        for j in range(work.width):
            x[j] = half[j] * tanh(_HALF * x[j]) + half[j]


@njit(error_model="numpy", nogil=True)
def backward(
    settings: Settings,
    network: Network,
    gradient: Network,
    work: Work,
    steps: int,
    measure: bool,
) -> tuple[float, float]:
    """Run backpropagation through time, and sum the gradients of all parameters but b_out.

    Steps are processed in blocks; each block is added to the gradients while it is in the
    cache. With Ω this waits until the number of valid pairs is known.

    Returns:
        Ω and the share of valid pairs; 0 unless `measure`.
    """
    begin_backward(network, gradient, work, steps)
    for last in range(steps, 0, -work.block):
        first = max(1, last - work.block + 1)
        for t in range(last, first - 1, -1):
            delta = differentiate_step(settings, network, work, t, first)
            if measure and (work.each_step or t == steps):
                measure_rows(derivative(work, t), work.d_squared, t, work)
            if measure or t > 1:  # only Ω needs v_1
                arrive(network, work, t, delta, measure)
        if work.each_step:
            credit(gradient, work, first, last)
        if not measure:
            accumulate(gradient, work, first, last, False)
    found = 0.0, 0.0
    if measure:
        found = regularise(work, steps, settings.omega_weight)
        accumulate_all(settings, network, gradient, work, steps)
    if work.rides:
        alight(gradient, work)
    sum_symbols(gradient, work)
    return found


@njit(error_model="numpy", nogil=True)
def accumulate_all(
    settings: Settings, network: Network, gradient: Network, work: Work, steps: int
) -> None:
    """Recompute δ block by block, and add the gradients, including those of Ω."""
    for last in range(steps, 0, -work.block):
        first = max(1, last - work.block + 1)
        for t in range(first, last + 1):
            differentiate_step(settings, network, work, t, first)
        accumulate(gradient, work, first, last, settings.omega_weight > 0)


@njit(error_model="numpy", nogil=True)
def begin_backward(network: Network, gradient: Network, work: Work, steps: int) -> None:
    """Set all sums to 0; set v_T to the derivative of a cost at the end, otherwise to 0."""
    floats(gradient.w_rec, work.hidden * work.width)[:] = _ZERO
    floats(gradient.w_in, work.inputs * work.width)[:] = _ZERO
    floats(gradient.bias, work.width)[:] = _ZERO
    floats(gradient.w_out, work.outputs * work.width)[:] = _ZERO
    last = step_of(work.v, steps % work.back_places, work)
    floats(last, work.batch * work.width)[:] = _ZERO
    if not work.each_step:
        credit(gradient, work, steps, steps)
        blame(network, work, steps, last, last)


@njit(error_model="numpy", nogil=True)
def differentiate_step(
    settings: Settings, network: Network, work: Work, t: int, first: int
) -> int:
    """Compute δ_t for a block of steps that begins at `first`; return its address."""
    delta = step_of(work.delta, t - first, work)
    if work.each_step:
        add_cost(network, work, t)
    slope(work, derivative(work, t), t, delta, settings.logistic)
    return delta


@njit(error_model="numpy", nogil=True)
def add_cost(network: Network, work: Work, t: int) -> None:
    """Compute d_t: what arrives through the recurrence, plus the cost of step t."""
    blame(network, work, t, step_of(work.v, t % work.back_places, work), work.d)


@njit(error_model="numpy", nogil=True)
def derivative(work: Work, t: int) -> int:
    """Return the address of d_t = ∂C/∂h_t."""
    return work.d if work.each_step else step_of(work.v, t % work.back_places, work)


@njit(error_model="numpy", nogil=True)
def slope(work: Work, derivative: int, t: int, target: int, logistic: bool) -> None:
    """Compute δ_t = d_t ∘ σ', with σ' = 1 − h² for tanh and h (1 − h) for logistic."""
    size = work.batch * work.width
    d = floats(derivative, size)
    h = floats(step_of(work.h, t, work), size)
    delta = floats(target, size)
    if logistic:
        for i in range(size):
            delta[i] = d[i] * (h[i] * (_ONE - h[i]))
    else:
        for i in range(size):
            delta[i] = d[i] * (_ONE - h[i] * h[i])


@njit(error_model="numpy", nogil=True)
def arrive(network: Network, work: Work, t: int, delta: int, measure: bool) -> None:
    """Compute v_t = δ_t W_rec, and its squared norms if Ω is measured."""
    before = step_of(work.v, (t - 1) % work.back_places, work)
    multiply(
        Start(work.zero, 0, work.counting, 0),
        Matrix(delta, work.width, 1),
        Rows(network.w_rec, work.width),
        Rows(before, work.width),
        work.batch,
        work.width // LANES,
        work.hidden,
    )
    if measure:
        measure_rows(before, work.v_squared, t - 1, work)


@njit(error_model="numpy", nogil=True)
def measure_rows(address: int, target: int, t: int, work: Work) -> None:
    """Compute the squared norm of each row of a step, and store it for step t."""
    squared = floats(target + FLOAT_BYTES * t * work.batch, work.batch)
    for k in range(work.batch):
        row = address + FLOAT_BYTES * k * work.width
        squared[k] = squares(row, work.width // LANES)


@njit(error_model="numpy", nogil=True)
def regularise(work: Work, steps: int, weight: float) -> tuple[float, float]:
    """Compute Ω and the factors of its gradient (ICML 2013, Eq. 9 and 10; see `rnnlab.omega`).

    v_k = δ_k W_rec arrives at step k − 1 through the recurrence. With n valid pairs,
    factor_k = weight · 4 (‖v_k‖²/‖d_k‖² − 1) / ‖d_k‖² / n, so that
    weight · ∂⁺Ω/∂W_rec = Σ_k δ_kᵀ (factor_k v_k).

    Returns:
        Ω, and the share of valid pairs.
    """
    batch, pairs = work.batch, steps * work.batch
    v_squared = floats(work.v_squared, pairs)
    d_squared = floats(work.d_squared + FLOAT_BYTES * batch, pairs)
    factor = floats(work.factor + FLOAT_BYTES * batch, pairs)
    sums = floats(work.sums, batch)
    sums[:] = _ZERO
    valid = 0
    for t in range(steps):
        for example in range(batch):
            pair = t * batch + example
            counts = d_squared[pair] >= _BOUND
            norm = d_squared[pair] if counts else _ONE
            excess = v_squared[pair] / norm - _ONE if counts else _ZERO
            sums[example] += excess * excess
            factor[pair] = excess / norm
            valid += counts
    if valid == 0:
        return 0.0, 0.0
    total = 0.0
    for example in range(batch):
        total += sums[example]
    share = np.float32(4 * weight / valid)
    for pair in range(pairs):
        factor[pair] *= share
    return total / valid, valid / pairs


@njit(error_model="numpy", nogil=True)
def accumulate(
    gradient: Network, work: Work, first: int, last: int, regularised: bool
) -> None:
    """Add the gradients of steps `first` to `last`, whose δ are in `work.delta`.

    ∂C/∂W_rec = Σ_t δ_tᵀ h_{t−1}, and for Ω a multiple of v_t is added to h_{t−1}: one
    product computes both.
    """
    before = step_of(work.h, first - 1, work)
    if regularised:
        shift(work, first, last)
        before = work.shifted
    multiply(
        Start(gradient.w_rec, work.width, work.counting, 1),
        Matrix(work.delta, 1, work.width),
        Rows(before, work.width),
        Rows(gradient.w_rec, work.width),
        work.hidden,
        work.width // LANES,
        (last - first + 1) * work.batch,
    )
    if not work.rides:
        add_up(gradient, work, first, last)


@njit(error_model="numpy", nogil=True)
def shift(work: Work, first: int, last: int) -> None:
    """Compute h_{t−1} + factor_t v_t for a block of steps."""
    width = work.width
    factor = floats(work.factor, (last + 1) * work.batch)
    for t in range(first, last + 1):
        for example in range(work.batch):
            place = FLOAT_BYTES * example * width
            h = floats(step_of(work.h, t - 1, work) + place, width)
            v = floats(step_of(work.v, t - 1, work) + place, width)
            shifted = floats(step_of(work.shifted, t - first, work) + place, width)
            here = factor[t * work.batch + example]
            for j in range(width):
                shifted[j] = h[j] + here * v[j]


@njit(error_model="numpy", nogil=True)
def differentiate(
    settings: Settings,
    network: Network,
    gradient: Network,
    work: Work,
    steps: int,
    measure: bool,
) -> Measured:
    """Compute all gradients of one update on the batch in `work`."""
    arrange(network, work)
    forward(network, work, steps, work.batch, settings.logistic)
    answer(work, steps)
    loss = cost(gradient, work, steps)
    omega, valid_share = backward(settings, network, gradient, work, steps, measure)
    norm = np.sqrt(wide_squares(gradient.flat, gradient.floats // LANES))
    return Measured(loss, norm, omega, valid_share)


@njit(error_model="numpy", nogil=True)
def clamp(gradient: Network, threshold: float) -> bool:
    """Clip each entry at ±threshold; return whether any exceeded it. NaN stays NaN."""
    most = np.float32(threshold)
    slopes = floats(gradient.flat, gradient.floats)
    beyond = 0
    for i in range(gradient.floats):
        beyond += abs(slopes[i]) > most
        slopes[i] = most if slopes[i] > most else slopes[i]
        slopes[i] = -most if slopes[i] < -most else slopes[i]
    return beyond > 0


@njit(error_model="numpy", nogil=True)
def descend(network: Network, gradient: Network, rate: float) -> None:
    """Take a step: θ ← θ − rate · gradient."""
    step = np.float32(rate)
    theta = floats(network.flat, network.floats)
    slopes = floats(gradient.flat, network.floats)
    for i in range(network.floats):
        theta[i] -= step * slopes[i]


@njit(error_model="numpy", nogil=True)
def repair(network: Network, work: Work, lr: float) -> None:
    """Shrink W_rec ← (1 − 0.02·lr) W_rec in place of a step; see `rnnlab.clip.repaired`."""
    keep = np.float32(1 - REPAIR_RATE * lr)
    w_rec = floats(network.w_rec, work.hidden * work.width)
    for i in range(w_rec.size):
        w_rec[i] *= keep


@njit(error_model="numpy", nogil=True)
def finite(network: Network) -> bool:
    """Return whether every parameter is finite."""
    theta = floats(network.flat, network.floats)
    bad = 0
    for i in range(network.floats):
        bad += not abs(theta[i]) <= _LARGEST
    return bad == 0


@njit(error_model="numpy", nogil=True)
def advance(
    draw: Callable[..., None],
    settings: Settings,
    network: Network,
    gradient: Network,
    work: Work,
    totals: np.ndarray,
    steps: np.ndarray,
    first: int,
    updates: int,
) -> tuple[int, bool]:
    """Make up to `updates` updates of plain SGD, with clipping (Algorithm 1) and Ω.

    Args:
        draw: The task's scalar function.
        settings: The settings of the trial.
        network: The parameters, changed in place.
        gradient: Memory for the gradient.
        work: Memory for everything else.
        totals: The fields of `rnnlab.state.Totals` in their order; incremented.
        steps: T of each update.
        first: Index of the first update.
        updates: Number of updates.

    Returns:
        Updates made, and whether the last one produced a non-finite number.
    """
    flags = denormals_to_zero()
    made, diverged = 0, False
    regularised = settings.omega_weight > 0
    while made < updates and not diverged:
        length, index = steps[made], first + made
        fill_batch(draw, settings.seed, TRAIN, index, 0, work.batch, length, work)
        measured = differentiate(settings, network, gradient, work, length, regularised)
        made += 1
        totals[0] += 1
        if settings.repairs and not measured.norm <= REPAIR_ABOVE:
            totals[1] += 1
            repair(network, work, settings.lr)
            diverged = not finite(network)
            continue
        rate = settings.lr
        if settings.clips and settings.by_value:
            totals[2] += clamp(gradient, settings.threshold)
        elif settings.clips and measured.norm >= settings.threshold:
            rate *= settings.threshold / measured.norm
            totals[2] += 1
        totals[3] += measured.loss
        totals[4] += measured.norm
        totals[5] = max(totals[5], measured.norm)
        descend(network, gradient, rate)
        diverged = not (np.isfinite(measured.loss + measured.norm) and finite(network))
    restore_denormals(flags)
    return made, diverged


@njit(error_model="numpy", nogil=True)
def count_errors(
    draw: Callable[..., None],
    settings: Settings,
    network: Network,
    work: Work,
    purpose: int,
    index: int,
    sequences: int,
    stop_at: int,
    group: int,
    steps: np.ndarray,
) -> tuple[int, int]:
    """Count wrong answers on fresh sequences, in order, until `stop_at` errors.

    Args:
        draw: The task's scalar function.
        settings: The settings of the trial.
        network: The parameters.
        work: Working memory.
        purpose: Purpose of the sequences, for their random numbers.
        index: Index of the check or test.
        sequences: Maximum number of sequences.
        stop_at: Number of errors at which to stop.
        group: Sequences per group with one number of steps.
        steps: T of each group.

    Returns:
        Errors, and sequences evaluated.
    """
    flags = denormals_to_zero()
    arrange(network, work)
    errors, seen = 0, 0
    while seen < sequences and errors < stop_at:
        length, left = steps[seen // group], group - seen % group
        count = min(work.batch, left, sequences - seen)
        fill_batch(draw, settings.seed, purpose, index, seen, count, length, work)
        forward(network, work, length, count, settings.logistic)
        answer(work, length)
        for k in range(count):
            errors += is_wrong(work, k, length)
            seen += 1
            if errors == stop_at:
                break
    restore_denormals(flags)
    return errors, seen


@njit(error_model="numpy", nogil=True)
def gradients(
    settings: Settings, network: Network, gradient: Network, work: Work, steps: int
) -> Measured:
    """Compute the gradients on the batch in `work`, and Ω whatever its weight."""
    flags = denormals_to_zero()
    measured = differentiate(settings, network, gradient, work, steps, True)
    restore_denormals(flags)
    return measured
