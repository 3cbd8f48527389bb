"""The state of training between two updates: all that is needed to resume."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Parameters(NamedTuple):
    """The five trained arrays of h_t = σ(W_rec h_{t−1} + W_in u_t + b), y = W_out h + b_out.

    ICML 2013, Eq. 2, in the equivalent form of its footnote 1.
    """

    w_in: Float[np.ndarray, "hidden inputs"]
    w_rec: Float[np.ndarray, "hidden hidden"]
    bias: Float[np.ndarray, " hidden"]
    w_out: Float[np.ndarray, "outputs hidden"]
    bias_out: Float[np.ndarray, " outputs"]


@dataclass(frozen=True)
class Totals:
    """Sums over the updates since the last check, added in float64 in order.

    They are carried from call to call, so averages do not depend on how calls are split.
    """

    updates: int = 0
    repaired: int = 0
    """Updates replaced by the authors' repair; excluded from the sums below."""
    clipped: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    grad_norm_max: float = 0.0

    @property
    def counted(self) -> int:
        """Number of updates in the sums."""
        return self.updates - self.repaired


@dataclass(frozen=True)
class State:
    """A trial between two updates."""

    parameters: Parameters
    update: int = 0
    """Updates made so far."""
    totals: Totals = field(default_factory=Totals)
    diverged: bool = False
    """The last update gave a non-finite loss, gradient norm or parameter."""
