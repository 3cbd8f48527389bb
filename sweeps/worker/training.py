"""The training loop for any trainer: advance, check, stop, checkpoint."""

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from sweeps.spec.sweep import require_multiple
from sweeps.spec.trainer import Trainer
from sweeps.store.checkpoints import Checkpoints, Position
from sweeps.store.result import Result
from sweeps.store.standing import Outcome
from sweeps.store.trial_id import id_of

CHUNK_S = 2.0
"""Seconds between two reports: each costs Ray and the driver about 10 ms of core time."""
CHECKPOINT_EVERY_S = 30.0
CHEAP_S = 1.0
"""Checkpoints of shorter trials are not flushed to disk: retraining is cheaper."""
FIRST_CHUNK = 10
"""Updates of the first call of the trainer, before their speed is known."""


def training(
    trial: Any,
    *,
    budget: int,
    trainer: Trainer,
    checkpoints: Checkpoints | None = None,
    chunk_s: float = CHUNK_S,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
) -> Generator[Position]:
    """Train a trial until it is solved, diverges or reaches its budget.

    Checks come at multiples of the trial's `check_every`. Results do not depend on how
    training is split into calls of the trainer, if the trainer meets its contract.

    Args:
        trial: The trial to train.
        budget: Maximum number of updates; a positive multiple of `check_every`.
        trainer: Makes updates and checks.
        checkpoints: Stores unsolved trials, to resume from.
        chunk_s: Approximate seconds between two positions, and per call of the trainer.
        checkpoint_every_s: Minimum seconds between two checkpoints.

    Yields:
        The position every `chunk_s` seconds, about, and at the end. Closing the iterator
        saves a checkpoint, one that survives a power failure if more than a second of work
        is in it. If a trainer that works in place raises, the last checkpoint stays: it
        is not known how much of the state was changed.

    Raises:
        ValueError: If the budget is not a positive multiple of `check_every`.
    """
    require_multiple(trial.check_every, budget)
    saved, name = checkpoints or Checkpoints(), id_of(trial)
    numerics_id = trainer.numerics_id(trial)
    kept = saved.load(name, numerics_id, trainer.device)
    position = kept or Position(0, trainer.start(trial))
    chunk = FIRST_CHUNK
    cheap_until = 0.0 if kept else time.monotonic() + CHEAP_S
    spoiled = False
    try:
        yield position
        yielded_at = saved_at = time.monotonic()
        while not finished(trial, position, trainer, budget):
            spoiled = trainer.in_place
            position, chunk = _advanced(trial, position, trainer, chunk, chunk_s)
            spoiled = False
            if time.monotonic() - saved_at >= checkpoint_every_s:
                saved.save(name, numerics_id, position)
                kept, saved_at = position, time.monotonic()
            ended = finished(trial, position, trainer, budget)
            if ended or time.monotonic() - yielded_at >= chunk_s:
                yield position
                yielded_at = time.monotonic()
    finally:
        if position is not kept and not spoiled:
            durable = time.monotonic() >= cheap_until
            saved.save(name, numerics_id, position, durable=durable)


def _advanced(
    trial: Any, position: Position, trainer: Trainer, chunk: int, chunk_s: float
) -> tuple[Position, int]:
    """Make up to `chunk` updates, never past a check; also return the next chunk's size."""
    began = time.perf_counter()
    asked = min(chunk, trial.check_every - position.update % trial.check_every)
    state, made, diverged = trainer.advance(trial, position.state, position.update, asked)
    after = replace(position, state=state, update=position.update + made, diverged=diverged)
    if made and not diverged and after.update % trial.check_every == 0:
        measured = trainer.check(trial, state, after.update)
        check = {"update": after.update, **measured}
        after = replace(after, checks=(*after.checks, check))
    per_update = (time.perf_counter() - began) / (made or asked)
    return after, max(1, min(2 * chunk, int(chunk_s / max(per_update, 1e-9))))


def finished(trial: Any, position: Position, trainer: Trainer, budget: int) -> bool:
    """Return whether training ends here: solved, diverged, or at the budget."""
    return position.update >= budget or outcome_of(trial, position, trainer) != "unsolved"


def outcome_of(trial: Any, position: Position, trainer: Trainer) -> Outcome:
    """Return the outcome of a trial at a position."""
    if position.diverged:
        return "diverged"
    said = trainer.outcome(trial, position.checks) if position.checks else None
    return said or "unsolved"


def result_of(trial: Any, position: Position, trainer: Trainer, budget: int) -> Result:
    """Return the result of a trial, at most at its budget.

    Results are reported at the requested budget, even if a checkpoint has gone further in a
    run with a larger one.
    """
    if position.update > budget:
        before = tuple(each for each in position.checks if each["update"] <= budget)
        position = replace(position, update=budget, checks=before, diverged=False)
    outcome = outcome_of(trial, position, trainer)
    return Result(
        trial_id=id_of(trial),
        outcome=outcome,
        updates=position.update,
        summary=trainer.summary(trial, position.state, position.checks, outcome),
        engine=trainer.engine,
        numerics_id=trainer.numerics_id(trial),
        checks=tuple(position.checks),
    )
