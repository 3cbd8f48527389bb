"""Trials that `fused_gpu` and `fused_cpu` solve, of the same 20."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.gpu_check.common import VARIANTS, Found, gpu, say, trial_of
from benchmarks.gpu_check.training import fleet, go_on

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.state import State

SEEDS = 20
SUCCESS_UPDATES = 40_000
"""MSGD-CR of `smart_tanh` solves 50 steps of temporal order by 30,000 on 20 of 20 seeds."""
COUNTED_AT = (6_000, 10_000, 20_000, 40_000)
MOST_APART = 5
"""Solved trials of 20 by which engines may differ; one more has p < 0.05 between 20 and 14."""


def success(args: argparse.Namespace, found: Found) -> None:
    """Train trials that are solved early, by the engine of this process."""
    trials, most = early_trials(args), 2 if args.tiny else SUCCESS_UPDATES
    if args.case == "fused_gpu":
        engine, running = gpu(), fleet(trials)
        while left := [r for r in running if not r.ended and r.state.update < most]:
            go_on(engine, left, [each.trial.check_every for each in left])
            found.keep(trials=[reached(r.trial, r.state, r.solved_at) for r in running])
            if time.time() > args.until:
                break
    else:
        on_the_processor(args, trials, most, found)
    solved = sum(each["solved_at"] is not None for each in found.data["trials"])
    say(f"success, {args.case}: {solved} of {len(found.data['trials'])} solved")


def early_trials(args: argparse.Namespace) -> list[Trial]:
    """Return trials that are solved early."""
    seeds = range(2 if args.tiny else SEEDS)
    return [
        trial_of(args, length=50, omega_weight=VARIANTS["MSGD-CR"], seed=seed)
        for seed in seeds
    ]


def on_the_processor(
    args: argparse.Namespace, trials: list[Trial], most: int, found: Found
) -> None:
    """Train a share of the trials with fused_cpu, one check of each at a time."""
    from rnnlab.engines import choose
    from rnnlab.result import Check
    from rnnlab.train import Training

    engine = choose("fused_cpu")
    mine, of = map(int, args.case.partition(" ")[2].split("/"))
    training = [Training.fresh(trial) for trial in trials[mine::of]]

    def solved_at(checks: Sequence[Check]) -> int | None:
        return next((each.update for each in checks if each.error_rate < 0.01), None)

    while any(not each.ended(most) for each in training) and time.time() < args.until:
        training = [
            t if t.ended(most) else t.advanced(engine, t.trial.check_every)
            for t in training
        ]
        found.keep(
            trials=[reached(t.trial, t.state, solved_at(t.checks)) for t in training]
        )


def reached(trial: Trial, state: State, solved_at: int | None) -> dict[str, Any]:
    """Return where a trial is."""
    return {
        "seed": trial.seed,
        "updates": state.update,
        "solved_at": solved_at,
        "diverged": state.diverged,
    }


def counts_of_success(cases: dict[str, Any]) -> dict[str, Any]:
    """Count what both engines solved, at updates that all trials of both have reached."""
    on_card = cases.get("fused_gpu", {}).get("trials", [])
    on_cpu = [
        each
        for name, case in cases.items()
        if name != "fused_gpu"
        for each in case.get("trials", [])
    ]
    if not on_card or len(on_card) != len(on_cpu):
        return {"passed": False, "why": f"{len(on_card)} trials and {len(on_cpu)}"}
    unsolved = [t["updates"] for t in (*on_card, *on_cpu) if t["solved_at"] is None]
    last = min([max(COUNTED_AT), *unsolved])
    rows = [
        {
            "updates": at,
            "fused_gpu": sum((t["solved_at"] or at + 1) <= at for t in on_card),
            "fused_cpu": sum((t["solved_at"] or at + 1) <= at for t in on_cpu),
        }
        for at in sorted({min(at, last) for at in COUNTED_AT})
    ]
    apart = max(abs(row["fused_gpu"] - row["fused_cpu"]) for row in rows)
    return {"of": len(on_card), "solved": rows, "passed": apart <= MOST_APART}
