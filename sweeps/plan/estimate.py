"""Estimate a run's duration by simulation, from recorded speeds and outcomes.

How long an unfinished trial lasts is drawn from the Kaplan–Meier curve of its replicates,
given its updates so far, up to its budget. Each simulated run resamples the replicates (with
replacement), the share of trials that outlast all of them, and the measured speed; the
interval holds 95 % of the runs.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Speeds
from sweeps.spec.trial_type import Resources
from sweeps.statistics import Survival, kaplan_meier
from sweeps.store.columns import flat
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of
from sweeps.terminal import counted, duration

REPLICATES = 3
"""A cell with fewer observations is estimated from the whole sweep."""
DRAWS, MOST_RESAMPLED_CELLS = 200, 200
SIMULATED = 4_000_000
"""Maximum number of simulated trials, over all draws."""
LEVELS = (2.5, 50.0, 97.5)

Span = tuple[float, float]
"""The least and the most; what comes is drawn evenly between."""


@dataclass(frozen=True)
class Overhead:
    """Time that a run takes besides its updates."""

    start_s: Span = (4.0, 12.0)
    """Start and shutdown of Ray: on an idle machine, and on a busy one."""
    trial_s: Span = (0.004, 0.010)
    """Initial weights, checkpoint and log of one trial."""
    factor: Span = (1.02, 1.08)
    """Ray's processes and the driver share the cores with the workers."""


USUAL = Overhead()
"""As measured; see docs/explanation/performance.md."""

ONE_CORE = Resources()

Cell = Hashable
Observations = list[tuple[int, bool]]
"""Updates of trials, and whether they ended there; otherwise the budget ended them."""


@dataclass(frozen=True)
class Estimate:
    """Wall time of a run, with an interval that holds 95 % of simulated ones."""

    seconds: float
    low_s: float
    high_s: float
    core_hours: float
    cpus: int
    """Cores that the run uses."""
    at_most: bool
    """For some trials no comparable one ran this long: the full budget is assumed."""
    basis: str
    gpus: float = 0.0
    """GPUs that the run uses."""
    gpu_hours: float = 0.0

    def summary(self) -> str:
        """Return the estimate as text.

        Example:
            >>> Estimate(7800, 6600, 8700, 4.3, 2, False, "60 trials on this machine").summary()
            'about 2 h 10 min (1 h 50 min to 2 h 25 min) on 2 cores, 4.3 core-hours (from 60 trials on this machine)'
            >>> Estimate(9e5, 8e5, 1e6, 271.8, 2, True, "a pilot of 4 s").summary()
            'at most 10 d 10 h (9 d 6 h to 11 d 13 h) on 2 cores, 270 core-hours (from a pilot of 4 s)'
            >>> Estimate(2700, 2600, 2900, 0.75, 1, False, "a pilot of 4 s", 1, 0.75).summary()
            'about 45 min 0 s (43 min 20 s to 48 min 20 s) on 1 GPU and 1 core, 0.75 GPU-hours and 0.75 core-hours (from a pilot of 4 s)'
        """
        where, hours = counted(self.cpus, "core"), f"{_rounded(self.core_hours)} core-hours"
        if self.gpus:
            where = f"{counted(self.gpus, 'GPU')} and {where}"
            hours = f"{_rounded(self.gpu_hours)} GPU-hours and {hours}"
        return (
            f"{'at most' if self.at_most else 'about'} {duration(self.seconds)} "
            f"({duration(self.low_s)} to {duration(self.high_s)}) on {where}, {hours} "
            f"(from {self.basis})"
        )


def _rounded(hours: float) -> str:
    return f"{float(f'{hours:.2g}'):g}"


def side_by_side(found: Sequence[Estimate]) -> Estimate:
    """Return the estimate of a run whose crews train at the same time: the slowest ends it.

    Args:
        found: The estimate of each crew, at least one.
    """
    return Estimate(
        seconds=max(each.seconds for each in found),
        low_s=max(each.low_s for each in found),
        high_s=max(each.high_s for each in found),
        core_hours=sum(each.core_hours for each in found),
        cpus=sum(each.cpus for each in found),
        at_most=any(each.at_most for each in found),
        basis=" and ".join(dict.fromkeys(each.basis for each in found)),
        gpus=sum(each.gpus for each in found),
        gpu_hours=sum(each.gpu_hours for each in found),
    )


def estimate(
    work: Plan,
    speeds: Speeds,
    cpus: int,
    overhead: Overhead = USUAL,
    resources: Resources = ONE_CORE,
) -> Estimate:
    """Estimate how long a plan takes.

    Args:
        work: The plan.
        speeds: Seconds per update.
        cpus: Number of workers.
        overhead: Time besides the updates.
        resources: What a worker needs. With several trials at a time, a speed is the worker's:
            a trial among n of them takes n times as long.
    """
    beside = max(1, min(resources.slots, len(work.to_run) // max(1, cpus)))
    draws = max(20, min(DRAWS, SIMULATED // max(1, len(work.to_run))))
    rng = np.random.default_rng(0)
    total, longest = np.zeros(draws), np.zeros(draws)
    known = _observed(work)
    groups = _groups(work)
    resample = len(groups) <= MOST_RESAMPLED_CELLS
    at_most = False
    for (cell, start), trials in groups.items():
        seen = _relevant(known, cell)
        at_most |= not _any_end(seen, start)
        updates = _simulated(seen, start, work.budget, (draws, len(trials)), rng, resample)
        speed = rng.choice(np.array(speeds.of(trials[0])), size=draws)
        seconds = (updates - start) * speed[:, None]
        total += seconds.sum(axis=1)
        longest = np.maximum(longest, beside * seconds.max(axis=1))
    # Longest first: all cores end together, or one long trial ends last.
    factor, each_s, start_s = (
        rng.uniform(*span, size=draws)
        for span in (overhead.factor, overhead.trial_s, overhead.start_s)
    )
    total = total * factor + len(work.to_run) * each_s
    wall = np.maximum(total / cpus, longest * factor) + start_s
    low, middle, high = (float(each) for each in np.percentile(wall, LEVELS))
    gpus, cores = resources.gpus * cpus, math.ceil(resources.cpus * cpus)
    held_s = (
        middle * cpus if gpus else float(np.median(total))
    )  # a GPU's worker holds its core
    core_hours, gpu_hours = held_s * resources.cpus / 3600, middle * gpus / 3600
    return Estimate(
        middle, low, high, core_hours, cores, at_most, speeds.basis, gpus, gpu_hours
    )


def _groups(work: Plan) -> dict[tuple[Cell, int], list[Any]]:
    """Group the work by cell and by updates made so far."""
    found: dict[tuple[Cell, int], list[Any]] = {}
    for trial in work.to_run:
        standing = work.standings.get(id_of(trial))
        start = standing.updates if standing else 0
        found.setdefault((_cell(trial), start), []).append(trial)
    return found


def _cell(trial: Any) -> Cell:
    """Return what a trial shares with its replicates: all fields except the seed."""
    return tuple(each for each in flat(trial).items() if each[0] != "seed")


def _observed(work: Plan) -> dict[Cell | None, Observations]:
    """Return the observations of a sweep by cell; under None, those of all cells."""
    found: dict[Cell | None, Observations] = {None: []}
    for trial in work.trials:
        standing: Standing | None = work.standings.get(id_of(trial))
        if standing is not None:
            seen = (standing.updates, standing.outcome != "unsolved")
            found[None].append(seen)
            found.setdefault(_cell(trial), []).append(seen)
    return found


def _relevant(known: Mapping[Cell | None, Observations], cell: Cell) -> Observations:
    own = known.get(cell, [])
    return own if len(own) >= REPLICATES else known[None]


def _any_end(seen: Observations, start: int) -> bool:
    """Return whether an observed trial ended after `start`."""
    return any(ended and updates > start for updates, ended in seen)


def _simulated(
    seen: Observations,
    start: int,
    budget: int,
    size: tuple[int, int],
    rng: np.random.Generator,
    resample: bool,
) -> "np.ndarray":
    """Draw the updates at which trials end that are at `start`, draws × trials."""
    if not _any_end(seen, start):
        return np.full(size, float(budget))
    outlast = _outlasting(len(seen), size[0], rng)
    if not resample:
        return _drawn(_curve(seen), outlast, start, budget, rng.random(size))
    rows = [
        _drawn(_curve(_resampled(seen, rng)), each, start, budget, rng.random((1, size[1])))
        for each in outlast[:, None]
    ]
    return np.concatenate(rows)


def _outlasting(seen: int, draws: int, rng: np.random.Generator) -> "np.ndarray":
    """Draw the share of trials that outlast all observed ones, draws × 1.

    From Beta(½, n + ½), the posterior of a rate under Jeffreys's prior (H. Jeffreys (1946),
    *An invariant form for the prior probability in estimation problems*, Proc. R. Soc. A
    186), after n trials, none of which did.
    """
    return rng.beta(0.5, seen + 0.5, size=(draws, 1))


def _resampled(seen: Observations, rng: np.random.Generator) -> Observations:
    return [seen[place] for place in rng.integers(len(seen), size=len(seen))]


def _curve(seen: Sequence[tuple[int, bool]]) -> Survival:
    return kaplan_meier([updates for updates, _ in seen], [ended for _, ended in seen])


def _drawn(
    curve: Survival, outlast: "np.ndarray", start: int, budget: int, chance: "np.ndarray"
) -> "np.ndarray":
    """Invert a survival curve, given survival to `start`; the budget ends the rest.

    A share of `outlast` survives in addition to the curve S: S' = outlast + (1 − outlast) S.
    """
    times = np.array([*curve.times, np.inf])
    shares = np.array([*curve.shares, -np.inf])
    left = chance * (outlast + (1 - outlast) * curve.at(start))  # S' at the end of a trial
    place = np.searchsorted(-shares, (outlast - left) / (1 - outlast), side="left")
    ends = times[place]
    return np.where(ends > start, np.minimum(ends, budget), budget)
