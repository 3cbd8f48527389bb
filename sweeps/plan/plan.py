"""Plan: trials − results = work; work → packs.

A set difference over names, so that resuming needs no other state.
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
    """All that were asked for."""
    to_run: list[Any]
    """Those without a result at this budget, most expensive first."""
    budget: int
    """Updates at most."""
    standings: Mapping[str, Standing]
    """How far each trial in the store has come, by `trial_id`."""
    given_up: list[Any] = field(default_factory=list[Any])
    """Those without a result that have failed too often to be tried again."""
    failed: frozenset[str] = frozenset()
    """Names of those to run whose last attempt failed: each gets a pack of its own, last."""

    @property
    def done(self) -> int:
        """How many trials have a result at this budget."""
        return len(self.trials) - len(self.to_run) - len(self.given_up)


def plan(trials: list[Any], done: Mapping[str, Standing], budget: int) -> Plan:
    """Subtract what is done from what was asked for.

    Args:
        trials: Distinct trials.
        done: How far each trial in the store has come, by `trial_id`.
        budget: Updates at most, for each trial.

    Returns:
        The plan; its work is ordered by cost, most expensive first, then as given.
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
    """Subtract what the sweep's store holds from what was chosen; changes nothing.

    pyarrow is imported only where there is a store to read.
    """
    if not (chosen.place / "parts").names():
        return plan(chosen.trials, {}, chosen.budget)
    return plan(chosen.trials, chosen.store.standings(), chosen.budget)
