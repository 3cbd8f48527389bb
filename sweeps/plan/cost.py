"""What training costs, for an order of starting and for forecasts."""

from typing import Any

from sweeps.spec.trial_type import type_of


def cost(trial: Any) -> float:
    """Return what an update of a trial costs, in the unit of its type."""
    return type_of(type(trial)).described.cost(trial)
