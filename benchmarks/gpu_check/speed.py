"""Trial-updates a second at several lengths and numbers of trials, by layout."""

from __future__ import annotations

import argparse
import fcntl
import functools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.gpu_check.card import kernels, nvidia_smi, peak_flops
from benchmarks.gpu_check.common import (
    CROWDS,
    LENGTHS,
    MAIN_CROWD,
    MAIN_LENGTH,
    VARIANTS,
    Found,
    fresh_states,
    gpu,
    say,
    simulated,
    timed,
    trial_of,
)

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.engines.fused_gpu import FusedGpu

CONFIGS = ("owned=1 lto=0", "owned=2 lto=0")
"""Layouts and compilers that are timed; what the engine chooses by itself in all cases."""
REPEATS = 3
REPEAT_S = 0.5
"""Seconds of a repeat; the three together are more than a second."""


def speed(args: argparse.Namespace, found: Found) -> None:
    """Time one configuration: in all cases if it is the engine's own, else in the main ones."""
    owned, lto = (int(part.partition("=")[2]) for part in args.case.split())
    own = configure(trial_of(args), owned, bool(lto))
    found.keep(owned=owned, lto=bool(lto), own=own)
    engine = gpu()
    engine.advance(trial_of(args), fresh_states([trial_of(args)])[0], 1)  # compiles
    found.keep(kernels=kernels(trial_of(args)))
    lengths = LENGTHS if own else (MAIN_LENGTH,)
    crowds = CROWDS if own else (MAIN_CROWD, 1)
    if args.tiny:
        lengths, crowds = (MAIN_LENGTH,), (2, 1)
    with turn(args):
        for length in lengths:
            for crowd in crowds:
                for variant in VARIANTS:
                    if time.time() > args.until:
                        say(f"{args.case}: time is over")
                        return
                    row = rate(args, engine, variant, length, crowd)
                    found.add("rows", row)
                    say(
                        f"{args.case}  T={length:3} {crowd:3} trials {variant:8} "
                        f"{row['updates_per_s']:12,.0f} updates/s  "
                        f"{100 * (row['share_of_peak'] or 0):.1f} % of peak"
                    )


def configure(trial: Trial, owned: int, lto: bool) -> bool:
    """Make the engine use a layout and a compiler; return whether it does so by itself."""
    from rnnlab.engines.fused_gpu import engine, kernel, layout

    shape = engine.kind_of(trial, trial.batch).shape
    usual, options = layout.layout, kernel._options
    chosen = options(usual(shape))
    own = usual(shape).owned == owned and bool(chosen.get("lto", False)) == lto
    engine.layout = functools.cache(lambda shape: usual(shape, owned))
    if not simulated():
        kernel._options = lambda lay: options(lay) | {"lto": lto}
    return own


@contextmanager
def turn(args: argparse.Namespace) -> Iterator[None]:
    """Wait for the card: configurations compile side by side, and are timed in turns."""
    with (args.out / "turn").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def rate(
    args: argparse.Namespace, engine: FusedGpu, variant: str, length: int, crowd: int
) -> dict[str, Any]:
    """Time a crowd: the median of repeats, each with its transfers."""
    weight = VARIANTS[variant]
    trials = [
        trial_of(args, length=length, omega_weight=weight, seed=i) for i in range(crowd)
    ]
    states = fresh_states(trials)

    def advance(updates: int) -> float:
        return timed(lambda: engine.advance_many(trials, states, [updates] * crowd))

    updates = 1 if args.tiny else 100
    advance(updates)
    if not args.tiny:
        updates = max(100, round(updates * REPEAT_S / advance(updates)))
    taken = [advance(updates) for _ in range(1 if args.tiny else REPEATS)]
    per_s = crowd * updates / statistics.median(taken)
    peak = peak_flops()
    return {
        "T": length,
        "trials": crowd,
        "variant": variant,
        "updates_per_s": per_s,
        "us_per_update_of_all": 1e6 * crowd / per_s,
        "updates_of_a_repeat": updates,
        "repeats_s": taken,
        "share_of_peak": per_s * useful_flops(trials[0]) / peak if peak else None,
        "clock_mhz_after": nvidia_smi().get("clocks.sm"),
    }


def useful_flops(trial: Trial) -> float:
    """Return the operations of an update that any implementation needs, without Ω's.

    Three products with a matrix of W_rec's shape at each step; one-hot inputs, which are one
    addition per unit in each direction; three products with W_out at the end.
    """
    steps, hidden, batch = trial.task.longest, trial.hidden, trial.batch
    recurrent = 3 * 2 * batch * steps * hidden**2
    return recurrent + 2 * batch * steps * hidden + 6 * batch * hidden * trial.task.outputs
