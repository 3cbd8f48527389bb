"""The training loop for any trainer: advance, check, stop, checkpoint."""

import time
from collections.abc import Generator, Mapping
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
    one = InTraining(trial, trainer, budget, checkpoints or Checkpoints())
    chunk = FIRST_CHUNK
    try:
        yield one.position
        yielded_at = one.saved_at = time.monotonic()
        while not one.ended:
            chunk = _advance(one, chunk, chunk_s)
            one.save_after(checkpoint_every_s)
            if one.ended or time.monotonic() - yielded_at >= chunk_s:
                yield one.position
                yielded_at = time.monotonic()
    finally:
        one.leave()


class InTraining:
    """A trial between its start and its end: its position, and what was saved of it.

    Args:
        trial: The trial.
        trainer: Makes updates and checks.
        budget: Maximum number of updates; a positive multiple of `check_every`.
        saved: Its checkpoints.

    Raises:
        ValueError: If the budget is not such a multiple.
    """

    def __init__(
        self, trial: Any, trainer: Trainer, budget: int, saved: Checkpoints
    ) -> None:
        """Load the checkpoint, or start."""
        require_multiple(trial.check_every, budget)
        self.trial, self.trainer, self.budget, self._saved = trial, trainer, budget, saved
        self.name, self._numerics_id = id_of(trial), trainer.numerics_id(trial)
        self._kept = saved.load(self.name, self._numerics_id, trainer.device)
        self.first = self._kept or Position(0, trainer.start(trial))
        """Where it began in this process."""
        self.position = self.first
        self.spoiled = False
        """Whether a trainer has failed that may have changed the state in place."""
        self.saved_at = time.monotonic()
        self._cheap_until = 0.0 if self._kept else self.saved_at + CHEAP_S

    @property
    def ended(self) -> bool:
        """Whether training ends here: solved, diverged, or at the budget."""
        return finished(self.trial, self.position, self.trainer, self.budget)

    @property
    def to_check(self) -> int:
        """Updates to the next check."""
        return self.trial.check_every - self.position.update % self.trial.check_every

    def save_after(self, seconds: float) -> None:
        """Save a checkpoint if the last one is older."""
        if time.monotonic() - self.saved_at >= seconds:
            self._save(durable=True)

    def leave(self) -> None:
        """Save what is not saved; if the state is spoiled, the last checkpoint stays."""
        if self.position is not self._kept and not self.spoiled:
            self._save(durable=time.monotonic() >= self._cheap_until)

    def _save(self, durable: bool) -> None:
        self._saved.save(self.name, self._numerics_id, self.position, durable=durable)
        self._kept, self.saved_at = self.position, time.monotonic()


def _advance(one: InTraining, chunk: int, chunk_s: float) -> int:
    """Make up to `chunk` updates, never past a check; return the next chunk's size."""
    began, position, trainer = time.perf_counter(), one.position, one.trainer
    asked = min(chunk, one.to_check)
    one.spoiled = trainer.in_place
    state, made, diverged = trainer.advance(
        one.trial, position.state, position.update, asked
    )
    after = moved(position, state, made, diverged)
    if check_due(one.trial, position.update, after):
        measured = trainer.check(one.trial, state, after.update)
        after = checked(after, measured)
    one.position, one.spoiled = after, False
    per_update = (time.perf_counter() - began) / (made or asked)
    return max(1, min(2 * chunk, int(chunk_s / max(per_update, 1e-9))))


def moved(position: Position, state: Any, made: int, diverged: bool) -> Position:
    """Return a position after some updates, before the check that may be due."""
    update = position.update + made
    return replace(position, state=state, update=update, diverged=diverged)


def check_due(trial: Any, update: int, after: Position) -> bool:
    """Return whether the updates from `update` to a position ended on a check."""
    made = after.update - update
    return made > 0 and not after.diverged and after.update % trial.check_every == 0


def checked(position: Position, measured: Mapping[str, Any]) -> Position:
    """Return a position with what a check measured there."""
    check = {"update": position.update, **measured}
    return replace(position, checks=(*position.checks, check))


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
