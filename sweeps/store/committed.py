"""Read the results committed since the plan.

A pack that restarts, or that another run has trained meanwhile, finds its committed
results here and does not train them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeps.store.standing import Standing, standings_in
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of


@dataclass
class Done:
    """Standings of trials in the parts that were committed since the plan."""

    store: Store
    seen: set[str]
    """Names of the parts that the plan knew, or that have been read since."""
    standings: dict[str, Standing] = field(default_factory=dict[str, Standing])
    """By `trial_id`; only of trials with new updates since."""

    @classmethod
    def since(cls, store: Store, known: Iterable[str]) -> "Done":
        """Begin with the names of the parts that the plan knew."""
        return cls(store, set(known))

    def refresh(self) -> None:
        """Read the new parts."""
        new = [name for name in self.store.parts.names() if name not in self.seen]
        try:
            found = standings_in(self.store.parts.read(new).table)
        except FileNotFoundError:  # merged meanwhile; the next refresh reads it
            return
        self.seen.update(new)
        for name, standing in found.items():
            before = self.standings.get(name)
            if before is None or before.updates <= standing.updates:
                self.standings[name] = standing

    def of(self, trial: Any, budget: int) -> Standing | None:
        """Return a trial's standing if it was finished at a budget since planning, else None."""
        standing = self.standings.get(id_of(trial))
        return standing if standing and standing.done(budget) else None
