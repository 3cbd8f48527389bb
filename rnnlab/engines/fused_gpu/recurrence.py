"""The recurrence: products with W_rec and its transpose, and the hidden unit.

A thread sums for two units. Either both are its own; or one is, and it sums over the k with
k mod 2 = its lane, and swaps the other unit's sums with the lane beside it.
"""

from typing import Any, NamedTuple

import numpy as np

from rnnlab.engines.fused_gpu.intrinsics import device, divide, swap
from rnnlab.engines.fused_gpu.layout import QUAD, Layout

_ZERO = np.float32(0)
_ONE = np.float32(1)
_LIMIT = np.float32(8)
"""Beyond it tanh is 1 − 2e-7, and constant in this approximation."""

_P0 = np.float32(0.9999999935774586)
_P1 = np.float32(0.13444504461945525)
_P2 = np.float32(0.0035716057495810668)
_P3 = np.float32(2.189479078202179e-05)
_P4 = np.float32(1.5230600999075104e-08)
_Q1 = np.float32(0.4677783178401659)
_Q2 = np.float32(0.02616447225024352)
_Q3 = np.float32(0.0003411304715882533)
_Q4 = np.float32(8.522520534753338e-07)


@device
def tanh(x: np.float32) -> np.float32:
    """Compute tanh x ≈ x P(x²) / Q(x²), as `fused_cpu` does; |tanh x| < 1."""
    x = min(max(x, -_LIMIT), _LIMIT)
    y = x * x
    p = (((_P4 * y + _P3) * y + _P2) * y + _P1) * y + _P0
    q = (((_Q4 * y + _Q3) * y + _Q2) * y + _Q1) * y + _ONE
    return divide(x * p, q)


class Recurrence(NamedTuple):
    """The device functions of the recurrence."""

    take_rows: Any
    take_columns: Any
    multiply: Any
    multiply_from_memory: Any


def build_recurrence(lay: Layout) -> Recurrence:
    """Make the device functions for a layout."""
    share = (
        3 - lay.owned
    )  # of the k: with one unit a thread sums every second k, for two units
    count = lay.units // share
    u_row, u_one, u_two = (np.uint32(n) for n in (lay.row, 1, 2))
    u_units = np.uint32(lay.units)

    @device
    def partner(unit: Any, lane: Any) -> Any:
        """Return the other unit of a thread's sums: its own second, or the other lane's."""
        return unit + u_one - u_two * lane

    @device
    def take_rows(weights: Any, w_rec: Any, unit: Any, lane: Any) -> None:
        """Read the weights into both units of this thread's sums."""
        other = partner(unit, lane)
        for j in range(count):
            k = np.uint32(share * j) + lane
            weights[2 * j] = w_rec[unit * u_row + k]
            weights[2 * j + 1] = w_rec[other * u_row + k]

    @device
    def take_columns(weights: Any, w_rec: Any, unit: Any, lane: Any) -> None:
        """Read the weights out of both units of this thread's sums."""
        other = partner(unit, lane)
        for j in range(count):
            k = np.uint32(share * j) + lane
            weights[2 * j] = w_rec[k * u_row + unit]
            weights[2 * j + 1] = w_rec[k * u_row + other]

    @device
    def multiply(total: Any, weights: Any, planes: Any, start: Any) -> None:
        """Sum weight k times plane k, for both units and four sequences."""
        for i in range(2 * QUAD):
            total[i] = _ZERO
        for j in range(count):
            place = start + np.uint32(share * QUAD * j)
            a = planes[place]
            b = planes[place + np.uint32(1)]
            c = planes[place + np.uint32(2)]
            d = planes[place + np.uint32(3)]
            mine, other = weights[2 * j], weights[2 * j + 1]
            total[0] += mine * a
            total[1] += mine * b
            total[2] += mine * c
            total[3] += mine * d
            total[4] += other * a
            total[5] += other * b
            total[6] += other * c
            total[7] += other * d
        if share == 2:
            for i in range(QUAD):
                total[i] += swap(total[QUAD + i], 1)

    @device
    def multiply_from_memory(
        total: Any, matrix: Any, planes: Any, start: Any, unit: Any, lane: Any
    ) -> None:
        """Do the same with the weights of two columns of a matrix in memory."""
        other = partner(unit, lane)
        for i in range(2 * QUAD):
            total[i] = _ZERO
        for j in range(count):
            place = start + np.uint32(share * QUAD * j)
            k = (np.uint32(share * j) + lane) * u_units
            mine, theirs = matrix[k + unit], matrix[k + other]
            for e in range(QUAD):
                x = planes[place + np.uint32(e)]
                total[e] += mine * x
                total[QUAD + e] += theirs * x
        if share == 2:
            for i in range(QUAD):
                total[i] += swap(total[QUAD + i], 1)

    return Recurrence(take_rows, take_columns, multiply, multiply_from_memory)
