"""How much of a run's cores the engine had: the rest is overhead.

efficiency  = CPU time in the engine / (workers · time from the first trial's start
              to the last one's end)
check share = CPU time in checks / CPU time in the engine
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sweeps.store.events import Ended, Event


@dataclass(frozen=True)
class Efficiency:
    """CPU time in the engine against what there was."""

    update_s: float = 0.0
    """CPU seconds in updates."""
    check_s: float = 0.0
    """CPU seconds in checks."""
    worker_s: float = 0.0
    """Workers · seconds from the first trial's start to the last one's end."""

    @classmethod
    def of(cls, facts: object) -> "Efficiency":
        """Read what was written down; nothing where somebody has harmed it."""
        if not isinstance(facts, Mapping):
            return cls()
        found: list[Any] = [facts.get(each.name) for each in fields(cls)]
        possible = all(
            isinstance(value, (int, float)) and 0 <= value < math.inf for value in found
        )
        return cls(*found) if possible else cls()

    @property
    def efficiency(self) -> float | None:
        """Share of the workers' time in which the engine computed."""
        return (self.update_s + self.check_s) / self.worker_s if self.worker_s else None

    @property
    def check_share(self) -> float | None:
        """Share of the engine's time that went into checks."""
        engine_s = self.update_s + self.check_s
        return self.check_s / engine_s if engine_s else None

    def __add__(self, other: "Efficiency") -> "Efficiency":
        """Add two runs up."""
        return Efficiency(
            self.update_s + other.update_s,
            self.check_s + other.check_s,
            self.worker_s + other.worker_s,
        )


def of_events(events: Iterable[Event]) -> Efficiency:
    """Return the sum of what the runs of a sweep recorded when they ended."""
    ended = (Efficiency.of(event.as_json()) for event in events if isinstance(event, Ended))
    return sum(ended, Efficiency())


def summary(found: Efficiency) -> str | None:
    """Write both shares for a person; None where nothing has been trained.

    Example:
        >>> summary(Efficiency(update_s=96.0, check_s=2.0, worker_s=100.0))
        'all runs so far: efficiency 98.0 % of the cores, checks 2.0 % of it'
        >>> summary(Efficiency())
    """
    if found.efficiency is None or found.check_share is None:
        return None
    return (
        f"all runs so far: efficiency {100 * found.efficiency:.1f} % of the cores, "
        f"checks {100 * found.check_share:.1f} % of it"
    )
