"""What the store holds by now, read only as far as it is new.

A pack that starts again, or that another run has trained meanwhile, finds here what is
committed: it is not trained twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeps.store.standing import Standing, standings_in
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of


@dataclass
class Done:
    """How far trials have come in the parts that were committed since the plan."""

    store: Store
    seen: set[str]
    """Names of the parts that the plan knew, or that have been read since."""
    standings: dict[str, Standing] = field(default_factory=dict[str, Standing])
    """By `trial_id`; only of trials that have come further since."""

    @classmethod
    def since(cls, store: Store, known: Iterable[str]) -> "Done":
        """Begin with the names of the parts that the plan knew."""
        return cls(store, set(known))

    def refresh(self) -> None:
        """Read the parts that are new."""
        new = [name for name in self.store.parts.names() if name not in self.seen]
        try:
            found = standings_in(self.store.parts.read(new).table)
        except FileNotFoundError:  # merged meanwhile; the next time will see it
            return
        self.seen.update(new)
        for name, standing in found.items():
            before = self.standings.get(name)
            if before is None or before.updates <= standing.updates:
                self.standings[name] = standing

    def of(self, trial: Any, budget: int) -> Standing | None:
        """Give the standing of a trial that has become done at a budget since the plan."""
        standing = self.standings.get(id_of(trial))
        return standing if standing and standing.done(budget) else None
