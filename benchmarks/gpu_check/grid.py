"""Figure 7's grid for as long as time is left, with its states kept."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.gpu_check.common import Found, gpu, say, trial_of
from benchmarks.gpu_check.contract import bits
from benchmarks.gpu_check.training import Running, fleet, go_on

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.engines.fused_gpu import FusedGpu

GRID_UPDATES = 5_000_000
SAVE_EVERY_S = 30


def run(args: argparse.Namespace, found: Found) -> None:
    """Train Figure 7's grid until time is over; keep every state, and project the whole."""
    try:
        from sweeps.experiments.figure7 import sweep
    except ImportError as error:
        found.keep(skipped=f"Figure 7's grid cannot be imported: {error}")
        say(found.data["skipped"])
        return
    trials = list(sweep.trials)
    if args.tiny:
        trials = [trial_of(args, seed=i, omega_weight=2.0 * i) for i in range(2)]
    engine, running = gpu(), fleet(trials)
    folder = args.out / "checkpoints"
    folder.mkdir(exist_ok=True)
    if not args.tiny:  # compile
        states = [each.state for each in running]
        engine.advance_many(trials, states, [1] * len(trials))
        engine.count_errors(trials[0], states[0].parameters, index=1, stop_at=1)
    paces = {each.trial.trial_id: pace(each.trial, trials) for each in running}
    start = saved = time.time()
    steps = 0
    while left := [each for each in running if not each.ended]:
        before = sum(r.state.update * r.trial.task.longest for r in left)
        go_on(engine, left, [paces[each.trial.trial_id] for each in left])
        steps += sum(r.state.update * r.trial.task.longest for r in left) - before
        over = time.time() > args.until or args.tiny
        if over or time.time() > saved + SAVE_EVERY_S:
            saved = time.time()
            save(folder, running)
            report(found, running, trials, steps, saved - start)
        if over:
            break
    found.keep(resumes=resumes(engine, folder, running))


def pace(trial: Trial, trials: Sequence[Trial]) -> int:
    """Return updates of a launch: longer sequences make fewer, to end at about the same time."""
    shortest = min(each.task.longest for each in trials)
    most = trial.check_every * shortest // trial.task.longest
    return next(n for n in range(most, 0, -1) if trial.check_every % n == 0)


def save(folder: Path, running: Sequence[Running]) -> None:
    """Keep the states of all trials, a file for each."""
    for each in running:
        path = folder / f"{each.trial.trial_id}.npz"
        beside = path.with_suffix(".part.npz")
        np.savez(
            beside,
            *each.state.parameters,
            update=each.state.update,
            diverged=each.state.diverged,
            totals=np.array(tuple(vars(each.state.totals).values())),
        )
        beside.replace(path)


def resumes(engine: FusedGpu, folder: Path, running: Sequence[Running]) -> bool:
    """Return whether a trial that resumes from its file has the same bits."""
    from rnnlab.state import Parameters, State, Totals

    each = running[0]
    with np.load(folder / f"{each.trial.trial_id}.npz") as file:
        parameters = Parameters(*(file[f"arr_{i}"] for i in range(len(Parameters._fields))))
        updates, repaired, clipped, *sums = file["totals"].tolist()
        totals = Totals(int(updates), int(repaired), int(clipped), *sums)
        read = State(parameters, int(file["update"]), totals, bool(file["diverged"]))
    if read.diverged:
        return bits(read) == bits(each.state)
    one, other = (engine.advance(each.trial, state, 1) for state in (read, each.state))
    return bits(one) == bits(other)


def report(
    found: Found, running: list[Running], trials: list[Trial], steps: int, seconds: float
) -> None:
    """Print and keep how far the grid is."""
    whole = sum(GRID_UPDATES * trial.task.longest for trial in trials)
    cells: dict[str, list[Running]] = {}
    for each in running:
        name = f"T={each.trial.task.longest} Ω={each.trial.omega_weight:g} clip={each.trial.clip_norm}"
        cells.setdefault(name, []).append(each)
    found.keep(
        trials=len(trials),
        seconds=seconds,
        updates=sum(each.state.update for each in running),
        solved=sum(each.solved_at is not None for each in running),
        diverged=sum(each.state.diverged for each in running),
        steps_per_s=steps / seconds,
        projected_grid_min=whole / (steps / seconds) / 60,
        cells={
            name: {
                "trials": len(some),
                "solved": sum(each.solved_at is not None for each in some),
                "updates_of_each": max(each.state.update for each in some),
            }
            for name, some in cells.items()
        },
    )
    say(
        f"run: {seconds:.0f} s, {found.data['updates']:,} updates, "
        f"{found.data['solved']} of {len(trials)} solved; the whole grid "
        f"at this speed {found.data['projected_grid_min']:.1f} min"
    )
