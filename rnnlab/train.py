"""Train a trial with an engine: updates, checks, and when to stop.

`train` is the plain loop. A sweep runs the same steps with checkpoints and reports; see
`rnnlab.trainer`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rnnlab import rng
from rnnlab.data import draw_batch
from rnnlab.diagnostics import largest_singular_value, spectral_radius
from rnnlab.engines.engine import CHECK_SEQUENCES, Engine
from rnnlab.init import initial_parameters
from rnnlab.result import Check, Result
from rnnlab.spec import Outcome, Trial, require_budget
from rnnlab.state import State, Totals
from rnnlab.threshold import MEASURED_CHECKS, keep_norm, threshold, unmeasured

SUCCESS_BELOW = 100
"""A check succeeds with fewer than 100 of 10,000 wrong: under 1 % (ICML 2013, Section 4)."""


def train(trial: Trial, *, budget: int, engine: Engine) -> Result:
    """Train a trial until it is solved, diverges or reaches its budget.

    Args:
        trial: The trial to train.
        budget: Maximum number of updates; a positive multiple of `trial.check_every`.
        engine: Makes the updates.

    Returns:
        The result. Equal trials and engines give equal results, bit for bit.

    Raises:
        ValueError: If the budget is not a positive multiple of `trial.check_every`.

    Example:
        >>> from rnnlab.engines import choose
        >>> trial = Trial(hidden=5, check_every=10)
        >>> train(trial, budget=20, engine=choose("plain")).outcome
        'unsolved'
    """
    require_budget(trial.check_every, budget)
    measure_threshold(trial, engine)
    training = Training.fresh(trial)
    while not training.ended(budget):
        training = training.advanced(engine, trial.check_every)
    return training.result(engine)


def measure_threshold(trial: Trial, engine: Engine) -> None:
    """Train the references of the trial's threshold that are not yet measured."""
    while reference := next(iter(unmeasured(trial, engine)), None):
        training = Training.fresh(reference)
        while not training.ended(MEASURED_CHECKS * reference.check_every):
            training = training.advanced(engine, reference.check_every)
        keep_norm(reference, engine, training.checks)


@dataclass(frozen=True)
class Training:
    """A trial in training: its state, and its checks."""

    trial: Trial
    state: State
    checks: tuple[Check, ...] = ()

    @classmethod
    def fresh(cls, trial: Trial) -> "Training":
        """Return a trial before its first update."""
        return cls(trial, fresh(trial))

    def advanced(self, engine: Engine, updates: int) -> "Training":
        """Make up to `updates` updates, never past a check, and the check if one is due."""
        state = advance(self.trial, self.state, engine, updates)
        if state.diverged or state.update % self.trial.check_every:
            return replace(self, state=state)
        seen = check(self.trial, state, engine)
        return replace(self, state=state, checks=(*self.checks, seen))

    def ended(self, budget: int) -> bool:
        """Return whether training ends here: solved, diverged, or at the budget."""
        return self.outcome != "unsolved" or self.state.update >= budget

    @property
    def outcome(self) -> Outcome:
        """The current outcome, by the trial's `stop` rule."""
        if self.state.diverged:
            return "diverged"
        return "solved" if is_solved(self.trial, self.checks) else "unsolved"

    def result(self, engine: Engine) -> Result:
        """Return the result of the trial so far."""
        trial, outcome = self.trial, self.outcome
        solved = outcome == "solved"
        return Result(
            trial_id=trial.trial_id,
            outcome=outcome,
            updates=self.state.update,
            solved_at=first_below_1_percent(self.checks),
            zero_errors_at=first_without_errors(self.checks),
            clip_threshold=threshold(trial, engine),
            test_errors=errors_by_length(trial, self.state, engine) if solved else None,
            engine=engine.name,
            numerics_id=engine.numerics_id(trial),
            checks=self.checks,
        )


def fresh(trial: Trial) -> State:
    """Return the state before the first update."""
    return State(initial_parameters(trial))


def advance(trial: Trial, state: State, engine: Engine, updates: int) -> State:
    """Make up to `updates` updates, never past a check.

    Averages are taken from one check to the next, so they are reset after a check.
    """
    since_check = state.update % trial.check_every
    if not since_check:
        state = replace(state, totals=Totals())
    clipped = replace(trial, clip_norm=threshold(trial, engine), clip_multiple=None)
    return engine.advance(clipped, state, min(updates, trial.check_every - since_check))


def is_solved(trial: Trial, checks: Sequence[Check]) -> bool:
    """Return whether a check met the trial's `stop` rule."""
    below = trial.stop == "below_1_percent"
    met = first_below_1_percent(checks) if below else first_without_errors(checks)
    return met is not None


def first_below_1_percent(checks: Sequence[Check]) -> int | None:
    """Return the updates at the first check with under 1 % wrong of 10,000 sequences."""
    return next((each.update for each in checks if each.error_rate < 0.01), None)


def first_without_errors(checks: Sequence[Check]) -> int | None:
    """Return the updates at the first check with none wrong."""
    return next((each.update for each in checks if each.errors == 0), None)


def check(trial: Trial, state: State, engine: Engine) -> Check:
    """Evaluate on fresh sequences; add the averages since the last check, Ω, ρ and λ₁."""
    number = state.update // trial.check_every
    errors, sequences = engine.count_errors(
        trial, state.parameters, index=number, stop_at=SUCCESS_BELOW
    )
    probe = engine.gradients(
        trial,
        state.parameters,
        draw_batch(
            trial.task,
            seed=trial.seed,
            purpose=rng.PROBE,
            index=number,
            size=trial.batch,
        ),
    )
    totals = state.totals
    return Check(
        update=state.update,
        errors=errors,
        sequences=sequences,
        loss=_mean(totals.loss, totals.counted),
        grad_norm_mean=_mean(totals.grad_norm, totals.counted),
        grad_norm_max=totals.grad_norm_max if totals.counted else math.nan,
        clipped_share=_mean(totals.clipped, totals.counted),
        repaired_share=totals.repaired / totals.updates,
        omega=probe.omega,
        valid_share=probe.valid_share,
        spectral_radius=spectral_radius(state.parameters.w_rec),
        largest_singular_value=largest_singular_value(state.parameters.w_rec),
    )


def errors_by_length(trial: Trial, state: State, engine: Engine) -> tuple[int, ...] | None:
    """Count wrong sequences of 10,000 fresh ones at each of the trial's `test_lengths`."""
    found = [
        engine.count_errors(
            replace(trial, task=trial.task.of_length(length)),
            state.parameters,
            purpose=rng.TEST,
            index=length,
            stop_at=CHECK_SEQUENCES + 1,
        )[0]
        for length in trial.test_lengths
    ]
    return tuple(found) or None


def _mean(total: float, count: int) -> float:
    return total / count if count else math.nan
