"""Packs: the trials that one worker trains in one go."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.plan.crews import Crew
from sweeps.plan.plan import Plan
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of

PACKS_A_WORKER = 64
"""Target number of packs per worker, so that few workers idle at the end."""


SHORTEST_PACK_S, LONGEST_PACK_S = 4.0, 10.0


@dataclass(frozen=True)
class Pack:
    """Trials that one worker trains in one go."""

    number: int
    """From 1, in start order."""
    trials: tuple[Any, ...]
    budget: int
    """Maximum number of updates of each trial."""
    committed: Mapping[str, Standing]
    """Stored standing of its trials, by `trial_id`."""
    crew: Crew | None = None
    """The workers that train it; None where the run has one crew."""

    @property
    def pack_id(self) -> str:
        """A hash of the trials and the budget, 12 hex digits."""
        names = sorted(id_of(trial) for trial in self.trials)
        text = "\n".join([str(self.budget), *names])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def packs(work: Plan, size: int) -> list[Pack]:
    """Cut the work into packs of `size` trials, the last possibly smaller.

    Args:
        work: The trials to run.
        size: Trials per pack, at least 1.

    Raises:
        ValueError: If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"A pack holds at least 1 trial, got {size}.")
    sound = [trial for trial in work.to_run if id_of(trial) not in work.failed]
    return _packs(work, [sound[cut : cut + size] for cut in range(0, len(sound), size)])


def packs_for_slots(work: Plan, workers: int) -> list[Pack]:
    """Cut the work into one pack for each worker that trains many trials at a time.

    A worker refills the place of a trial that has ended from its pack, so it is busy until few
    trials are left: once a pack, so there are few packs. Trials are dealt out like cards, the
    most expensive first: packs are about equal.

    Args:
        work: The trials to run, most expensive first.
        workers: Number of workers.
    """
    sound = [trial for trial in work.to_run if id_of(trial) not in work.failed]
    return _packs(work, [hand for n in range(workers) if (hand := sound[n::workers])])


def packs_by_time(work: Plan, typical: Callable[[Any], float], workers: int) -> list[Pack]:
    """Cut the work into packs of about equal maximum duration.

    A pack costs Ray about 50 ms of the workers' cores: two seconds keep that under 5 %,
    even if trials end halfway. Longer packs would leave cores idle at the end.

    Args:
        work: The trials to run, most expensive first.
        typical: Returns a trial's seconds per update.
        workers: Number of workers.
    """
    sound = [trial for trial in work.to_run if id_of(trial) not in work.failed]
    seconds = [typical(trial) * _updates_left(work, trial) for trial in sound]
    share = sum(seconds) / (workers * PACKS_A_WORKER)
    target = min(max(share, SHORTEST_PACK_S), LONGEST_PACK_S)
    found: list[list[Any]] = []
    filled = target
    for trial, lasts in zip(sound, seconds, strict=True):
        if filled + lasts / 2 >= target:
            found.append([])
            filled = 0.0
        found[-1].append(trial)
        filled += lasts
    return _packs(work, found)


def in_one_queue(
    cut: Sequence[tuple[Crew, list[Pack]]], failed: frozenset[str]
) -> list[Pack]:
    """Return the packs of two crews as one queue, in start order.

    Those for GPUs come first, there is one for each; those with a trial that failed before
    come last. A pack that waits for a GPU must not keep others from starting.

    Args:
        cut: Each crew and its packs, the crew on GPUs first.
        failed: Ids of the trials whose last attempt failed.
    """

    def late(pack: Pack) -> tuple[bool, bool]:
        again = any(id_of(trial) in failed for trial in pack.trials)
        return again, again and pack.crew is cut[0][0]

    queue = [replace(pack, crew=crew) for crew, packs_of in cut for pack in packs_of]
    ordered = enumerate(sorted(queue, key=late), start=1)
    return [replace(pack, number=number) for number, pack in ordered]


def _packs(work: Plan, cut: list[list[Any]]) -> list[Pack]:
    """Number packs; trials that failed before come last, so that they delay no others."""
    alone = [[trial] for trial in work.to_run if id_of(trial) in work.failed]
    return [
        _pack(number, work, each) for number, each in enumerate([*cut, *alone], start=1)
    ]


def _updates_left(work: Plan, trial: Any) -> int:
    standing = work.standings.get(id_of(trial))
    return work.budget - (standing.updates if standing else 0)


def _pack(number: int, work: Plan, trials: list[Any]) -> Pack:
    committed = {
        id_of(trial): work.standings[id_of(trial)]
        for trial in trials
        if id_of(trial) in work.standings
    }
    return Pack(number, tuple(trials), work.budget, committed)
