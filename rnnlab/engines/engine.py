"""The interface between the training loop and an engine."""

from typing import NamedTuple, Protocol, runtime_checkable

from rnnlab import rng
from rnnlab.data import Batch
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State

CHECK_SEQUENCES = 10_000
"""Number of fresh sequences per check."""


class Gradients(NamedTuple):
    """Gradients and measurements of one update on given data, before clipping."""

    loss: float
    """Cost C of `rnnlab.costs`, without Ω."""
    grads: Parameters
    """∂C/∂θ, with `omega_weight`·∂⁺Ω/∂W_rec added to `w_rec`."""
    norm: float
    """Global norm of `grads`."""
    omega: float
    """Ω, measured even if its weight is 0."""
    valid_share: float
    """Share of (step, example) pairs with ‖∂C/∂h‖² ≥ 1e-20."""


@runtime_checkable
class Engine(Protocol):
    """Interface of an engine, used by the training loop."""

    @property
    def name(self) -> str:
        """Short name, as in the table's column `engine`."""
        ...

    def numerics_id(self, trial: Trial) -> str:
        """Return an id of what the bits of a trial depend on; equal ids promise equal bits."""
        ...

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make up to `updates` updates; fewer if one diverges, which sets `state.diverged`."""
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
            Errors and evaluated sequences: 10,000, or fewer if error `stop_at` was reached.
        """
        ...

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Return the gradients of one update on given data."""
        ...
