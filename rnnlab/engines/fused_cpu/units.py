"""The scalar functions of a network, written so that LLVM vectorises them.

They have no branches and do not call the C library: each is a fixed chain of float
operations, so the bits are the same on every machine with fused multiply-adds.
"""

import math

import numpy as np
from numba import njit

from rnnlab.engines.fused_cpu.operations import fma, two_to_the

_ONE = np.float32(1)
_ZERO = np.float32(0)
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

_LEAST = np.float32(-87)
"""Below it eˣ is denormal in float32, and is returned as 0."""
_SHIFT = np.float32(1.5 * 2**23)
"""Added to a small float, it leaves no fraction bits: the sum is rounded to an integer."""
_PER_LN2 = np.float32(1 / math.log(2))
_LN2_HEAD = np.float32(0.693359375)
"""ln 2 in few bits, so that small multiples of it are exact."""
_LN2_TAIL = np.float32(math.log(2) - 0.693359375)
_SERIES = tuple(np.float32(1 / math.factorial(k)) for k in range(8))
"""Coefficients of the series of eʳ."""


@njit(error_model="numpy", nogil=True, inline="always")
def tanh(x: np.float32) -> np.float32:
    """Compute tanh x ≈ x P(x²) / Q(x²), within 5 units in the last place; |tanh x| < 1.

    P and Q are of degree 4, fitted to tanh(x)/x on [0, 8] by `benchmarks/fit_tanh.py`;
    their relative error is 6e-9 before rounding.
    """
    x = min(max(x, -_LIMIT), _LIMIT)
    y = x * x
    p = fma(fma(fma(fma(_P4, y, _P3), y, _P2), y, _P1), y, _P0)
    q = fma(fma(fma(fma(_Q4, y, _Q3), y, _Q2), y, _Q1), y, _ONE)
    return x * p / q


@njit(error_model="numpy", nogil=True, inline="always")
def exp_of_negative(x: np.float32) -> np.float32:
    """Compute eˣ for x ≤ 0, within 2 units in the last place; 0 below −87.

    x = n ln 2 + r with |r| ≤ ½ ln 2, so eˣ = 2ⁿ eʳ, and eʳ by its series to r⁷/7!.
    """
    near = max(x, _LEAST)
    shifted = fma(near, _PER_LN2, _SHIFT)
    n = shifted - _SHIFT
    r = fma(n, -_LN2_TAIL, fma(n, -_LN2_HEAD, near))
    power = fma(r, _SERIES[7], _SERIES[6])
    power = fma(fma(fma(power, r, _SERIES[5]), r, _SERIES[4]), r, _SERIES[3])
    power = fma(fma(fma(power, r, _SERIES[2]), r, _ONE), r, _ONE)
    return _ZERO if x < _LEAST else power * two_to_the(shifted)


@njit(error_model="numpy", nogil=True, inline="always")
def log(x: float) -> float:
    """Compute the natural logarithm with the C library; used in reported losses only."""
    return math.log(x)
