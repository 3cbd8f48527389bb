"""How fast trials train: from what was recorded, or measured now, or assumed."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rnnlab import Trial
from sweeps.plan import cost

ASSUMED_S = {"fused_cpu": 1.2e-11, "plain": 2.2e-10}
"""Seconds per multiplication of `plan.cost` by engine, where nothing was measured: one core
of 2025; see docs/explanation/performance.md."""
BRIEF_S = 0.2
"""Attempts that took less say more of starting than of training."""

Shape = tuple[Any, ...]


def shape(trial: Trial) -> Shape:
    """Give what decides how long an update of a trial takes."""
    omega = trial.omega_weight > 0
    return (trial.task, trial.hidden, trial.batch, trial.activation, omega)


@dataclass(frozen=True)
class Speeds:
    """Seconds per update, by shape of the trial."""

    samples: Mapping[Shape, tuple[float, ...]]
    """Measured, by shape; one that is not there is scaled by its cost."""
    basis: str
    """Where they are from, for a person."""
    per_cost: tuple[float, ...] = field(default=())
    """Seconds per multiplication: of all samples."""

    def of(self, trial: Trial) -> tuple[float, ...]:
        """Give samples of a trial's seconds per update, at least one."""
        measured = self.samples.get(shape(trial))
        return measured or tuple(each * cost(trial) for each in self.per_cost)

    def typical(self, trial: Trial) -> float:
        """Give the seconds that an update of a trial takes, about."""
        return median(self.of(trial))


def assumed(engine: str) -> Speeds:
    """Give the speeds of an engine on a machine of which nothing is known."""
    return Speeds({}, "assumed", (ASSUMED_S.get(engine, max(ASSUMED_S.values())),))


def measured(found: Iterable[tuple[Trial, float]], basis: str) -> Speeds:
    """Collect samples of seconds per update.

    Args:
        found: Trials and seconds per update, at least one.
        basis: Where they are from.
    """
    samples: dict[Shape, list[float]] = {}
    per_cost: list[float] = []
    for trial, seconds in found:
        samples.setdefault(shape(trial), []).append(seconds)
        per_cost.append(seconds / cost(trial))
    kept = {key: tuple(values) for key, values in samples.items()}
    return Speeds(kept, basis, tuple(per_cost))


def recorded(events: Iterable[Mapping[str, Any]], trials: Iterable[Trial]) -> Speeds | None:
    """Read speeds from the log of attempts, or None where it has none.

    Attempts under the numerics of the last one of the same task count, on this host where there are some.
    """
    by_id = {trial.trial_id: trial for trial in trials}
    finished = [each for each in events if _tells(each) and each["trial_id"] in by_id]
    tasks = [type(by_id[event["trial_id"]].task) for event in finished]
    last = {task: event["numerics_id"] for task, event in zip(tasks, finished, strict=True)}
    current = zip(tasks, finished, strict=True)
    finished = [event for task, event in current if event["numerics_id"] == last[task]]
    here = [event for event in finished if event.get("host") == socket.gethostname()]
    chosen = here or finished
    long = [event for event in chosen if event["seconds"] >= BRIEF_S]
    found = [
        (by_id[event["trial_id"]], event["seconds"] / event["made"])
        for event in long or chosen
    ]
    where = "this machine" if here else "another machine"
    count = f"{len(found)} trial" + "s" * (len(found) > 1)
    return measured(found, f"{count} on {where}") if found else None


def _tells(event: Mapping[str, Any]) -> bool:
    """Say whether an event tells how long updates took; the log may be harmed."""
    made, seconds = event.get("made"), event.get("seconds")
    return (
        event.get("event") == "finished"
        and isinstance(event.get("trial_id"), str)
        and isinstance(event.get("numerics_id"), str)
        and isinstance(made, int)
        and isinstance(seconds, (int, float))
        and made > 0
        and 0 < seconds < 1e9
    )
