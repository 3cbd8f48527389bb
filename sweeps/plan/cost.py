"""Training cost, for the start order and for forecasts."""

from typing import Any

from sweeps.spec.trial_type import type_of


def cost(trial: Any) -> float:
    """Return the cost of one update of a trial, in the unit of its type."""
    return type_of(type(trial)).described.cost(trial)
