"""Thousands of updates in one call: the whole of training, with no Python in between.

An update is a chain of stages, in the order of this file, each with its formula. They
work on addresses that `rnnlab.engines.fused_cpu.network` lays out and names.

| stage | today | what else fits in |
| --- | --- | --- |
| `fill_batch` | one class a sequence | a target a step, a length a batch |
| `forward` | one-hot symbols: a row is looked up to start from | real inputs: a product into those rows |
| | h_0 = 0 | h_0 from the segment before |
| `cost` | softmax at the last step | other costs; called in `backward` for a cost a step |
| `backward` to `descend` | | the same |
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from rnnlab.bounds import REPAIR_ABOVE, REPAIR_RATE, VALID_BOUND
from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.network import Network, Work
from rnnlab.engines.fused_cpu.operations import (
    denormals_to_zero,
    floats,
    integers,
    restore_denormals,
    squares,
    wide_squares,
)
from rnnlab.engines.fused_cpu.products import (
    FLOAT_BYTES,
    INDEX_BYTES,
    Matrix,
    Rows,
    Start,
    multiply,
)
from rnnlab.engines.fused_cpu.units import exp_of_negative, log, tanh
from rnnlab.rng import TRAIN

_BOUND = np.float32(VALID_BOUND)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_ZERO = np.float32(0)
_LARGEST = np.float32(np.finfo(np.float32).max)


class Settings(NamedTuple):
    """What of a trial decides an update, as numbers."""

    seed: int
    logistic: bool
    lr: float
    clips: bool
    max_norm: float
    omega_weight: float
    repairs: bool


class Measured(NamedTuple):
    """What an update measures, before its step."""

    loss: float
    norm: float
    omega: float
    valid_share: float


@njit(error_model="numpy", nogil=True)
def step_of(base: int, t: int, work: Work) -> int:
    """Give the address of step t of an array (time, batch, width)."""
    return base + FLOAT_BYTES * t * work.batch * work.width


@njit(error_model="numpy", nogil=True)
def fill_batch(
    draw: Callable[..., int],
    seed: int,
    purpose: int,
    index: int,
    first: int,
    count: int,
    work: Work,
) -> None:
    """Draw sequences `first`, … of a batch: symbols and targets."""
    targets = integers(work.targets, count)
    for example in range(count):
        row = integers(work.symbols + INDEX_BYTES * example * work.length, work.length)
        targets[example] = draw(seed, purpose, index, first + example, work.length, row)


@njit(error_model="numpy", nogil=True)
def arrange(network: Network, work: Work) -> None:
    """Lay out what the forward pass reads: W_recᵀ, W_outᵀ, and W_in u + b a symbol."""
    transpose(network.w_rec, work.hidden, work.hidden, work.width, work.w_rec_t, work.width)
    transpose(
        network.w_out, work.outputs, work.hidden, work.width, work.w_out_t, work.answers
    )
    bias = floats(network.bias, work.width)
    for symbol in range(work.inputs):
        offset = FLOAT_BYTES * symbol * work.width
        w_in = floats(network.w_in + offset, work.width)
        arriving = floats(work.arriving + offset, work.width)
        for j in range(work.width):
            arriving[j] = w_in[j] + bias[j]


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
def forward(network: Network, work: Work, count: int, logistic: bool) -> int:
    """Run the network: h_t = σ(W_rec h_{t−1} + W_in u_t + b), h_0 = 0 (ICML 2013, Eq. 2).

    Args:
        network: The parameters.
        work: `symbols` are read, `h` is written; where it has fewer than T + 1 places,
            later steps overwrite earlier ones.
        count: Sequences, at most `work.batch`.
        logistic: Whether σ is logistic; else it is tanh.

    Returns:
        The address of h_T.
    """
    floats(work.h, count * work.width)[:] = _ZERO
    if work.rides:
        ride(work.h, work.symbols, count, work)
    for t in range(1, work.length + 1):
        before = step_of(work.h, (t - 1) % work.places, work)
        here = step_of(work.h, t % work.places, work)
        symbols = work.symbols + INDEX_BYTES * (t - 1)
        multiply(
            Start(work.arriving, work.width, symbols, work.length),
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
        if work.rides and t < work.length:
            ride(here, symbols + INDEX_BYTES, count, work)
    return step_of(work.h, work.length % work.places, work)


@njit(error_model="numpy", nogil=True)
def ride(address: int, symbols: int, count: int, work: Work) -> None:
    """Put u_{t+1} into the padding of h_t, so that δ_{t+1}ᵀ h_t gives ∂C/∂W_in as well."""
    symbol = integers(symbols, count * work.length)
    h = floats(address, count * work.width)
    for example in range(count):
        h[example * work.width + work.hidden + symbol[example * work.length]] = _ONE


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
def answer(network: Network, work: Work, last: int, count: int) -> None:
    """Compute y = W_out h_T + b_out."""
    multiply(
        Start(network.bias_out, 0, work.counting, 0),
        Matrix(last, work.width, 1),
        Rows(work.w_out_t, work.answers),
        Rows(work.y, work.answers),
        count,
        work.answers // LANES,
        work.hidden,
    )


@njit(error_model="numpy", nogil=True)
def cost(network: Network, gradient: Network, work: Work, last: int) -> float:
    """Compute C, the mean of −log softmax(y)[target], and its immediate derivatives.

    With e = (softmax(y) − onehot(target)) / batch, which takes the place of y:
    ∂C/∂b_out = Σ e, ∂C/∂W_out = eᵀ h_T, ∂C/∂h_T = e W_out.

    Returns:
        C in nats.
    """
    targets = integers(work.targets, work.batch)
    bias_out = floats(gradient.bias_out, work.answers)
    bias_out[:] = _ZERO
    loss = 0.0
    for example in range(work.batch):
        y = floats(work.y + FLOAT_BYTES * example * work.answers, work.outputs)
        loss += surprise(y, targets[example], work.batch)
        for output in range(work.outputs):
            bias_out[output] += y[output]
    zero = Start(work.zero, 0, work.counting, 0)
    vectors = work.width // LANES
    multiply(
        zero,
        Matrix(work.y, 1, work.answers),
        Rows(last, work.width),
        Rows(gradient.w_out, work.width),
        work.outputs,
        vectors,
        work.batch,
    )
    multiply(
        zero,
        Matrix(work.y, work.answers, 1),
        Rows(network.w_out, work.width),
        Rows(step_of(work.d, work.length % work.back_places, work), work.width),
        work.batch,
        vectors,
        work.outputs,
    )
    return loss / work.batch


@njit(error_model="numpy", nogil=True)
def surprise(y: np.ndarray, target: int, batch: int) -> float:
    """Give −log softmax(y)[target], and turn y into its derivative divided by `batch`."""
    largest = np.float64(y[0])
    for output in range(1, y.size):
        largest = max(largest, np.float64(y[output]))
    total = 0.0
    for output in range(y.size):
        total += exp_of_negative(y[output] - largest)
    surprised = log(total) - (y[target] - largest)
    for output in range(y.size):
        share = exp_of_negative(y[output] - largest) / total
        wanted = 1.0 if output == target else 0.0
        y[output] = (share - wanted) / batch
    return surprised


@njit(error_model="numpy", nogil=True)
def backward(
    settings: Settings, network: Network, gradient: Network, work: Work, measure: bool
) -> tuple[float, float]:
    """Go back through time and sum the gradients of W_rec, W_in and b.

    Steps are taken in blocks, and each block is used for the gradients while it is near;
    with Ω they wait for the number of valid pairs.

    Returns:
        Ω and the share of valid pairs; 0 where they were not asked for.
    """
    floats(gradient.w_rec, work.hidden * work.width)[:] = _ZERO
    floats(gradient.w_in, work.inputs * work.width)[:] = _ZERO
    omega, valid_share = 0.0, 0.0
    for last in range(work.length, 0, -work.block):
        first = max(1, last - work.block + 1)
        for t in range(last, first - 1, -1):
            delta = step_of(work.delta, t - first, work)
            slope(work, t, delta, settings.logistic)
            if measure or t > 1:  # d_0 enters Ω alone
                arrive(network, work, t, delta, measure)
        if not measure:
            accumulate(gradient, work, first, last, False)
    if measure:
        omega, valid_share = regularise(work, settings.omega_weight)
        for last in range(work.length, 0, -work.block):
            first = max(1, last - work.block + 1)
            for t in range(first, last + 1):
                slope(work, t, step_of(work.delta, t - first, work), settings.logistic)
            accumulate(gradient, work, first, last, settings.omega_weight > 0)
    if work.rides:
        alight(gradient, work)
    sum_rows(gradient.w_in, work.inputs, work.width, gradient.bias)
    return omega, valid_share


@njit(error_model="numpy", nogil=True)
def alight(gradient: Network, work: Work) -> None:
    """Move ∂C/∂W_in from the padding of the gradient of W_rec to its own place."""
    w_rec = floats(gradient.w_rec, work.hidden * work.width)
    w_in = floats(gradient.w_in, work.inputs * work.width)
    for unit in range(work.hidden):
        for symbol in range(work.inputs):
            place = unit * work.width + work.hidden + symbol
            w_in[symbol * work.width + unit] = w_rec[place]
            w_rec[place] = _ZERO


@njit(error_model="numpy", nogil=True)
def slope(work: Work, t: int, target: int, logistic: bool) -> None:
    """Compute δ_t = d_t ∘ σ', with σ' = 1 − h² for tanh and h (1 − h) for logistic."""
    size = work.batch * work.width
    d = floats(step_of(work.d, t % work.back_places, work), size)
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
    """Compute d_{t−1} = δ_t W_rec, and its squared norms where Ω is measured."""
    before = step_of(work.d, (t - 1) % work.back_places, work)
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
        measure_rows(before, work, t - 1)


@njit(error_model="numpy", nogil=True)
def measure_rows(address: int, work: Work, t: int) -> None:
    """Compute ‖d_t‖² for each example."""
    squared = floats(work.squared + FLOAT_BYTES * t * work.batch, work.batch)
    for example in range(work.batch):
        row = address + FLOAT_BYTES * example * work.width
        squared[example] = squares(row, work.width // LANES)


@njit(error_model="numpy", nogil=True)
def regularise(work: Work, weight: float) -> tuple[float, float]:
    """Measure Ω and lay out its gradient (ICML 2013, Eq. 9 and 10; see `rnnlab.omega`).

    v_k = δ_k W_rec is what arrives at step k − 1 through the recurrence, here the whole of
    d_{k−1}. With n valid pairs, factor_k = weight · 4 (‖v_k‖²/‖d_k‖² − 1) / ‖d_k‖² / n, so
    that weight · ∂⁺Ω/∂W_rec = Σ_k δ_kᵀ (factor_k v_k).

    Returns:
        Ω, and the share of valid pairs.
    """
    batch, pairs = work.batch, work.length * work.batch
    last = step_of(work.d, work.length % work.back_places, work)
    measure_rows(last, work, work.length)
    v_squared = floats(work.squared, pairs)
    d_squared = floats(work.squared + FLOAT_BYTES * batch, pairs)
    factor = floats(work.factor + FLOAT_BYTES * batch, pairs)
    sums = floats(work.sums, batch)
    sums[:] = _ZERO
    valid = 0
    for t in range(work.length):
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

    ∂C/∂W_rec = Σ_t δ_tᵀ h_{t−1}, and Ω adds its multiple of v_t to h_{t−1}: one product
    for both. ∂C/∂W_in adds δ_t to the row of the symbol.
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
        scatter(gradient, work, first, last)


@njit(error_model="numpy", nogil=True)
def scatter(gradient: Network, work: Work, first: int, last: int) -> None:
    """Add δ_t to the row of ∂C/∂W_in that belongs to the symbol of step t."""
    symbols = integers(work.symbols, work.batch * work.length)
    for t in range(first, last + 1):
        for example in range(work.batch):
            symbol = symbols[example * work.length + t - 1]
            row = floats(gradient.w_in + FLOAT_BYTES * symbol * work.width, work.width)
            place = (t - first) * work.batch + example
            delta = floats(work.delta + FLOAT_BYTES * place * work.width, work.width)
            for j in range(work.width):
                row[j] += delta[j]


@njit(error_model="numpy", nogil=True)
def shift(work: Work, first: int, last: int) -> None:
    """Compute h_{t−1} + factor_t v_t for a block of steps."""
    width = work.width
    factor = floats(work.factor, (work.length + 1) * work.batch)
    for t in range(first, last + 1):
        for example in range(work.batch):
            place = FLOAT_BYTES * example * width
            h = floats(step_of(work.h, t - 1, work) + place, width)
            v = floats(step_of(work.d, t - 1, work) + place, width)
            shifted = floats(step_of(work.shifted, t - first, work) + place, width)
            here = factor[t * work.batch + example]
            for j in range(width):
                shifted[j] = h[j] + here * v[j]


@njit(error_model="numpy", nogil=True)
def sum_rows(address: int, rows: int, width: int, target: int) -> None:
    """Add the rows of a matrix: each step has one symbol, so those of W_in make b's."""
    total = floats(target, width)
    total[:] = _ZERO
    for row in range(rows):
        each = floats(address + FLOAT_BYTES * row * width, width)
        for j in range(width):
            total[j] += each[j]


@njit(error_model="numpy", nogil=True)
def differentiate(
    settings: Settings, network: Network, gradient: Network, work: Work, measure: bool
) -> Measured:
    """Compute all gradients of one update on the batch in `work`."""
    arrange(network, work)
    last = forward(network, work, work.batch, settings.logistic)
    answer(network, work, last, work.batch)
    loss = cost(network, gradient, work, last)
    omega, valid_share = backward(settings, network, gradient, work, measure)
    norm = np.sqrt(wide_squares(gradient.flat, gradient.floats // LANES))
    return Measured(loss, norm, omega, valid_share)


@njit(error_model="numpy", nogil=True)
def descend(network: Network, gradient: Network, rate: float) -> None:
    """Step: θ ← θ − rate · gradient."""
    step = np.float32(rate)
    theta = floats(network.flat, network.floats)
    slopes = floats(gradient.flat, network.floats)
    for i in range(network.floats):
        theta[i] -= step * slopes[i]


@njit(error_model="numpy", nogil=True)
def repair(network: Network, work: Work, lr: float) -> None:
    """Shrink W_rec ← (1 − 0.02·lr) W_rec instead of a step; see `rnnlab.clip.repaired`."""
    keep = np.float32(1 - REPAIR_RATE * lr)
    w_rec = floats(network.w_rec, work.hidden * work.width)
    for i in range(w_rec.size):
        w_rec[i] *= keep


@njit(error_model="numpy", nogil=True)
def finite(network: Network) -> bool:
    """Say whether every parameter is finite."""
    theta = floats(network.flat, network.floats)
    bad = 0
    for i in range(network.floats):
        bad += not abs(theta[i]) <= _LARGEST
    return bad == 0


@njit(error_model="numpy", nogil=True)
def advance(
    draw: Callable[..., int],
    settings: Settings,
    network: Network,
    gradient: Network,
    work: Work,
    totals: np.ndarray,
    first: int,
    updates: int,
) -> tuple[int, bool]:
    """Make up to `updates` updates of plain SGD, with clipping (Algorithm 1) and Ω.

    Args:
        draw: The task's scalar function.
        settings: What decides an update.
        network: The parameters, changed in place.
        gradient: Room for the gradient.
        work: Room for the rest.
        totals: The fields of `rnnlab.state.Totals` in their order, added to.
        first: Number of the first update.
        updates: How many.

    Returns:
        Updates made, and whether the last gave a number that is not finite.
    """
    flags = denormals_to_zero()
    made, diverged = 0, False
    regularised = settings.omega_weight > 0
    while made < updates and not diverged:
        fill_batch(draw, settings.seed, TRAIN, first + made, 0, work.batch, work)
        measured = differentiate(settings, network, gradient, work, regularised)
        made += 1
        totals[0] += 1
        if settings.repairs and not measured.norm <= REPAIR_ABOVE:
            totals[1] += 1
            repair(network, work, settings.lr)
            diverged = not finite(network)
            continue
        rate = settings.lr
        if settings.clips and measured.norm >= settings.max_norm:
            rate *= settings.max_norm / measured.norm
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
    draw: Callable[..., int],
    settings: Settings,
    network: Network,
    work: Work,
    purpose: int,
    index: int,
    sequences: int,
    stop_at: int,
) -> tuple[int, int]:
    """Count wrong answers on fresh sequences, in order, up to error `stop_at`.

    Returns:
        Errors, and sequences looked at.
    """
    flags = denormals_to_zero()
    arrange(network, work)
    targets = integers(work.targets, work.batch)
    errors, seen = 0, 0
    while seen < sequences and errors < stop_at:
        count = min(work.batch, sequences - seen)
        fill_batch(draw, settings.seed, purpose, index, seen, count, work)
        last = forward(network, work, count, settings.logistic)
        answer(network, work, last, count)
        for example in range(count):
            y = floats(work.y + FLOAT_BYTES * example * work.answers, work.outputs)
            errors += np.argmax(y) != targets[example]
            seen += 1
            if errors == stop_at:
                break
    restore_denormals(flags)
    return errors, seen


@njit(error_model="numpy", nogil=True)
def gradients(
    settings: Settings, network: Network, gradient: Network, work: Work
) -> Measured:
    """Compute the gradients on the batch in `work`, and measure Ω whatever its weight."""
    flags = denormals_to_zero()
    measured = differentiate(settings, network, gradient, work, True)
    restore_denormals(flags)
    return measured
