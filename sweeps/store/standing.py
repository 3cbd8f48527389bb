"""How far each trial has come, as the store says."""

from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from rnnlab import Outcome


@dataclass(frozen=True)
class Standing:
    """How far the store says a trial has come."""

    outcome: Outcome
    updates: int
    numerics_id: str = ""

    def done(self, budget: int) -> bool:
        """Say whether nothing is left to train at a budget."""
        return self.outcome != "unsolved" or self.updates >= budget

    def outcome_at(self, budget: int) -> Outcome:
        """Say how the trial stood at a budget: a later ending had not come yet."""
        return self.outcome if self.updates <= budget else "unsolved"


def standings_in(table: pa.Table) -> dict[str, Standing]:
    """Say how far each trial of a table has come, by `trial_id`."""
    columns = ["trial_id", "outcome", "updates", "numerics_id"]
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {
        name: Standing(cast(Outcome, outcome), updates, numerics_id)
        for name, outcome, updates, numerics_id in rows
    }
