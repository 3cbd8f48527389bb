"""Plan: trials − results = work; work → packs.

A set difference over names, so that resuming needs no other state.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from rnnlab import Outcome, Trial


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
    return Plan(trials, sorted(to_run, key=cost, reverse=True), budget, done)


def cost(trial: Trial) -> float:
    """Estimate one update's multiplications: 3·B·T·H·(H + inputs)."""
    task = trial.task
    return 3.0 * trial.batch * task.length * trial.hidden * (trial.hidden + task.inputs)


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
    cuts = range(0, len(work.to_run), size)
    return [
        _pack(number, work, work.to_run[cut : cut + size])
        for number, cut in enumerate(cuts, start=1)
    ]


def _pack(number: int, work: Plan, trials: list[Trial]) -> Pack:
    committed = {
        trial.trial_id: work.standings[trial.trial_id]
        for trial in trials
        if trial.trial_id in work.standings
    }
    return Pack(number, tuple(trials), work.budget, committed)
