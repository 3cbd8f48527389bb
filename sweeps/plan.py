"""Plan: trials − results = work; work → packs.

A set difference over names, so that resuming needs no other state.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rnnlab import Outcome, Trial

PACKS_A_WORKER = 64
"""Packs that a worker is to have, so that the last ones do not leave others idle for long."""
SHORTEST_PACK_S, LONGEST_PACK_S = 4.0, 10.0


@dataclass(frozen=True)
class Standing:
    """How far the store says a trial has come."""

    outcome: Outcome
    updates: int
    numerics_id: str = ""

    def done(self, budget: int) -> bool:
        """Say whether nothing is left to train at a budget."""
        return self.outcome != "unsolved" or self.updates >= budget

    def outcome_at(self, budget: int) -> Outcome:
        """Say how the trial stood at a budget: a later ending had not come yet."""
        return self.outcome if self.updates <= budget else "unsolved"


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    trials: list[Trial]
    """All that were asked for."""
    to_run: list[Trial]
    """Those without a result at this budget, dearest first."""
    budget: int
    """Updates at most."""
    standings: Mapping[str, Standing]
    """How far each trial in the store has come, by `trial_id`."""
    given_up: list[Trial] = field(default_factory=list[Trial])
    """Those without a result that have failed too often to be tried again."""
    failed: frozenset[str] = frozenset()
    """Names of those to run whose last attempt failed: each gets a pack of its own, last."""

    @property
    def done(self) -> int:
        """How many trials have a result at this budget."""
        return len(self.trials) - len(self.to_run) - len(self.given_up)


@dataclass(frozen=True)
class Pack:
    """What one worker trains in one go."""

    number: int
    """From 1, in the order of starting."""
    trials: tuple[Trial, ...]
    budget: int
    """Updates at most, for each trial."""
    committed: Mapping[str, Standing]
    """What the store has already of its trials, by `trial_id`."""

    @property
    def pack_id(self) -> str:
        """A hash of the trials and the budget, 12 hex digits."""
        names = sorted(trial.trial_id for trial in self.trials)
        text = "\n".join([str(self.budget), *names])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan(trials: list[Trial], done: Mapping[str, Standing], budget: int) -> Plan:
    """Subtract what is done from what was asked for.

    Args:
        trials: Distinct trials.
        done: How far each trial in the store has come, by `trial_id`.
        budget: Updates at most, for each trial.

    Returns:
        The plan; its work is ordered dearest first, then as given.
    """
    to_run = [
        trial
        for trial in trials
        if (standing := done.get(trial.trial_id)) is None or not standing.done(budget)
    ]

    def left(trial: Trial) -> float:
        standing = done.get(trial.trial_id)
        return cost(trial) * (budget - (standing.updates if standing else 0))

    return Plan(trials, sorted(to_run, key=left, reverse=True), budget, done)


def cost(trial: Trial) -> float:
    """Estimate one update's multiplications: 3·B·T·H·H, at the middle of its lengths."""
    task = trial.task
    shortest = task.steps(task.length, 0)
    middle = (shortest + task.longest) / 2
    return 3.0 * trial.batch * middle * trial.hidden**2


def packs(work: Plan, size: int) -> list[Pack]:
    """Cut the work into packs of `size` trials, the last possibly smaller.

    Args:
        work: What there is to run.
        size: Trials per pack, at least 1.

    Raises:
        ValueError: If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"A pack holds at least 1 trial, got {size}.")
    sound = [trial for trial in work.to_run if trial.trial_id not in work.failed]
    return _packs(work, [sound[cut : cut + size] for cut in range(0, len(sound), size)])


def packs_by_time(
    work: Plan, typical: Callable[[Trial], float], workers: int
) -> list[Pack]:
    """Cut the work into packs that last about equally long, at most.

    A pack costs Ray some 50 ms of the workers' cores: two seconds keep that under 5 %,
    for trials that end halfway too. Longer ones would leave cores idle at the end.

    Args:
        work: What there is to run, dearest first.
        typical: Seconds that an update of a trial takes.
        workers: How many there are.
    """
    sound = [trial for trial in work.to_run if trial.trial_id not in work.failed]
    seconds = [typical(trial) * _updates_left(work, trial) for trial in sound]
    share = sum(seconds) / (workers * PACKS_A_WORKER)
    target = min(max(share, SHORTEST_PACK_S), LONGEST_PACK_S)
    found: list[list[Trial]] = []
    filled = target
    for trial, lasts in zip(sound, seconds, strict=True):
        if filled + lasts / 2 >= target:
            found.append([])
            filled = 0.0
        found[-1].append(trial)
        filled += lasts
    return _packs(work, found)


def _packs(work: Plan, cut: list[list[Trial]]) -> list[Pack]:
    """Number packs; what has failed before comes last, where it holds nobody up."""
    alone = [[trial] for trial in work.to_run if trial.trial_id in work.failed]
    return [
        _pack(number, work, each) for number, each in enumerate([*cut, *alone], start=1)
    ]


def _updates_left(work: Plan, trial: Trial) -> int:
    standing = work.standings.get(trial.trial_id)
    return work.budget - (standing.updates if standing else 0)


def _pack(number: int, work: Plan, trials: list[Trial]) -> Pack:
    committed = {
        trial.trial_id: work.standings[trial.trial_id]
        for trial in trials
        if trial.trial_id in work.standings
    }
    return Pack(number, tuple(trials), work.budget, committed)
