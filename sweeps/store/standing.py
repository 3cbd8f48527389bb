"""Standings: stored outcome and updates of each trial."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import pyarrow as pa

Outcome = Literal["solved", "unsolved", "diverged"]


@dataclass(frozen=True)
class Standing:
    """Stored outcome and updates of a trial."""

    outcome: Outcome
    updates: int
    numerics_id: str = ""

    def done(self, budget: int) -> bool:
        """Return whether nothing is left to train at a budget."""
        return self.outcome != "unsolved" or self.updates >= budget

    def outcome_at(self, budget: int) -> Outcome:
        """Return the outcome at a budget; a trial is unsolved before its last update."""
        return self.outcome if self.updates <= budget else "unsolved"


def standings_in(table: "pa.Table") -> dict[str, Standing]:
    """Return the standing of each trial of a table, by `trial_id`."""
    columns = ["trial_id", "outcome", "updates", "numerics_id"]
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {
        name: Standing(cast(Outcome, outcome), updates, numerics_id)
        for name, outcome, updates, numerics_id in rows
    }
