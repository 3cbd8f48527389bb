"""The two kernels: thousands of updates of many trials, and the answers to fresh sequences.

A block trains one trial, from its first update of a launch to the last. Blocks share nothing,
and every sum has one order: a trial has the same bits whatever is trained beside it.

| stage | module |
| --- | --- |
| inputs | `inputs` |
| products with W_rec, the unit | `recurrence` |
| outputs and costs | `outputs` |
| the gradient of W_rec | `tiles` |
| Ω | `omega` |
| drawing, clipping, the step, and the order of all this | this one |
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from rnnlab.bounds import REPAIR_ABOVE, REPAIR_RATE
from rnnlab.engines.fused_gpu.inputs import build_inputs
from rnnlab.engines.fused_gpu.intrinsics import (
    ALIGNMENT,
    SIMULATED,
    any_of,
    barrier,
    device,
    prefetch,
    routine,
    separate,
    thread,
    whole,
)
from rnnlab.engines.fused_gpu.layout import QUAD, WARP, Layout
from rnnlab.engines.fused_gpu.omega import AT_ONCE, build_omega
from rnnlab.engines.fused_gpu.outputs import build_outputs
from rnnlab.engines.fused_gpu.recurrence import build_recurrence, tanh
from rnnlab.engines.fused_gpu.tiles import build_tiles
from rnnlab.rng import TRAIN

cuda: Any = numba.cuda

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_LARGEST = np.float32(np.finfo(np.float32).max)
_BIAS_PARTS = 8
"""Threads that share the sum of an entry of b_out's gradient."""
_LINE = 32
"""Floats of a line of the cache."""
_AHEAD = 4
"""Steps between a prefetch and the step whose numbers are needed."""


class Settings(NamedTuple):
    """The settings of the trials of a launch; a row, or an entry, for each."""

    seed: Any
    first: Any
    """Index of the first update."""
    updates: Any
    """Updates to make; 0 computes gradients on the batch that is there, without a step."""
    logistic: Any
    clips: Any
    threshold: Any
    by_value: Any
    repairs: Any
    lr: Any
    omega_weight: Any
    task: Any
    """The task's settings, (trials, numbers)."""
    steps: Any
    """T of each update, (trials, updates)."""


class Memory(NamedTuple):
    """The arrays on the card; the first axis is the slot of a trial."""

    theta: Any
    slopes: Any
    totals: Any
    measured: Any
    """Loss, norm, Ω and the share of valid pairs of a launch without a step."""
    ended: Any
    """Updates made, and whether the last one gave a number that is not finite."""
    drawn: Any
    """Inputs as drawn, (slots, batches, rows of a step, longest, sequences)."""
    words: Any
    """The same bytes, four symbols in a word: (slots, batches, longest · groups)."""
    values: Any
    """Inputs as floats, (slots, batches, longest · inputs · sequences)."""
    targets: Any
    """(slots, batches, sequences, targets)."""
    history: Any
    """h, (slots, steps · 4 · units and groups); likewise ∂C/∂h, and what arrived of it."""
    derivatives: Any
    arrived: Any
    answers: Any
    norms: Any
    """(slots, 3, steps · sequences): ‖∂C/∂h‖², ‖δ W_rec‖², the factors of Ω."""
    sums: Any
    """(slots, floats): the tiles, the sums for W_out, and what does not fit shared memory."""
    wrong: Any
    """(items, sequences) of an evaluation: whether the answer is wrong."""


class Items(NamedTuple):
    """What an evaluation evaluates: groups of sequences of trials."""

    slot: Any
    """The trial."""
    first: Any
    """Index of the first sequence."""
    count: Any
    steps: Any
    purpose: Any
    number: Any
    """Index of the check or test."""


class Places(NamedTuple):
    """Where the sums begin in a slot's row of `Memory.sums`, and where they end."""

    tiles: int
    outputs: int
    bins: int
    table: int
    small: int
    small_slopes: int
    wide: int
    turned: int
    end: int


def places(lay: Layout) -> Places:
    """Return where the sums of a layout begin; what is in shared memory takes no place."""
    square = 0 if lay.in_registers else lay.units**2
    small = 0 if "small" in lay.shared else lay.small
    sizes = (
        lay.tile_rows * lay.tile_columns * lay.threads,
        lay.shape.outputs * lay.row_of_sums,
        0 if "bins" in lay.shared else lay.bins * lay.row_of_sums,
        0 if "table" in lay.shared else lay.table,
        small,
        small,
        square,
        square,
    )
    return Places(0, *itertools.accumulate(sizes))


class Kernels(NamedTuple):
    """The kernels of a layout and a task."""

    advance: Any
    evaluate: Any


def build(lay: Layout, draw: Callable[..., None]) -> Kernels:
    """Make the kernels.

    Args:
        lay: The layout.
        draw: The task's `draw_example`, as a device function.
    """
    shape = lay.shape
    hidden, inputs, outputs = shape.hidden, shape.inputs, shape.outputs
    one_hot, each_step, batch = shape.one_hot, shape.each_step, shape.batch
    units, threads, groups, drawn = lay.units, lay.threads, lay.groups, lay.drawn
    values_count, owned, trips = lay.values, lay.owned, lay.trips
    in_registers = lay.in_registers
    rec_row = lay.row if in_registers else hidden
    w_rec_at, square = hidden * inputs, hidden * hidden
    bias_at = hidden * inputs
    w_out_at = bias_at + hidden
    b_out_at = w_out_at + outputs * hidden
    (
        tiles_at,
        outputs_at,
        bins_at,
        table_at,
        small_at,
        small_slopes_at,
        wide_at,
        turned_at,
        _,
    ) = places(lay)
    bins_shared, table_shared, small_shared, y_shared = (
        name in lay.shared for name in ("bins", "table", "small", "answers")
    )
    planes_floats = 4 * lay.plane + lay.overhang
    rec_floats = units * lay.row if in_registers else 1
    bins_floats = lay.bins * lay.row_of_sums if bins_shared else 1
    table_floats = lay.table if table_shared else 1
    small_floats = lay.small if small_shared else 1
    y_floats = outputs * lay.rows if y_shared else 1
    passing_floats = 2 * threads
    weights_count = 2 * (units // (3 - owned)) if in_registers else 1
    tile_size, held_count = lay.tile_rows * lay.tile_columns, 2 * lay.tile_rows
    totals_count = 2 * QUAD
    bias_from, bias_to = (0, inputs) if one_hot else (inputs, inputs + 1)
    bias_turns = threads // _BIAS_PARTS
    warps = threads // WARP
    v_row = 1 if each_step else 0
    u_line, u_lines, u_ahead = (
        np.uint32(n) for n in (_LINE, -(-lay.plane // _LINE), _AHEAD)
    )

    u_units, u_live, u_plane = (np.uint32(n) for n in (units, lay.live, lay.plane))
    u_quad, u_threads, u_hidden, u_row = (
        np.uint32(n) for n in (QUAD, threads, hidden, rec_row)
    )
    u_inputs, u_batch, u_rows, u_outputs = (
        np.uint32(n) for n in (inputs, batch, lay.rows, outputs)
    )
    u_values, u_owned, u_pairs, u_sums = (
        np.uint32(n) for n in (values_count, owned, units // owned, lay.row_of_sums)
    )
    u_small, u_before, u_square, u_w_rec = (
        np.uint32(n) for n in (lay.small, w_rec_at, square, w_rec_at)
    )
    u_padded = np.uint32(units * units)
    u_lanes, u_one, u_two = np.uint32(WARP), np.uint32(1), np.uint32(2)
    u_parts = np.uint32(_BIAS_PARTS)

    take_rows, take_columns, multiply, multiply_from_memory = build_recurrence(lay)
    clear_tiles, add_half, put_tiles, gather_tiles, entry = build_tiles(lay)
    arrange_table, read, arriving, clear_bins, credit_inputs = build_inputs(lay)
    answer, cost, clear_outputs, credit_outputs, blame, bias_part, is_wrong = build_outputs(
        lay
    )
    measure_norms, compare_norms = build_omega(lay)

    @device
    def owned_by(tid: Any) -> tuple[Any, Any, Any]:
        """Return a thread's first unit, its group, and its lane.

        Threads that own nothing help one that does; they write nothing.
        """
        own = tid if tid < u_live else tid % u_two
        lane = np.uint32(0) if owned == 2 else tid % u_two
        return (own % u_pairs) * u_owned, own // u_pairs, lane

    @device
    def sum_both(a: float, b: float, passing: Any, tid: Any) -> tuple[float, float]:
        """Add up two values of all threads, each in one order."""
        passing[tid] = a
        passing[u_threads + tid] = b
        barrier()
        if tid < u_lanes:
            first, second = 0.0, 0.0
            for n in range(warps):
                first += passing[tid + np.uint32(n * WARP)]
                second += passing[u_threads + tid + np.uint32(n * WARP)]
            passing[tid] = first
            passing[u_threads + tid] = second
        barrier()
        first, second = 0.0, 0.0
        for n in range(WARP):
            first += passing[np.uint32(n)]
            second += passing[u_threads + np.uint32(n)]
        barrier()
        return first, second

    @device
    def bring(rec: Any, small: Any, theta: Any, tid: Any) -> None:
        """Copy the parameters to where they are kept."""
        for n in range(tid, u_small, u_threads):
            place = np.uint32(n)
            small[place] = theta[place if place < u_before else place + u_square]
        if in_registers:
            for n in range(tid, u_padded, u_threads):
                i, j = np.uint32(n) // u_units, np.uint32(n) % u_units
                value = _ZERO  # for the unit that pads
                if i < u_hidden and j < u_hidden:
                    value = theta[u_w_rec + i * u_hidden + j]
                rec[i * u_row + j] = value

    @device
    def take_back(rec: Any, small: Any, theta: Any, tid: Any) -> None:
        """Copy the parameters back."""
        for n in range(tid, u_small, u_threads):
            place = np.uint32(n)
            theta[place if place < u_before else place + u_square] = small[place]
        if in_registers:
            for n in range(tid, u_square, u_threads):
                i, j = np.uint32(n) // u_hidden, np.uint32(n) % u_hidden
                theta[u_w_rec + np.uint32(n)] = rec[i * u_row + j]

    @device
    def spread(wide: Any, turned: Any, rec: Any, tid: Any) -> None:
        """Copy a W_rec that is too large for registers, and its transpose, for the products."""
        for n in range(tid, u_padded, u_threads):
            i, j = np.uint32(n) // u_units, np.uint32(n) % u_units
            value = _ZERO
            if i < u_hidden and j < u_hidden:
                value = rec[i * u_row + j]
            wide[i * u_units + j] = value
            turned[j * u_units + i] = value

    @device
    def load(target: Any, source: Any, t: Any, tid: Any) -> None:
        """Read this thread's numbers of a step."""
        place = t * u_values * u_live + tid
        for i in range(values_count):
            target[i] = source[place + np.uint32(i) * u_live]

    @device
    def fetch(source: Any, t: Any, tid: Any) -> None:
        """Prefetch the numbers of all threads some steps before `t`, a line a thread."""
        if tid < u_lines and t >= u_ahead:
            prefetch(source, (t - u_ahead) * u_values * u_live + tid * u_line)

    @device
    def store(target: Any, source: Any, t: Any, tid: Any) -> None:
        """Write this thread's numbers of a step."""
        place = t * u_values * u_live + tid
        for i in range(values_count):
            target[place + np.uint32(i) * u_live] = source[i]

    @device
    def load_factors(target: Any, factors: Any, t: Any, group: Any) -> None:
        """Read Ω's factors of a step and a group."""
        for i in range(QUAD):
            target[i] = factors[t * u_rows + group * u_quad + np.uint32(i)]

    @routine
    def forward(
        planes: Any,
        history: Any,
        table: Any,
        rec: Any,
        turned: Any,
        words: Any,
        values: Any,
        logistic: bool,
        steps: Any,
        keep: bool,
        tid: Any,
        unit: Any,
        group: Any,
        lane: Any,
    ) -> None:
        """Run the network: h_t = σ(W_rec h_{t−1} + W_in u_t + b), h_0 = 0 (ICML 2013, Eq. 2).

        h_T stays in plane T mod 2. Logistic: 1/(1 + e⁻ˣ) = ½ + ½ tanh(x/2).
        """
        weights = cuda.local.array(weights_count, np.float32)
        total = cuda.local.array(totals_count, np.float32)
        x = cuda.local.array(values_count, np.float32)
        if in_registers:
            take_rows(weights, rec, unit, lane)
        scale = _HALF if logistic else _ONE
        shift = _HALF if logistic else _ZERO
        is_live = tid < u_live
        start = (group * u_units + lane) * u_quad
        mine = tid * u_values
        if is_live:
            for i in range(values_count):
                planes[mine + np.uint32(i)] = _ZERO
        word = read(words, np.uint32(0), group)
        barrier()
        t = np.uint32(0)
        while t < steps:
            before = (t & u_one) * u_plane
            here = ((t + u_one) & u_one) * u_plane
            arriving(x, table, word, values, t, unit, group)
            after = np.uint32(t + u_one)
            word = read(words, after if after < steps else t, group)  # early
            if in_registers:
                multiply(total, weights, planes, before + start)
            else:
                multiply_from_memory(total, turned, planes, before + start, unit, lane)
            for i in range(values_count):
                x[i] = scale * tanh(scale * (total[i] + x[i])) + shift
            if is_live:
                for i in range(values_count):
                    planes[here + mine + np.uint32(i)] = x[i]
                if keep:
                    store(history, x, t + u_one, tid)
            t = np.uint32(t + u_one)
            barrier()

    @routine
    def backward(
        planes: Any,
        history: Any,
        derivatives: Any,
        arrived: Any,
        y: Any,
        w_out: Any,
        bins: Any,
        out_sums: Any,
        rec: Any,
        wide: Any,
        words: Any,
        values: Any,
        logistic: bool,
        steps: Any,
        tid: Any,
        unit: Any,
        group: Any,
        lane: Any,
    ) -> None:
        """Run backpropagation through time: δ_t = d_t ∘ σ', and v_t = δ_{t+1} W_rec is kept."""
        weights = cuda.local.array(weights_count, np.float32)
        total = cuda.local.array(totals_count, np.float32)
        d = cuda.local.array(values_count, np.float32)
        h = cuda.local.array(values_count, np.float32)
        next_h = cuda.local.array(values_count, np.float32)
        later_h = cuda.local.array(values_count, np.float32)
        if in_registers:
            take_columns(weights, rec, unit, lane)
        flat = _ZERO if logistic else _ONE
        slope = _ONE if logistic else _ZERO
        is_live = tid < u_live
        own = tid if is_live else tid % u_two
        start = (group * u_units + lane) * u_quad
        mine = own * u_values
        load(h, history, steps, own)
        load(next_h, history, steps - u_one, own)
        for i in range(values_count):
            d[i] = _ZERO
        if not each_step:
            credit_outputs(out_sums, y, h, np.uint32(0), tid, group)
            blame(d, y, w_out, np.uint32(0), unit, group)
        if is_live:
            store(arrived, d, steps, tid)
        word = read(words, steps - u_one, group)
        t = steps
        while t > np.uint32(0):
            here = (t & u_one) * u_plane
            if each_step:
                credit_outputs(out_sums, y, h, t - u_one, tid, group)
                blame(d, y, w_out, t - u_one, unit, group)
                if is_live:
                    store(derivatives, d, t, tid)
            if is_live:
                for i in range(values_count):
                    slope_i = flat + h[i] * (slope - h[i])
                    planes[here + mine + np.uint32(i)] = d[i] * slope_i
            barrier()
            symbols = word
            early = np.uint32(max(t, u_two) - u_two)  # what is read early arrives in time
            load(later_h, history, early, own)
            fetch(history, t, tid)
            word = read(words, early, group)
            credit_inputs(bins, planes, here + mine, symbols, values, t - u_one, tid, group)
            if in_registers:
                multiply(total, weights, planes, here + start)
            else:
                multiply_from_memory(total, wide, planes, here + start, unit, lane)
            for i in range(values_count):
                d[i] = total[i]
                h[i] = next_h[i]
                next_h[i] = later_h[i]
            t = np.uint32(t - u_one)
            if is_live:
                store(arrived, d, t, tid)

    @routine
    def accumulate(
        planes: Any,
        history: Any,
        derivatives: Any,
        arrived: Any,
        factors: Any,
        share: Any,
        weighted: bool,
        tile_sums: Any,
        logistic: bool,
        steps: Any,
        tid: Any,
        group: Any,
    ) -> None:
        """Add up the gradient of W_rec, with Ω's: Σ_t δ_tᵀ (h_{t−1} + factor_t v_{t−1})."""
        sums = cuda.local.array(tile_size, np.float32)
        held = cuda.local.array(held_count, np.float32)
        d = cuda.local.array(values_count, np.float32)
        h = cuda.local.array(values_count, np.float32)
        before = cuda.local.array(values_count, np.float32)
        v = cuda.local.array(values_count, np.float32)
        factor = cuda.local.array(QUAD, np.float32)
        clear_tiles(sums)
        flat = _ZERO if logistic else _ONE
        slope = _ONE if logistic else _ZERO
        is_live = tid < u_live
        own = tid if is_live else tid % u_two
        mine = own * u_values
        load(d, derivatives, steps, own)
        load(h, history, steps, own)
        load(before, history, steps - u_one, own)
        load(v, arrived, steps - u_one, own)
        if weighted:
            load_factors(factor, factors, steps, group)
        t = steps
        while t > np.uint32(0):
            here = (t & u_one) * u_plane
            other = u_two * u_plane + here
            for i in range(values_count):
                d[i] *= flat + h[i] * (slope - h[i])
                h[i] = before[i]
            if weighted:
                for i in range(values_count):
                    h[i] += share * factor[i % QUAD] * v[i]
            if is_live:
                for i in range(values_count):
                    planes[here + mine + np.uint32(i)] = d[i]
                for i in range(values_count):
                    planes[other + mine + np.uint32(i)] = h[i]
            barrier()
            for i in range(values_count):
                d[i] = v[i]  # with a cost at the end only what arrived
                h[i] = before[i]
            if each_step:
                load(d, derivatives, t - u_one, own)
            early = np.uint32(max(t, u_two) - u_two)  # what is read early arrives in time
            load(before, history, early, own)
            load(v, arrived, early, own)
            if weighted:
                load_factors(factor, factors, np.uint32(early + u_one), group)
            add_half(sums, held, planes, here, other, tid, 0)
            separate()
            add_half(sums, held, planes, here, other, tid, 1)
            fetch(history, t, tid)
            fetch(arrived, t, tid)
            t = np.uint32(t - u_one)
        put_tiles(tile_sums, sums, tid)

    @device
    def place_of(group: Any, unit: Any) -> Any:
        """Return the place of a unit's sums in a row of sums."""
        return (unit % u_owned) * u_threads + group * u_pairs + unit // u_owned

    @device
    def gather_small(
        slopes: Any, bins: Any, out_sums: Any, y: Any, passing: Any, steps: Any, tid: Any
    ) -> float:
        """Write the gradients of W_in, b, W_out and b_out; return this thread's squares."""
        square = 0.0
        for n in range(tid, u_hidden * u_inputs, u_threads):
            unit, c = np.uint32(n) // u_inputs, np.uint32(n) % u_inputs
            value = _ZERO
            for g in range(groups):
                value += bins[c * u_sums + place_of(np.uint32(g), unit)]
            slopes[np.uint32(n)] = value
            square += np.float64(value) * np.float64(value)
        for n in range(tid, u_hidden, u_threads):
            value = _ZERO
            for c in range(bias_from, bias_to):
                for g in range(groups):
                    place = place_of(np.uint32(g), np.uint32(n))
                    value += bins[np.uint32(c) * u_sums + place]
            slopes[np.uint32(bias_at) + np.uint32(n)] = value
            square += np.float64(value) * np.float64(value)
        for n in range(tid, u_outputs * u_hidden, u_threads):
            output, unit = np.uint32(n) // u_hidden, np.uint32(n) % u_hidden
            value = _ZERO
            for g in range(groups):
                value += out_sums[output * u_sums + place_of(np.uint32(g), unit)]
            slopes[np.uint32(w_out_at) + np.uint32(n)] = value
            square += np.float64(value) * np.float64(value)
        part = tid % u_parts
        for first in range(0, outputs, bias_turns):
            output = np.uint32(first) + tid // u_parts
            passing[tid] = 0.0
            if output < u_outputs:
                passing[tid] = bias_part(y, output, part, u_parts, steps)
            barrier()
            if part == np.uint32(0) and output < u_outputs:
                total = 0.0
                for n in range(_BIAS_PARTS):
                    total += passing[tid + np.uint32(n)]
                value = np.float32(total)
                slopes[np.uint32(b_out_at) + output] = value
                square += np.float64(value) * np.float64(value)
            barrier()
        return square

    @device
    def keep_values(given: Any, values: Any, tid: Any) -> None:
        """Round the numbers to float32, those of a step side by side."""
        longest = np.uint32(given.shape[1])
        for n in range(tid, longest * u_inputs * u_rows, u_threads):
            example, rest = np.uint32(n) % u_rows, np.uint32(n) // u_rows
            value = _ZERO
            if example < u_batch:
                value = np.float32(given[rest % u_inputs, rest // u_inputs, example])
            values[np.uint32(n)] = value

    @device
    def draw_batches(
        memory: Any, settings: Any, slot: Any, made: Any, updates: Any, tid: Any
    ) -> None:
        """Draw the batches of the next updates, a thread a sequence."""
        ahead = min(whole(drawn), updates - made)
        for n in range(tid, np.uint32(ahead) * u_batch, u_threads):
            which, example = np.uint32(n) // u_batch, np.uint32(n) % u_batch
            draw(
                whole(settings.seed[slot]),
                TRAIN,
                whole(settings.first[slot]) + made + whole(which),
                whole(example),
                whole(settings.steps[slot, made + whole(which)]),
                settings.task[slot],
                memory.drawn[slot, which, :, :, example],
                memory.targets[slot, which, example],
            )
        barrier()
        if not one_hot:
            for which in range(ahead):
                keep_values(memory.drawn[slot, which], memory.values[slot, which], tid)
            barrier()

    @device
    def step(
        rec: Any,
        small: Any,
        found: Any,
        slopes: Any,
        totals: Any,
        settings: Any,
        slot: Any,
        loss: float,
        norm: float,
        tid: Any,
    ) -> bool:
        """Repair, clip and step as the trial says; return whether a number is not finite."""
        first = tid == np.uint32(0)
        if first:
            totals[0] += 1
        lr = settings.lr[slot]
        bad = False
        if settings.repairs[slot] != 0 and not norm <= REPAIR_ABOVE:
            if first:
                totals[1] += 1
            keep = np.float32(1 - REPAIR_RATE * lr)
            for r in range(trips):
                i, j, there = entry(r, tid)
                if there:
                    value = rec[i * u_row + j] * keep
                    rec[i * u_row + j] = value
                    bad |= not abs(value) <= _LARGEST
            for n in range(tid, u_small, u_threads):
                bad |= not abs(small[np.uint32(n)]) <= _LARGEST
            return any_of(bad)
        rate, threshold = lr, settings.threshold[slot]
        clips, by_value = settings.clips[slot] != 0, settings.by_value[slot] != 0
        if clips and not by_value and norm >= threshold:
            rate *= threshold / norm
            if first:
                totals[2] += 1
        if clips and by_value:
            most, beyond = np.float32(threshold), False
            for r in range(trips):
                value = found[r]
                beyond |= abs(value) > most
                value = most if value > most else value
                found[r] = -most if value < -most else value
            for n in range(tid, u_small, u_threads):
                value = slopes[np.uint32(n)]
                beyond |= abs(value) > most
                value = most if value > most else value
                slopes[np.uint32(n)] = -most if value < -most else value
            if any_of(beyond) and first:
                totals[2] += 1
        if first:
            totals[3] += loss
            totals[4] += norm
            totals[5] = max(totals[5], norm)
        pace = np.float32(rate)
        for r in range(trips):
            i, j, there = entry(r, tid)
            if there:
                value = rec[i * u_row + j] - pace * found[r]
                rec[i * u_row + j] = value
                bad |= not abs(value) <= _LARGEST
        for n in range(tid, u_small, u_threads):
            value = small[np.uint32(n)] - pace * slopes[np.uint32(n)]
            small[np.uint32(n)] = value
            bad |= not abs(value) <= _LARGEST
        bad |= not math.isfinite(loss + norm)
        return any_of(bad)

    @device
    def put_slopes(target: Any, found: Any, slopes: Any, tid: Any) -> None:
        """Write the gradient in the order of the parameters."""
        for r in range(trips):
            i, j, there = entry(r, tid)
            if there:
                target[u_w_rec + i * u_hidden + j] = found[r]
        for n in range(tid, u_small, u_threads):
            place = np.uint32(n)
            target[place if place < u_before else place + u_square] = slopes[place]

    def advance(settings: Any, memory: Any) -> None:
        """Make the updates of each trial, a block a trial."""
        planes = cuda.shared.array(planes_floats, np.float32, ALIGNMENT)
        shared_rec = cuda.shared.array(rec_floats, np.float32)
        shared_bins = cuda.shared.array(bins_floats, np.float32)
        shared_table = cuda.shared.array(table_floats, np.float32)
        shared_small = cuda.shared.array(small_floats, np.float32)
        shared_slopes = cuda.shared.array(small_floats, np.float32)
        shared_y = cuda.shared.array(y_floats, np.float32)
        passing = cuda.shared.array(passing_floats, np.float64)
        notes = cuda.shared.array(2, np.int64)
        found = cuda.local.array(trips, np.float32)
        totals = cuda.local.array(AT_ONCE, np.float32)

        slot = whole(cuda.blockIdx.x)
        tid = thread()
        notes[0], notes[1] = slot, 0
        theta, room = memory.theta[slot], memory.sums[slot]
        rec = shared_rec if in_registers else theta[w_rec_at:]
        small = shared_small if small_shared else room[small_at:]
        updates = whole(settings.updates[slot])
        steps_only = updates == 0

        bring(rec, small, theta, tid)
        barrier()
        made, diverged = 0, False
        while (made < updates and not diverged) or (steps_only and made == 0):
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            if not steps_only and made % drawn == 0:
                draw_batches(memory, settings, slot, made, updates, tid)
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            unit, group, lane = owned_by(tid)
            which = made % drawn
            room = memory.sums[slot]
            rec = shared_rec if in_registers else memory.theta[slot][w_rec_at:]
            table = shared_table if table_shared else room[table_at:]
            small = shared_small if small_shared else room[small_at:]
            turned = room[turned_at:]
            logistic = settings.logistic[slot] != 0
            steps = np.uint32(settings.steps[slot, made])
            arrange_table(table, small, small[bias_at:], tid)
            if not in_registers:
                spread(room[wide_at:], turned, rec, tid)
            forward(
                planes,
                memory.history[slot],
                table,
                rec,
                turned,
                memory.words[slot, which],
                memory.values[slot, which],
                logistic,
                steps,
                True,
                tid,
                unit,
                group,
                lane,
            )
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            unit, group, lane = owned_by(tid)
            which = made % drawn
            history, room = memory.history[slot], memory.sums[slot]
            y = shared_y if y_shared else memory.answers[slot]
            small = shared_small if small_shared else room[small_at:]
            bins = shared_bins if bins_shared else room[bins_at:]
            out_sums = room[outputs_at:]
            rec = shared_rec if in_registers else memory.theta[slot][w_rec_at:]
            end = (steps & u_one) * u_plane
            w_out, b_out = small[w_out_at:], small[b_out_at:]
            answer(y, history if each_step else planes, end, w_out, b_out, steps, tid)
            barrier()
            part = cost(y, memory.targets[slot, which], steps, tid)
            clear_bins(bins, tid)
            clear_outputs(out_sums, tid)
            barrier()
            backward(
                planes,
                history,
                memory.derivatives[slot],
                memory.arrived[slot],
                y,
                w_out,
                bins,
                out_sums,
                rec,
                room[wide_at:],
                memory.words[slot, which],
                memory.values[slot, which],
                logistic,
                steps,
                tid,
                unit,
                group,
                lane,
            )
            barrier()
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            weight = settings.omega_weight[slot]
            omega, valid_share, share = 0.0, 0.0, _ZERO
            if weight > 0 or steps_only:
                derivatives, arrived = memory.derivatives[slot], memory.arrived[slot]
                # with a cost at the end, ∂C/∂h is what arrived
                d_squared, v_squared = memory.norms[slot, 0], memory.norms[slot, v_row]
                factors = memory.norms[slot, 2]
                measure_norms(d_squared, derivatives, totals, steps, tid)
                if each_step:
                    measure_norms(v_squared, arrived, totals, steps, tid)
                barrier()
                omega_part, valid_part = compare_norms(
                    factors, d_squared, v_squared, steps, tid
                )
                omega, valid = sum_both(omega_part, valid_part, passing, tid)
                if valid > 0:
                    omega /= valid
                    share = np.float32(4 * weight / valid)
                    valid_share = valid / (np.float64(steps) * batch)
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            unit, group, lane = owned_by(tid)
            accumulate(
                planes,
                memory.history[slot],
                memory.derivatives[slot],
                memory.arrived[slot],
                memory.norms[slot, 2],
                share,
                weight > 0,
                memory.sums[slot][tiles_at:],
                settings.logistic[slot] != 0,
                steps,
                tid,
                group,
            )
            barrier()
            slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            room = memory.sums[slot]
            y = shared_y if y_shared else memory.answers[slot]
            rec = shared_rec if in_registers else memory.theta[slot][w_rec_at:]
            small = shared_small if small_shared else room[small_at:]
            slopes = shared_slopes if small_shared else room[small_slopes_at:]
            bins = shared_bins if bins_shared else room[bins_at:]
            out_sums, tile_sums = room[outputs_at:], room[tiles_at:]
            squares = gather_small(slopes, bins, out_sums, y, passing, steps, tid)
            gather_tiles(found, tile_sums, tid)
            for r in range(trips):
                there = entry(r, tid)[2]
                if there:
                    squares += np.float64(found[r]) * np.float64(found[r])
            square, loss = sum_both(squares, part, passing, tid)
            norm = math.sqrt(square)
            made += 1
            if steps_only:
                put_slopes(memory.slopes[slot], found, slopes, tid)
                if tid == np.uint32(0):
                    memory.measured[slot, 0] = loss
                    memory.measured[slot, 1] = norm
                    memory.measured[slot, 2] = omega
                    memory.measured[slot, 3] = valid_share
            else:
                diverged = step(
                    rec,
                    small,
                    found,
                    slopes,
                    memory.totals[slot],
                    settings,
                    slot,
                    loss,
                    norm,
                    tid,
                )
        slot, tid = whole(notes[0]), thread() + np.uint32(notes[1])
        theta = memory.theta[slot]
        rec = shared_rec if in_registers else theta[w_rec_at:]
        small = shared_small if small_shared else memory.sums[slot][small_at:]
        take_back(rec, small, theta, tid)
        if tid == np.uint32(0):
            memory.ended[slot, 0] = made
            memory.ended[slot, 1] = 1 if diverged else 0

    def evaluate(settings: Any, memory: Any, items: Any) -> None:
        """Answer groups of fresh sequences, a block a group; write which answers are wrong."""
        planes = cuda.shared.array(planes_floats, np.float32, ALIGNMENT)
        shared_rec = cuda.shared.array(rec_floats, np.float32)
        shared_table = cuda.shared.array(table_floats, np.float32)
        shared_small = cuda.shared.array(small_floats, np.float32)
        notes = cuda.shared.array(2, np.int64)

        notes[0], notes[1] = whole(cuda.blockIdx.x), 0
        barrier()
        item = whole(notes[0])
        while item < items.slot.shape[0]:
            block, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            room = memory.sums[block]
            small = shared_small if small_shared else room[small_at:]
            slot, left = whole(items.slot[item]), np.uint32(items.count[item])
            steps = np.uint32(items.steps[item])
            theta = memory.theta[slot]
            rec = shared_rec if in_registers else theta[w_rec_at:]
            bring(rec, small, theta, tid)
            for n in range(tid, left, u_threads):
                which, example = np.uint32(n) // u_batch, np.uint32(n) % u_batch
                draw(
                    whole(settings.seed[slot]),
                    whole(items.purpose[item]),
                    whole(items.number[item]),
                    whole(items.first[item]) + whole(n),
                    whole(steps),
                    settings.task[slot],
                    memory.drawn[block, which, :, :, example],
                    memory.targets[block, which, example],
                )
            barrier()
            block, tid = whole(notes[0]), thread() + np.uint32(notes[1])
            room = memory.sums[block]
            small = shared_small if small_shared else room[small_at:]
            table = shared_table if table_shared else room[table_at:]
            slot = whole(items.slot[item])
            arrange_table(table, small, small[bias_at:], tid)
            if not in_registers:
                rec = memory.theta[slot][w_rec_at:]
                spread(room[wide_at:], room[turned_at:], rec, tid)
            for which in range((left + u_batch - u_one) // u_batch):
                block, tid = whole(notes[0]), thread() + np.uint32(notes[1])
                unit, group, lane = owned_by(tid)
                slot, room = whole(items.slot[item]), memory.sums[block]
                if not one_hot:
                    keep_values(
                        memory.drawn[block, which], memory.values[block, which], tid
                    )
                    barrier()
                forward(
                    planes,
                    memory.history[block],
                    shared_table if table_shared else room[table_at:],
                    shared_rec if in_registers else memory.theta[slot][w_rec_at:],
                    room[turned_at:],
                    memory.words[block, which],
                    memory.values[block, which],
                    settings.logistic[slot] != 0,
                    steps,
                    each_step,
                    tid,
                    unit,
                    group,
                    lane,
                )
                block, tid = whole(notes[0]), thread() + np.uint32(notes[1])
                y, room = memory.answers[block], memory.sums[block]
                small = shared_small if small_shared else room[small_at:]
                end = (steps & u_one) * u_plane
                answer(
                    y,
                    memory.history[block] if each_step else planes,
                    end,
                    small[w_out_at:],
                    small[b_out_at:],
                    steps,
                    tid,
                )
                barrier()
                first = np.uint32(which) * u_batch
                for n in range(tid, min(u_batch, left - first), u_threads):
                    memory.wrong[item, first + np.uint32(n)] = is_wrong(
                        y, memory.targets[block, which], np.uint32(n), steps
                    )
                barrier()
            item += whole(cuda.gridDim.x)

    return Kernels(cuda.jit(advance, **_options(lay)), cuda.jit(evaluate, **_options(lay)))


def _options(lay: Layout) -> dict[str, Any]:
    """Return the options of the compiler.

    Without link-time optimisation: with it, each read from shared memory stands right before
    its use, and waits; see docs/explanation/gpu.md. (Given to `cuda.jit` together with the
    function: as a decorator with options it drops `lto` in numba-cuda 0.30.)
    """
    return {} if SIMULATED else {"lto": False, "max_registers": lay.registers}
