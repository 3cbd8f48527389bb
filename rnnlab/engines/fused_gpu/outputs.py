"""Outputs y = W_out h + b_out, the cost C and its derivatives; see `rnnlab.costs`.

y is kept as (row, output, sequence), with a row for each step that has a target. The cost
overwrites it with e = ∂C/∂y.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from rnnlab.bounds import WRONG_ABOVE
from rnnlab.engines.fused_gpu.intrinsics import device
from rnnlab.engines.fused_gpu.layout import QUAD, Layout

_ZERO = np.float32(0)


class Outputs(NamedTuple):
    """The device functions of the outputs."""

    answer: Any
    cost: Any
    clear: Any
    credit: Any
    blame: Any
    bias: Any
    wrong: Any


def build_outputs(lay: Layout) -> Outputs:
    """Make the device functions for a layout."""
    shape = lay.shape
    outputs, batch, each_step = shape.outputs, shape.batch, shape.each_step
    numbers = shape.numbers
    u_outputs, u_batch, u_rows = np.uint32(outputs), np.uint32(batch), np.uint32(lay.rows)
    owned, threads, hidden, live = lay.owned, lay.threads, shape.hidden, lay.live
    u_group = np.uint32(lay.units * QUAD)
    u_hidden, u_live, u_pairs, u_values = (
        np.uint32(n) for n in (hidden, live, lay.units // owned, lay.values)
    )
    u_threads, u_quad, u_sums = (np.uint32(n) for n in (lay.threads, QUAD, lay.row_of_sums))

    if each_step:

        @device
        def answer(
            y: Any, h: Any, end: Any, w_out: Any, b_out: Any, steps: Any, tid: Any
        ) -> None:
            """Compute y of each step from the history of h."""
            for n in range(tid, steps * u_outputs * u_rows, u_threads):
                place = np.uint32(n)
                example, row = place % u_rows, place // (u_rows * u_outputs)
                output = (place // u_rows) % u_outputs
                start = ((row + np.uint32(1)) * u_values + example % u_quad) * u_live
                start += (example // u_quad) * u_pairs
                total = b_out[output]
                for k in range(hidden):
                    at = np.uint32(k % owned * QUAD * live + k // owned)
                    total += w_out[output * u_hidden + np.uint32(k)] * h[start + at]
                y[place] = total

    else:

        @device
        def answer(
            y: Any, h: Any, end: Any, w_out: Any, b_out: Any, steps: Any, tid: Any
        ) -> None:
            """Compute y of the last step from its plane, which begins at `end`."""
            for n in range(tid, u_outputs * u_rows, u_threads):
                place = np.uint32(n)
                example, output = place % u_rows, place // u_rows
                start = end + (example // u_quad) * u_group + example % u_quad
                total = b_out[output]
                for k in range(hidden):
                    weight = w_out[output * u_hidden + np.uint32(k)]
                    total += weight * h[start + np.uint32(QUAD * k)]
                y[place] = total

    @device
    def squares(y: Any, first: Any, wanted: Any) -> float:
        loss = 0.0
        count = batch * outputs
        for output in range(outputs):
            place = first + np.uint32(output) * u_rows
            missed = np.float64(y[place]) - np.float64(np.float32(wanted[output]))
            loss += missed * missed / count
            y[place] = np.float32(2 * missed / count)
        return loss

    @device
    def surprise(y: Any, first: Any, target: Any, count: Any) -> float:
        largest = y[first]
        for output in range(1, outputs):
            largest = max(largest, y[first + np.uint32(output) * u_rows])
        aim = first + np.uint32(target) * u_rows
        gap = np.float64(y[aim] - largest)
        total = _ZERO
        others = _ZERO
        for output in range(outputs):
            place = first + np.uint32(output) * u_rows
            power = np.float32(math.exp(y[place] - largest))
            y[place] = power
            total += power
            if output != target:
                others += power  # 1 − p for p near 1 would lose digits
        share = np.float32(1) / (total * np.float32(count))
        for output in range(outputs):
            y[first + np.uint32(output) * u_rows] *= share
        y[aim] = -others * share
        return (math.log(np.float64(total)) - gap) / np.float64(count)

    @device
    def cost(y: Any, targets: Any, steps: Any, tid: Any) -> float:
        """Overwrite y with e; return this thread's part of C."""
        rows = steps if each_step else np.uint32(1)
        loss = 0.0
        for n in range(tid, rows * u_rows, u_threads):
            example, row = np.uint32(n) % u_rows, np.uint32(n) // u_rows
            first = row * u_outputs * u_rows + example
            if example >= u_batch:
                for output in range(outputs):
                    y[first + np.uint32(output) * u_rows] = _ZERO
            elif numbers:
                loss += squares(y, first, targets[example])
            else:
                loss += surprise(y, first, int(targets[example, row]), rows * u_batch)
        return loss

    @device
    def clear(sums: Any, tid: Any) -> None:
        """Set this thread's sums to 0."""
        for n in range(outputs * owned):
            sums[np.uint32(n) * u_threads + tid] = _ZERO

    @device
    def credit(sums: Any, y: Any, h: Any, row: Any, tid: Any, group: Any) -> None:
        """Add eᵀ h of a step, for this thread's unit and four sequences."""
        for output in range(outputs):
            place = (row * u_outputs + np.uint32(output)) * u_rows + group * u_quad
            for k in range(owned):
                total = _ZERO
                for e in range(QUAD):
                    total += y[place + np.uint32(e)] * h[k * QUAD + e]
                sums[np.uint32(output) * u_sums + np.uint32(k * threads) + tid] += total

    @device
    def blame(d: Any, y: Any, w_out: Any, row: Any, unit: Any, group: Any) -> None:
        """Add e W_out of a step to ∂C/∂h, for this thread's unit and four sequences."""
        for output in range(outputs):
            place = (row * u_outputs + np.uint32(output)) * u_rows + group * u_quad
            for k in range(owned):
                weight = _ZERO
                if unit + np.uint32(k) < u_hidden:
                    weight = w_out[np.uint32(output) * u_hidden + unit + np.uint32(k)]
                for e in range(QUAD):
                    d[k * QUAD + e] += weight * y[place + np.uint32(e)]

    @device
    def bias(y: Any, output: Any, part: Any, parts: Any, steps: Any) -> float:
        """Sum a part of ∂C/∂b_out = Σ e of an output, in float64."""
        rows = steps if each_step else np.uint32(1)
        total = 0.0
        for n in range(part, rows * u_batch, parts):
            row, example = np.uint32(n) // u_batch, np.uint32(n) % u_batch
            total += np.float64(y[(row * u_outputs + output) * u_rows + example])
        return total

    @device
    def wrong(y: Any, targets: Any, example: Any, steps: Any) -> bool:
        """Return whether the answer to a sequence is wrong."""
        if numbers:
            missed = 0.0
            for output in range(outputs):
                gap = np.float64(y[np.uint32(output) * u_rows + example])
                gap -= np.float64(np.float32(targets[example, output]))
                missed += gap * gap
            return not missed <= WRONG_ABOVE  # NaN is wrong too
        rows = steps if each_step else np.uint32(1)
        missed_any = False
        for row in range(rows):
            first = np.uint32(row) * u_outputs * u_rows + example
            best, chosen = y[first], 0
            for output in range(1, outputs):
                value = y[first + np.uint32(output) * u_rows]
                if value > best:
                    best, chosen = value, output
            if chosen != int(targets[example, row]) or best != best:
                missed_any = True
        return missed_any

    return Outputs(answer, cost, clear, credit, blame, bias, wrong)
