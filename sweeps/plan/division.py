"""Divide the trials of a run among its crews, where it has two: on GPUs and on cores.

A trial's numbers depend on its engine, so the division is decided when planning, and not by
who is free first: the same command on the same machine gives the same table. It follows from
all trials of the sweep, the crews, and the assumed speeds of their engines. A trial that an
engine has started stays with it.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.plan.cost import cost
from sweeps.plan.crews import Crew, crews
from sweeps.plan.plan import Plan
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import engines_of, read_events
from sweeps.store.trial_id import id_of
from sweeps.terminal import counted


@dataclass(frozen=True)
class Division:
    """The crews of a run, and which of them trains each trial."""

    crews: tuple[Crew, ...]
    on_cores: frozenset[str] = frozenset()
    """Ids of the trials of the second crew, if there is one."""
    started: Mapping[str, str] = field(default_factory=dict[str, str])
    """The engine that last started each trial, by `trial_id`."""

    def crew_of(self, trial: Any) -> Crew:
        """Return the crew that trains a trial."""
        return self.crews[id_of(trial) in self.on_cores]

    def shares(self, work: Plan) -> list[tuple[Crew, Plan]]:
        """Return the crews that have something to train, each with its part of the plan."""
        parts = [
            (crew, [each for each in work.to_run if self.crew_of(each) is crew])
            for crew in self.crews
        ]
        return [(crew, replace(work, to_run=part)) for crew, part in parts if part]

    def timed(self, crew: Crew, trials: Sequence[Any]) -> list[Any]:
        """Return the trials whose recorded times are those of a crew's engine."""
        known = (self.started.get(id_of(trial), crew.engine) for trial in trials)
        return [
            trial
            for trial, engine in zip(trials, known, strict=True)
            if engine == crew.engine
        ]

    def counts(self, work: Plan) -> dict[str, int]:
        """Return the number of trials to run by engine, where the type has engines."""
        return {
            crew.engine: sum(self.crew_of(each) is crew for each in work.to_run)
            for crew in self.crews
            if crew.engine is not None
        }

    def summary(self, work: Plan) -> str | None:
        """Say which engine trains how much, where there are two."""
        if len(self.crews) == 1 or not work.to_run:
            return None
        counts = self.counts(work)
        shares = ", ".join(
            f"{crew.engine} trains {counted(counts[str(crew.engine)], 'trial')} on {crew.place}"
            for crew in self.crews
        )
        return f"{shares}; a trial continues with the engine that started it"


def divide(chosen: Chosen, options: RunOptions) -> Division:
    """Divide the trials of a sweep among the crews of a run.

    Raises:
        SweepError: If an engine is unknown, or two cannot share the trials.
    """
    found = crews(chosen, options)
    started = engines_of(read_events(chosen.place / "attempts"))
    if len(found) == 1:
        return Division(found, started=started)
    on_gpus, on_cores = found
    assumed = chosen.type.described.assumed_s
    ordered = sorted(chosen.experiment.sweep.trials, key=cost, reverse=True)
    most = most_expensive_for_gpus(
        [cost(trial) for trial in ordered],
        Pace.of(on_gpus, assumed(on_gpus.engine)),
        Pace.of(on_cores, assumed(on_cores.engine)),
    )
    second = {id_of(trial) for trial in ordered[most:]}
    second -= {name for name, engine in started.items() if engine == on_gpus.engine}
    second |= {name for name, engine in started.items() if engine == on_cores.engine}
    return Division(found, frozenset(second), started)


@dataclass(frozen=True)
class Pace:
    """How fast a crew trains."""

    workers: int
    slots: int
    """Number of trials that a worker trains at a time."""
    cost_s: float
    """Seconds that a worker takes for a unit of cost, of all its trials together."""

    @staticmethod
    def of(crew: Crew, cost_s: float) -> "Pace":
        """Return the pace of a crew."""
        return Pace(crew.workers, crew.resources.slots, cost_s)

    def seconds(self, count: int, total: float, longest: float) -> float:
        """Return how long some trials take: as long as all together, or as the longest.

        A trial among n that a worker trains at a time takes n times as long, as in
        `sweeps.plan.estimate`.

        Args:
            count: Number of trials.
            total: Cost of all.
            longest: Cost of the most expensive.
        """
        beside = max(1, min(self.slots, count // self.workers))
        return max(total / self.workers, beside * longest) * self.cost_s


def most_expensive_for_gpus(costs: Sequence[float], on_gpus: Pace, on_cores: Pace) -> int:
    """Return how many of the most expensive trials GPUs take so that the run ends first.

    Where several numbers are equally good, take the largest.

    Args:
        costs: Costs of the trials, the largest first.
        on_gpus: The pace of the GPUs.
        on_cores: The pace of the cores, which take the others.

    Example:
        >>> most_expensive_for_gpus([4, 4, 2, 2, 1, 1], Pace(1, 4, 0.5), Pace(1, 1, 1.0))
        3
    """
    count, each = len(costs), [*costs, 0.0]
    before = [0.0, *itertools.accumulate(costs)]

    def seconds(most: int) -> float:
        return max(
            on_gpus.seconds(most, before[most], each[0] if most else 0.0),
            on_cores.seconds(count - most, before[count] - before[most], each[most]),
        )

    return min(range(count, -1, -1), key=seconds)
