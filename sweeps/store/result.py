"""What a trial's training gives, whatever its type: one row of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.store.standing import Outcome

Values = Mapping[str, Any]
"""Numbers, words, truth values or None by the name of their column."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a trial ended, or where it stood at its budget."""

    trial_id: str
    outcome: Outcome
    """solved or diverged, as its trainer says; unsolved: it met its budget."""
    updates: int
    """Updates made: where the trial was solved, diverged, or met its budget."""
    summary: Values
    """Further columns of the table."""
    engine: str | None
    """The engine that trained it, where its type has several."""
    numerics_id: str
    """What the bits depend on: code, libraries, processor."""
    checks: tuple[Values, ...]
    """Every check in order, each with its `update`."""

    def row(self) -> dict[str, Any]:
        """Return the columns of the table after those of the trial."""
        return {
            "outcome": self.outcome,
            "updates": self.updates,
            **self.summary,
            "engine": self.engine,
            "numerics_id": self.numerics_id,
        }

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        """Return one row for each check beyond update `after`."""
        return [
            {"trial_id": self.trial_id, **check, "numerics_id": self.numerics_id}
            for check in self.checks
            if check["update"] > after
        ]
