"""Plan: trials − results = work; work → packs.

A set difference over trial ids: resuming needs no other state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweeps.plan.cost import cost
from sweeps.spec.selection import Chosen
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    trials: list[Any]
    """All chosen trials."""
    to_run: list[Any]
    """Trials without a result at this budget, most expensive first."""
    budget: int
    """Maximum number of updates."""
    standings: Mapping[str, Standing]
    """Standing of each stored trial, by `trial_id`."""
    given_up: list[Any] = field(default_factory=list[Any])
    """Trials without a result that have failed too often to be retried."""
    failed: frozenset[str] = frozenset()
    """Ids of trials to run whose last attempt failed: each gets its own pack, last."""

    @property
    def done(self) -> int:
        """Number of trials that have a result at this budget."""
        return len(self.trials) - len(self.to_run) - len(self.given_up)


def plan(trials: list[Any], done: Mapping[str, Standing], budget: int) -> Plan:
    """Plan the trials that have no result at the budget.

    Args:
        trials: Distinct trials.
        done: Standing of each stored trial, by `trial_id`.
        budget: Maximum number of updates of each trial.

    Returns:
        The plan; trials to run are ordered by cost, most expensive first, then as given.
    """
    to_run = [
        trial
        for trial in trials
        if (standing := done.get(id_of(trial))) is None or not standing.done(budget)
    ]

    def left(trial: Any) -> float:
        standing = done.get(id_of(trial))
        return cost(trial) * (budget - (standing.updates if standing else 0))

    return Plan(trials, sorted(to_run, key=left, reverse=True), budget, done)


def plan_of(chosen: Chosen) -> Plan:
    """Plan the chosen trials that have no result in the store; changes nothing.

    pyarrow is imported only if there is a store to read.
    """
    if not (chosen.place / "parts").names():
        return plan(chosen.trials, {}, chosen.budget)
    return plan(chosen.trials, chosen.store.standings(), chosen.budget)
