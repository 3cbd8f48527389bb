"""What the training loop asks of an engine."""

from typing import NamedTuple, Protocol, runtime_checkable

from rnnlab import rng
from rnnlab.data import Batch
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State

CHECK_SEQUENCES = 10_000
"""Fresh sequences of a check."""


class Gradients(NamedTuple):
    """What one update is made of, on given data and before clipping."""

    loss: float
    """Cost C of `rnnlab.costs`, without Ω."""
    grads: Parameters
    """∂C/∂θ, with `omega_weight`·∂⁺Ω/∂W_rec added to `w_rec`."""
    norm: float
    """Global norm of `grads`."""
    omega: float
    """Ω, measured whatever its weight."""
    valid_share: float
    """Share of (step, example) pairs with ‖∂C/∂h‖² ≥ 1e-20."""


@runtime_checkable
class Engine(Protocol):
    """What the training loop asks of an engine."""

    @property
    def name(self) -> str:
        """Short name, as in the table's column `engine`."""
        ...

    def numerics_id(self, trial: Trial) -> str:
        """Return a name for what the bits of a trial depend on; equal ids promise equal bits."""
        ...

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make up to `updates` updates; fewer where one diverges, and `state` says so."""
        ...

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Count wrong sequences of check or test number `index`, in order.

        Returns:
            Errors and sequences looked at: 10,000, or where error `stop_at` came.
        """
        ...

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Give the gradients of one update on given data."""
        ...
