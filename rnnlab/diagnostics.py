"""What one looks at to understand a trial: properties of W_rec."""

import functools

import numpy as np
from jaxtyping import Float
from threadpoolctl import ThreadpoolController


def spectral_radius(w_rec: Float[np.ndarray, "hidden hidden"]) -> float:
    """Give the largest |eigenvalue| ρ of the recurrent weights.

    Args:
        w_rec: Square, finite.

    Example:
        >>> round(spectral_radius(np.array([[0.0, 2.0], [-2.0, 0.0]])), 12)
        2.0
    """
    with _blas().limit(limits=1):  # its last bits depend on the number of threads
        eigenvalues = np.linalg.eigvals(w_rec.astype(np.float64))
    return float(np.abs(eigenvalues).max())


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
