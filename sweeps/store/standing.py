"""How far each trial has been trained, according to the store."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import pyarrow as pa

Outcome = Literal["solved", "unsolved", "diverged"]


@dataclass(frozen=True)
class Standing:
    """How far the store says a trial has been trained."""

    outcome: Outcome
    updates: int
    numerics_id: str = ""

    def done(self, budget: int) -> bool:
        """Return whether nothing is left to train at a budget."""
        return self.outcome != "unsolved" or self.updates >= budget

    def outcome_at(self, budget: int) -> Outcome:
        """Return the outcome at a budget; before its last update a trial was unsolved."""
        return self.outcome if self.updates <= budget else "unsolved"


def standings_in(table: "pa.Table") -> dict[str, Standing]:
    """Return how far each trial of a table has been trained, by `trial_id`."""
    columns = ["trial_id", "outcome", "updates", "numerics_id"]
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {
        name: Standing(cast(Outcome, outcome), updates, numerics_id)
        for name, outcome, updates, numerics_id in rows
    }
