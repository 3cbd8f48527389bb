"""A pilot: briefly train each shape of trial, on all cores at once, to measure speeds."""

import multiprocessing
import signal
import time
from collections.abc import Hashable
from typing import Any

from sweeps.errors import SweepError
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Speeds, measured, shape
from sweeps.spec.trainer import Trainer
from sweeps.spec.trial_type import TrialType
from sweeps.spec.user_code import UserCode
from sweeps.terminal import say
from sweeps.worker.metered_trainer import MeteredTrainer
from sweeps.worker.training import training

PILOT_S = 4.0
SHAPES = 8
"""Number of shapes measured, most expensive first; others are scaled by their cost."""
WAIT_S = 600.0
"""Timeout of a measurement: the engine may have to be compiled first."""
SLICES = 3
"""Measurements of each shape by each core; their spread gives the interval."""

Sample = tuple[int, float]
"""Index of the trial, and seconds per update."""


def pilot(
    work: Plan,
    engine: str | None,
    workers: int,
    code: UserCode | None = None,
    seconds: float = PILOT_S,
    device: str | None = None,
) -> Speeds:
    """Measure how fast trials train here, with all cores busy.

    Args:
        work: The trials to run, at least one.
        engine: Name of the engine.
        workers: Number of trials to train at a time.
        code: The user's code, if it defines the trials.
        seconds: Approximate duration, besides starting the processes.
        device: The device that the user asked for.

    Raises:
        SweepError: If nothing can be measured.
    """
    trials = examples(work)
    slots = TrialType.of(trials[0]).resources(trials, engine, device).slots
    if slots > 1:  # one process fills a GPU; others would wait
        workers = 1
    together = min(slots, len(work.to_run))
    slice_s = seconds / len(trials) / SLICES
    kinds = "1 kind" if len(trials) == 1 else f"{len(trials)} kinds"
    say(f"pilot: training {kinds} of trial in {workers} processes for {seconds:.0f} s")
    # Leaving the pool kills its processes at once, even after Ctrl-C.
    with multiprocessing.get_context("spawn").Pool(workers, _prepare, (code,)) as pool:
        jobs = [
            pool.apply_async(measure, (trials, engine, slice_s, together, device))
            for _ in range(workers)
        ]
        found = [sample for job in jobs for sample in job.get(WAIT_S)]
    if not found:
        raise SweepError("The pilot measured nothing: every trial ended at once.")
    samples = ((trials[place], seconds_each) for place, seconds_each in found)
    return measured(samples, f"a pilot of {seconds:.0f} s")


def _prepare(code: UserCode | None) -> None:
    """Leave Ctrl-C to the parent, and make the user's classes importable."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code is not None:
        code.install()


def examples(work: Plan) -> list[Any]:
    """Return a trial of each shape, those with the most work first."""
    first: dict[Hashable, Any] = {}
    for trial in work.to_run:
        first.setdefault(shape(trial), trial)
    return list(first.values())[:SHAPES]


def measure(
    trials: list[Any],
    engine: str | None,
    slice_s: float,
    together: int = 1,
    device: str | None = None,
) -> list[Sample]:
    """Train each trial from its start for some seconds; return seconds per update.

    Args:
        trials: The trials.
        engine: Name of the engine.
        slice_s: Seconds of each measurement.
        together: How many trials to train at a time, where the trainer can.
        device: The device that the user asked for.
    """
    kind = TrialType.of(trials[0])
    trainer = MeteredTrainer(kind.trainer(engine, trials, device))
    found: list[Sample] = []
    for place, trial in enumerate(trials):
        _warm_up(trial, trainer)
        for _ in range(SLICES):
            if trainer.slots > 1:
                speed = seconds_of_many(trial, trainer, slice_s, together)
            else:
                speed = seconds_per_update(trial, trainer, slice_s)
            if speed is not None:
                found.append((place, speed))
    return found


def _warm_up(trial: Any, trainer: Trainer) -> None:
    """Make an update and a check, to exclude first-use costs."""
    state, made, diverged = trainer.advance(trial, trainer.start(trial), 0, 1)
    if made and not diverged:
        trainer.check(trial, state, made)


def seconds_per_update(trial: Any, trainer: Trainer, slice_s: float) -> float | None:
    """Train a trial from its start for some seconds; return None if it ended at once."""
    budget = 1_000_000 * trial.check_every
    positions = training(trial, budget=budget, trainer=trainer, chunk_s=slice_s / 4)
    began, updates = time.perf_counter(), 0
    for position in positions:
        updates = position.update
        if updates and time.perf_counter() - began >= slice_s:
            break
    took = time.perf_counter() - began
    positions.close()
    return took / updates if updates and took >= slice_s / 2 else None


def seconds_of_many(
    trial: Any, trainer: MeteredTrainer, slice_s: float, count: int
) -> float | None:
    """Train a trial beside itself for some seconds; return seconds per update of one of them.

    Without checks: those of a sweep come between calls, and take little.
    """
    count = min(count, trainer.slots)
    trials, states = [trial] * count, [trainer.start(trial)] * count
    began, update = time.perf_counter(), 0
    chunk = 1
    while (took := time.perf_counter() - began) < slice_s:
        asked = min(chunk, trial.check_every - update % trial.check_every)
        found = trainer.advance_many(trials, states, [update] * count, [asked] * count)
        states = [state for state, _, _ in found]
        if any(diverged for _, _, diverged in found):
            break
        update += found[0][1]
        chunk *= 2
    return took / (update * count) if update and took >= slice_s / 2 else None
