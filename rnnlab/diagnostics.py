"""Diagnostics of a trial: properties of W_rec."""

import functools

import numpy as np
from jaxtyping import Float
from threadpoolctl import ThreadpoolController

DIGITS = 10


def spectral_radius(w_rec: Float[np.ndarray, "hidden hidden"]) -> float:
    """Compute the largest |eigenvalue| ρ of the recurrent weights, to ten digits.

    Further digits depend on the linear algebra library and the CPU model; a trial must not
    depend on them, and `smart_tanh` scales its weights by ρ.

    Args:
        w_rec: Square, finite.

    Example:
        >>> spectral_radius(np.array([[0.0, 2.0], [-2.0, 0.0]]))
        2.0
    """
    with _blas().limit(limits=1):  # the last bits depend on the number of threads
        eigenvalues = np.linalg.eigvals(w_rec.astype(np.float64))
    return _rounded(np.abs(eigenvalues).max())


def largest_singular_value(w_rec: Float[np.ndarray, "hidden hidden"]) -> float:
    """Compute the largest singular value λ₁ of the recurrent weights, to ten digits.

    Where σ' ≤ γ (1 for tanh, ¼ for the logistic function), λ₁ < 1/γ is sufficient for
    gradients to vanish, and λ₁ > 1/γ necessary for them to explode (ICML 2013, Section
    2.1). λ₁ ≥ ρ.

    Args:
        w_rec: Square, finite.

    Example:
        >>> largest_singular_value(np.array([[0.0, 2.0], [0.5, 0.0]]))
        2.0
    """
    with _blas().limit(limits=1):
        return _rounded(np.linalg.norm(w_rec.astype(np.float64), 2))


def _rounded(value: np.floating) -> float:
    return float(f"{value:.{DIGITS}g}")


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
