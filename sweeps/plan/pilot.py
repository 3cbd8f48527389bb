"""A pilot: train a little of each shape of trial, on all cores at once, and throw it away."""

import multiprocessing
import signal
import time
from dataclasses import replace

from rnnlab import Trial
from rnnlab.engines import Engine, choose
from rnnlab.train import training
from sweeps.errors import SweepError
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Shape, Speeds, measured, shape
from sweeps.terminal import say

PILOT_S = 4.0
SHAPES = 8
"""Shapes that are measured, dearest first; the others are scaled by their cost."""
PATIENCE_S = 600.0
"""How long to wait for a measurement: the engine may have to be compiled first."""
SLICES = 3
"""Measurements of each shape by each core: their spread makes the interval."""


def pilot(work: Plan, engine: str, cpus: int, seconds: float = PILOT_S) -> Speeds:
    """Measure how fast trials train here, with all cores busy.

    Args:
        work: What there is to run, at least one trial.
        engine: What makes the updates, by its name.
        cpus: How many cores are to be busy.
        seconds: How long to measure, about, besides starting the processes.

    Raises:
        SweepError: If nothing can be measured.
    """
    trials = examples(work)
    slice_s = seconds / len(trials) / SLICES
    say(f"pilot: training {len(trials)} kinds of trial on {cpus} cores for {seconds:.0f} s")
    # Leaving the pool ends its processes at once, after Ctrl-C too.
    with multiprocessing.get_context("spawn").Pool(cpus, _deaf_to_ctrl_c) as pool:
        jobs = [pool.apply_async(measure, (trials, engine, slice_s)) for _ in range(cpus)]
        found = [sample for job in jobs for sample in job.get(PATIENCE_S)]
    if not found:
        raise SweepError("The pilot measured nothing: every trial ended at once.")
    return measured(found, f"a pilot of {seconds:.0f} s")


def _deaf_to_ctrl_c() -> None:
    """Leave it to the parent to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def examples(work: Plan) -> list[Trial]:
    """Choose a trial of each shape, those first of which there is most to do."""
    first: dict[Shape, Trial] = {}
    for trial in work.to_run:
        first.setdefault(shape(trial), trial)
    return list(first.values())[:SHAPES]


def measure(trials: list[Trial], engine: str, slice_s: float) -> list[tuple[Trial, float]]:
    """Train each trial from its beginning for some seconds; give seconds per update."""
    made = choose(engine)
    found: list[tuple[Trial, float]] = []
    for trial in trials:
        # What is first used is made ready then, by updates and by a check.
        seconds_per_update(replace(trial, check_every=1), made, 0.05)
        for _ in range(SLICES):
            speed = seconds_per_update(trial, made, slice_s)
            if speed is not None:
                found.append((trial, speed))
    return found


def seconds_per_update(trial: Trial, engine: Engine, slice_s: float) -> float | None:
    """Train a trial from its beginning for some seconds; None where it ended at once."""
    states = training(
        trial,
        budget=1_000_000 * trial.check_every,
        engine=engine,
        chunk_s=slice_s / 4,
    )
    began, updates = time.perf_counter(), 0
    for state in states:
        updates = state.update
        if updates and time.perf_counter() - began >= slice_s:
            break
    took = time.perf_counter() - began
    states.close()
    return took / updates if updates and took >= slice_s / 2 else None
