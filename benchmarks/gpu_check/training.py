"""Trials in training on the card, with their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.gpu_check.common import fresh_states

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.engines.fused_gpu import FusedGpu
    from rnnlab.state import State


@dataclass
class Running:
    """A trial in training on the card."""

    trial: Trial
    state: State
    solved_at: int | None = None

    @property
    def ended(self) -> bool:
        """Return whether it is solved or has diverged."""
        return self.solved_at is not None or self.state.diverged


def fleet(trials: Sequence[Trial]) -> list[Running]:
    """Return trials before their first update."""
    return [Running(t, s) for t, s in zip(trials, fresh_states(trials), strict=True)]


def go_on(engine: FusedGpu, running: list[Running], paces: Sequence[int]) -> None:
    """Advance trials, and check those that are at a check."""
    from rnnlab.state import Totals
    from rnnlab.train import SUCCESS_BELOW

    for each in running:
        if each.state.update % each.trial.check_every == 0:
            each.state = replace(each.state, totals=Totals())
    trials = [each.trial for each in running]
    states = engine.advance_many(trials, [each.state for each in running], paces)
    for each, state in zip(running, states, strict=True):
        each.state = state
    due = [
        each
        for each in running
        if not each.state.diverged and each.state.update % each.trial.check_every == 0
    ]
    counts = engine.count_errors_many(
        [each.trial for each in due],
        [each.state.parameters for each in due],
        indices=[each.state.update // each.trial.check_every for each in due],
        stop_at=SUCCESS_BELOW,
    )
    for each, (errors, sequences) in zip(due, counts, strict=True):
        if errors < SUCCESS_BELOW and sequences:
            each.solved_at = each.state.update
