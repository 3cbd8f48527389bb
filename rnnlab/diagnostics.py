"""What one looks at to understand a trial: properties of W_rec."""

import numpy as np
from jaxtyping import Float


def spectral_radius(w_rec: Float[np.ndarray, "hidden hidden"]) -> float:
    """Give the largest |eigenvalue| ρ of the recurrent weights.

    Args:
        w_rec: Square, finite.

    Example:
        >>> round(spectral_radius(np.array([[0.0, 2.0], [-2.0, 0.0]])), 12)
        2.0
    """
    return float(np.abs(np.linalg.eigvals(w_rec.astype(np.float64))).max())
