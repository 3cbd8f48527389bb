"""Engines advance trials by some updates; the loop around them is `rnnlab.train`.

| engine | what it is |
| --- | --- |
| `plain` | PyTorch autograd, a readable page: the reference, on any device |
| `fused_cpu` | compiled code without Python between updates: one CPU core, the default |

Every engine draws its data from the same generators and is tested against the one above.
"""

from collections.abc import Callable
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

    @property
    def numerics_id(self) -> str:
        """What bits depend on; equal ids promise equal bits."""
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


def _plain() -> Engine:
    from rnnlab.engines.plain import Plain

    return Plain()


def _fused_cpu() -> Engine:
    from rnnlab.engines.fused_cpu import FusedCpu

    return FusedCpu()


ENGINES: dict[str, Callable[[], Engine]] = {"fused_cpu": _fused_cpu, "plain": _plain}
"""Every engine by its name; torch or Numba are imported only where one is built."""

DEFAULT = "fused_cpu"


def choose(name: str = DEFAULT) -> Engine:
    """Build an engine by its name; there is no automatic choice and no fallback.

    Args:
        name: One of `ENGINES`.

    Raises:
        ValueError: If there is no such engine.
    """
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise ValueError(f"No engine is called {name!r}. Known: {known}.")
    return ENGINES[name]()
