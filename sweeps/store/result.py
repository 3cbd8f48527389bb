"""The result of training a trial of any type: one row of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.store.standing import Outcome

Values = Mapping[str, Any]
"""Numbers, strings, booleans or None by column name."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a trial ended, or its position at its budget."""

    trial_id: str
    outcome: Outcome
    """solved or diverged, as its trainer reports; unsolved: it reached its budget."""
    updates: int
    """Updates made until the trial was solved, diverged, or reached its budget."""
    summary: Values
    """Further columns of the table."""
    engine: str | None
    """The engine that trained it, if its type has several."""
    numerics_id: str
    """What the bits depend on: code, libraries, processor."""
    checks: tuple[Values, ...]
    """Every check in order, each with its `update`."""

    def row(self) -> dict[str, Any]:
        """Return the columns of the table that follow those of the trial."""
        return {
            "outcome": self.outcome,
            "updates": self.updates,
            **self.summary,
            "engine": self.engine,
            "numerics_id": self.numerics_id,
        }

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        """Return one row for each check after update `after`."""
        return [
            {"trial_id": self.trial_id, **check, "numerics_id": self.numerics_id}
            for check in self.checks
            if check["update"] > after
        ]
