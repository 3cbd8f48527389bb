"""The scalar functions of a network, written so that LLVM makes vectors of them.

No branch, no call of the C library: each is a fixed chain of float operations, so it
gives the same bits on every machine with fused multiply-adds.
"""

import math

import numpy as np
from numba import njit

from rnnlab.engines.fused_cpu.operations import fma

_ONE = np.float32(1)
_LIMIT = np.float32(8)
"""Beyond it tanh is 1 − 2e-7, and stays so here."""

_P0 = np.float32(0.9999999935774586)
_P1 = np.float32(0.13444504461945525)
_P2 = np.float32(0.0035716057495810668)
_P3 = np.float32(2.189479078202179e-05)
_P4 = np.float32(1.5230600999075104e-08)
_Q1 = np.float32(0.4677783178401659)
_Q2 = np.float32(0.02616447225024352)
_Q3 = np.float32(0.0003411304715882533)
_Q4 = np.float32(8.522520534753338e-07)

_SQUARINGS = 12
_LEAST = -100.0
"""e⁻¹⁰⁰ is denormal in float32, and so 0."""


@njit(error_model="numpy", nogil=True, inline="always")
def tanh(x: np.float32) -> np.float32:
    """Give tanh x ≈ x P(x²) / Q(x²), within 5 units in the last place; |tanh x| < 1.

    P and Q are of degree 4, fitted to tanh(x)/x on [0, 8] by `benchmarks/fit_tanh.py`;
    their relative error is 6e-9 before rounding.
    """
    x = min(max(x, -_LIMIT), _LIMIT)
    y = x * x
    p = fma(fma(fma(fma(_P4, y, _P3), y, _P2), y, _P1), y, _P0)
    q = fma(fma(fma(fma(_Q4, y, _Q3), y, _Q2), y, _Q1), y, _ONE)
    return x * p / q


@njit(error_model="numpy", nogil=True, inline="always")
def exp_of_negative(x: float) -> float:
    """Give eˣ for x ≤ 0, to 1e-8: (e^(x/4096))^4096, by twelve squarings in float64."""
    r = max(x, _LEAST) / 2**_SQUARINGS
    power = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120))))
    for _ in range(_SQUARINGS):
        power *= power
    return power


@njit(error_model="numpy", nogil=True, inline="always")
def log(x: float) -> float:
    """Give the natural logarithm, from the C library: for what is told, not what is learnt."""
    return math.log(x)
