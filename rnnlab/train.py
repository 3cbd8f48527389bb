"""The training loop, written once, on top of any engine."""

import math
import time
from collections import deque
from collections.abc import Generator
from dataclasses import replace

from rnnlab import rng
from rnnlab.checkpoint import Checkpoints
from rnnlab.data import draw_batch
from rnnlab.diagnostics import largest_singular_value, spectral_radius
from rnnlab.engines.engine import CHECK_SEQUENCES, Engine
from rnnlab.init import initial_parameters
from rnnlab.result import Check, Result
from rnnlab.spec import Outcome, Trial, require_budget
from rnnlab.state import State, Totals
from rnnlab.threshold import CHECKS, keep, threshold, unmeasured

CHEAP_S = 1.0
"""A trial that took less is trained again rather than waited for until it is on the disk."""
SUCCESS_BELOW = 100
"""A check succeeds with fewer than 100 of 10,000 wrong: under 1 % (ICML 2013, Section 4)."""


def train(
    trial: Trial,
    *,
    budget: int,
    engine: Engine,
    checkpoint: Checkpoints | None = None,
) -> Result:
    """Train a trial until it is solved, diverges or meets its budget.

    Args:
        trial: What to train.
        budget: Updates to make at most; a positive multiple of `trial.check_every`.
        engine: What makes the updates.
        checkpoint: Where unsolved trials are kept, to go on from; None keeps nothing.

    Returns:
        The result. Equal trials and engines give equal results, bit for bit, however
        often training was interrupted and resumed.

    Raises:
        ValueError: If the budget is not a positive multiple of `trial.check_every`.

    Example:
        >>> from rnnlab.engines import choose
        >>> trial = Trial(hidden=5, check_every=10)
        >>> train(trial, budget=20, engine=choose("plain")).outcome
        'unsolved'
    """
    states = training(trial, budget=budget, engine=engine, checkpoint=checkpoint)
    return result_of(trial, deque(states, maxlen=1).pop(), engine, budget)


def training(
    trial: Trial,
    *,
    budget: int,
    engine: Engine,
    checkpoint: Checkpoints | None = None,
    chunk_s: float = 2.0,
    checkpoint_every_s: float = 30.0,
) -> Generator[State]:
    """Train a trial, giving the state every `chunk_s` seconds, about, and at the end.

    Where training is cut into calls of the engine changes no number. Closing the iterator saves a checkpoint, one
    that outlives a power failure if more than a second of work is in it.

    Args:
        trial: What to train.
        budget: Updates to make at most; a positive multiple of `trial.check_every`.
        engine: What makes the updates.
        checkpoint: Where unsolved trials are kept, to go on from.
        chunk_s: Seconds between two states, about; also how long a call of the engine lasts.
        checkpoint_every_s: Seconds between two checkpoints, at least.

    Raises:
        ValueError: If the budget is not a positive multiple of `trial.check_every`.
    """
    require_budget(trial.check_every, budget)
    saved = checkpoint or Checkpoints()
    kept = saved.load(trial, engine.numerics_id(trial))
    state = kept or fresh(trial)
    chunk = 10
    cheap_until = 0.0 if kept else time.monotonic() + CHEAP_S
    try:
        yield state
        for _ in measuring(trial, engine, chunk_s):
            yield state
        clipped = replace(trial, clip_norm=threshold(trial, engine), clip_multiple=None)
        given_at = saved_at = time.monotonic()
        while not finished(trial, state, budget):
            state, chunk = advance_chunk(clipped, state, engine, chunk, chunk_s)
            if time.monotonic() - saved_at >= checkpoint_every_s:
                saved.save(trial, engine.numerics_id(trial), state)
                kept, saved_at = state, time.monotonic()
            if time.monotonic() - given_at >= chunk_s or finished(trial, state, budget):
                yield state
                given_at = time.monotonic()
    finally:
        if state is not kept:
            durable = time.monotonic() >= cheap_until
            saved.save(trial, engine.numerics_id(trial), state, durable=durable)


def measuring(trial: Trial, engine: Engine, chunk_s: float) -> Generator[State]:
    """Train what the trial's threshold is measured on; give states on the way."""
    for one in unmeasured(trial, engine):
        budget, last = CHECKS * one.check_every, fresh(one)
        for last in training(one, budget=budget, engine=engine, chunk_s=chunk_s):
            yield last
        keep(one, engine, last)


def advance_chunk(
    trial: Trial, state: State, engine: Engine, chunk: int, chunk_s: float
) -> tuple[State, int]:
    """Make up to `chunk` updates, never past a check; also gives the next chunk's size."""
    began = time.perf_counter()
    to_check = trial.check_every - state.update % trial.check_every
    made = min(chunk, to_check)
    state = engine.advance(trial, state, made)
    if state.update % trial.check_every == 0 and not state.diverged:
        state = checked(trial, state, engine)
    per_update = (time.perf_counter() - began) / made
    return state, max(1, min(2 * chunk, int(chunk_s / per_update)))


def fresh(trial: Trial) -> State:
    """Give the state before the first update."""
    return State(initial_parameters(trial))


def finished(trial: Trial, state: State, budget: int) -> bool:
    """Say whether training ends here: solved, diverged, or at the budget."""
    return outcome_of(trial, state) != "unsolved" or state.update >= budget


def outcome_of(trial: Trial, state: State) -> Outcome:
    """Say how a trial stands, by its own `stop` rule."""
    if state.diverged:
        return "diverged"
    met = state.solved_at if trial.stop == "below_1_percent" else state.zero_errors_at
    return "unsolved" if met is None else "solved"


def checked(trial: Trial, state: State, engine: Engine) -> State:
    """Look at the trial: fresh sequences, the averages since the last check, Ω, ρ, λ₁."""
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
    check = Check(
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
    return replace(state, totals=Totals(), checks=(*state.checks, check))


def result_of(trial: Trial, state: State, engine: Engine, budget: int) -> Result:
    """Write down how a trial ended, or where it stood at its budget.

    A checkpoint may be further than the budget, from a run with a larger one: what came
    later is left out, so that the result is that of a run which stopped there.
    """
    if state.update > budget:
        seen = tuple(check for check in state.checks if check.update <= budget)
        state = replace(state, update=budget, checks=seen, diverged=False)
    outcome = outcome_of(trial, state)
    return Result(
        trial_id=trial.trial_id,
        outcome=outcome,
        updates=state.update,
        solved_at=state.solved_at,
        zero_errors_at=state.zero_errors_at,
        clip_threshold=threshold(trial, engine),
        test_errors=errors_by_length(trial, state, engine) if outcome == "solved" else None,
        engine=engine.name,
        numerics_id=engine.numerics_id(trial),
        checks=state.checks,
    )


def errors_by_length(trial: Trial, state: State, engine: Engine) -> tuple[int, ...] | None:
    """Count wrong sequences of 10,000 fresh ones at each length asked for."""
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
