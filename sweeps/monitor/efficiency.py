"""Share of core time used for training; the rest is overhead.

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
    """CPU time in the engine, and the core time available."""

    update_s: float = 0.0
    """CPU seconds in updates."""
    check_s: float = 0.0
    """CPU seconds in checks."""
    worker_s: float = 0.0
    """Workers · seconds from the first trial's start to the last one's end."""

    @classmethod
    def of(cls, facts: object) -> "Efficiency":
        """Read recorded values; ignore those that are not numbers."""
        if not isinstance(facts, Mapping):
            return cls()
        found: list[Any] = [facts.get(each.name) for each in fields(cls)]
        possible = all(
            isinstance(value, (int, float)) and 0 <= value < math.inf for value in found
        )
        return cls(*found) if possible else cls()

    @property
    def efficiency(self) -> float | None:
        """The engine's share of the workers' time."""
        return (self.update_s + self.check_s) / self.worker_s if self.worker_s else None

    @property
    def check_share(self) -> float | None:
        """The share of checks in the engine's time."""
        engine_s = self.update_s + self.check_s
        return self.check_s / engine_s if engine_s else None

    def __add__(self, other: "Efficiency") -> "Efficiency":
        """Add two runs."""
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
    """Return both shares as text; None if nothing has been trained.

    Example:
        >>> summary(Efficiency(update_s=96.0, check_s=2.0, worker_s=100.0))
        'all runs so far: training used 98.0 % of core time, 2.0 % of that on evaluation'
        >>> summary(Efficiency())
    """
    if found.efficiency is None or found.check_share is None:
        return None
    return (
        f"all runs so far: training used {100 * found.efficiency:.1f} % of core time, "
        f"{100 * found.check_share:.1f} % of that on evaluation"
    )
