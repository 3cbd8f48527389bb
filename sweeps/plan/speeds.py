"""Training speeds: recorded, measured now, or assumed."""

import socket
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sweeps.plan.cost import cost
from sweeps.spec.trial_type import TrialType
from sweeps.store.events import Event, Finished
from sweeps.store.trial_id import id_of

BRIEF_S = 0.2
"""Shorter attempts measure starting more than training."""

Shape = Hashable


def shape(trial: Any) -> Shape:
    """Return the properties that determine how long an update of a trial takes."""
    return TrialType.of(trial).described.shape(trial)


@dataclass(frozen=True)
class Speeds:
    """Seconds per update, by shape of the trial."""

    samples: Mapping[Shape, tuple[float, ...]]
    """Measured, by shape; a missing shape is scaled by its cost."""
    basis: str
    """Source of the samples, as text."""
    per_cost: tuple[float, ...] = field(default=())
    """Seconds per unit of cost, of all samples."""

    def of(self, trial: Any) -> tuple[float, ...]:
        """Return samples of a trial's seconds per update, at least one."""
        measured = self.samples.get(shape(trial))
        return measured or tuple(each * cost(trial) for each in self.per_cost)

    def typical(self, trial: Any) -> float:
        """Return the median seconds per update of a trial."""
        return median(self.of(trial))


def assumed(kind: TrialType, engine: str | None) -> Speeds:
    """Return the default speeds of an engine on an unmeasured machine."""
    return Speeds({}, "assumed", (kind.described.assumed_s(engine),))


def measured(found: Iterable[tuple[Any, float]], basis: str) -> Speeds:
    """Collect samples of seconds per update.

    Args:
        found: Trials and seconds per update, at least one.
        basis: Source of the samples.
    """
    samples: dict[Shape, list[float]] = {}
    per_cost: list[float] = []
    for trial, seconds in found:
        samples.setdefault(shape(trial), []).append(seconds)
        per_cost.append(seconds / cost(trial))
    kept = {key: tuple(values) for key, values in samples.items()}
    return Speeds(kept, basis, tuple(per_cost))


def recorded(events: Iterable[Event], trials: Iterable[Any]) -> Speeds | None:
    """Read speeds from the log of attempts; None if it has none.

    For each shape, use attempts under the numerics of its last one; only those on this host,
    if there are any.
    """
    by_id = {id_of(trial): trial for trial in trials}
    finished = [
        event
        for event in events
        if isinstance(event, Finished) and event.trial_id in by_id and _timed(event)
    ]
    made_by = {shape(by_id[event.trial_id]): event.numerics_id for event in finished}
    finished = [e for e in finished if e.numerics_id == made_by[shape(by_id[e.trial_id])]]
    here = [event for event in finished if event.host == socket.gethostname()]
    chosen = here or finished
    long = [event for event in chosen if event.seconds >= BRIEF_S]
    found = [
        (by_id[event.trial_id], event.seconds / event.made) for event in long or chosen
    ]
    where = "this machine" if here else "another machine"
    count = f"{len(found)} trial" + "s" * (len(found) > 1)
    return measured(found, f"{count} on {where}") if found else None


def _timed(event: Finished) -> bool:
    """Return whether an attempt made updates in a plausible time; the log may be damaged."""
    return event.made > 0 and 0 < event.seconds < 1e9
