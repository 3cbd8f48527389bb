"""Fit the rational function that `rnnlab.engines.fused_cpu.units` computes as tanh.

    python benchmarks/fit_tanh.py

Prints the coefficients of tanh x ≈ x P(x²) / Q(x²), Q(0) = 1, with the largest relative
error on (0, 8] before rounding, and the largest error of the compiled function.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from rnnlab.engines.fused_cpu.units import tanh

LIMIT = 8.0
"""The compiled tanh is constant beyond this."""
DEGREE = 4
"""Degree of P and of Q."""
STEPS = 400
LEAST_WEIGHT = 1e-12
SAMPLES = 4_000_000
"""Floats at which the compiled function is evaluated."""


class Fit(NamedTuple):
    """Coefficients of x⁰, x², x⁴ and so on."""

    p: np.ndarray
    q: np.ndarray
    error: float
    """Largest |x P / (Q tanh x) − 1| on the fitted points."""


def points() -> np.ndarray:
    """Return the points to fit: dense at both ends of (0, 8], and evenly spaced on (0, 1]."""
    crowded = LIMIT * (1 - np.cos(np.linspace(0, np.pi, 4001))) / 2
    return np.unique(np.concatenate([crowded, np.linspace(0, 1, 500)]))[1:]


def fit() -> Fit:
    """Fit P and Q to minimise the largest relative error.

    With g = tanh(x)/x and s = (x/8)², each step solves the weighted least squares

        minimise Σ w ( P(s) / (g Q₀(s)) − Q(s) / Q₀(s) )²,

    linear in P and Q, where Q₀ is the Q of the previous step (Sanathanan & Koerner, 1963);
    then w increases where the relative error e is large, w ← w √(e / max e) (after Lawson,
    1961), which drives the error towards equal peaks. The best step is kept.
    """
    x = points().astype(np.longdouble)
    powers = ((x / LIMIT) ** 2)[:, None] ** np.arange(DEGREE + 1)
    g = np.tanh(x) / x
    weight, q_before, best = np.ones_like(x), np.ones_like(x), Fit(x, x, np.inf)
    for _ in range(STEPS):
        p, q = solve(powers, g, weight, q_before)
        q_before = powers @ q
        error = np.abs(powers @ p / q_before / g - 1)
        if error.max() < best.error:
            best = Fit(p, q, float(error.max()))
        weight = weight * np.sqrt(error / error.max()) + LEAST_WEIGHT
        weight /= weight.max()
    scale = LIMIT ** (2.0 * np.arange(DEGREE + 1))
    return Fit(best.p / scale, best.q / scale, best.error)


def solve(
    powers: np.ndarray, g: np.ndarray, weight: np.ndarray, q_before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve one weighted least squares; columns are scaled to 1, since they differ by 1e7."""
    columns = np.concatenate([powers / g[:, None], -powers[:, 1:]], axis=1)
    columns /= q_before[:, None]
    scale = np.abs(columns).max(axis=0)
    root = np.sqrt(weight)
    matrix = (columns / scale * root[:, None]).astype(float)
    wanted = (root / q_before).astype(float)
    found = np.linalg.lstsq(matrix, wanted)[0] / scale.astype(float)
    return found[: DEGREE + 1], np.concatenate([[1.0], found[DEGREE + 1 :]])


@njit(error_model="numpy")
def squashed(x: np.ndarray) -> np.ndarray:
    """Apply the compiled tanh."""
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = tanh(x[i])
    return y


def largest_error_ulp() -> tuple[float, float]:
    """Return the largest error of the compiled tanh in units in the last place, and where.

    The unit is the spacing of the floats around the true value. Half of the arguments are
    evenly spaced on (0, 10], half evenly in their exponents down to 1e-30.
    """
    half = SAMPLES // 2
    even, small = np.linspace(0, 10, half + 1)[1:], np.logspace(-30, 1, half)
    x = np.concatenate([even, small]).astype(np.float32)
    true = np.tanh(x.astype(np.float64))
    unit = np.spacing(true.astype(np.float32)).astype(np.float64)
    error = np.abs(squashed(x) - true) / unit
    return float(error.max()), float(x[error.argmax()])


def main() -> None:
    """Print coefficients and errors."""
    found = fit()
    for name, values in (("P", found.p), ("Q", found.q)):
        for power, value in enumerate(values):
            print(f"{name}{power} = {float(value)!r}")
    print(f"largest relative error before rounding: {found.error:.1e}")
    worst, where = largest_error_ulp()
    print(
        f"largest error of the compiled tanh: {worst:.2f} units in the last place, at {where:.6g}"
    )


if __name__ == "__main__":
    main()
