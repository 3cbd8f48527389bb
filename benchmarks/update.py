"""Time one training update: our engines, alternatives, and the machine's peak.

    python benchmarks/update.py [--quick] [--json FILE]

One thread, temporal order, batch 20. At each size all contenders take turns, round after
round in one process. Every round also measures the machine's fused multiply-adds per
second, so that drifts in its speed affect all alike. A contender's time is the median of
its rounds; the peak is its fastest round.

Useful operations are 3·2·B·H²·T per update, the three products of W_rec's shape at every
step, whatever else a contender computes; shares and ratios are of CPU time.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import contenders
import numba
import torch
from contenders import MACHINE, PEAK_FLOPS, Contender, peak

from rnnlab import TemporalOrder, Trial
from rnnlab.engines import CHECK_SEQUENCES, Engine, choose
from rnnlab.train import SUCCESS_BELOW, check, fresh

VARIANTS = {"MSGD-C": 0.0, "MSGD-CR": 4.0}
LENGTHS = (50, 100, 200)
HIDDEN = (50, 100)
QUICK = (100, 50)
"""Length and hidden size for `--quick`, and for timing checks."""

ROUNDS = 11
TURN_S = 0.06
"""Approximate CPU seconds of a contender's turn; at least one call."""

REST_S = 0.03
"""Wall seconds before each turn: JAX threads keep running after a result is returned, and
CPU time counts all threads, so the next contender would be charged for them."""

MEMORY_TRIAL = Trial(
    task=TemporalOrder(length=200), omega_weight=VARIANTS["MSGD-CR"], check_every=50
)


class Times(NamedTuple):
    """CPU and wall time, in seconds."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Row:
    """One contender at one size."""

    engine: str
    variant: str
    length: int
    hidden: int
    batch: int
    cpu_us_per_update: float
    wall_us_per_update: float
    gflops: float
    """Useful floating-point operations per CPU second, in 1e9."""
    share_of_peak: float
    """`gflops` divided by the peak measured in the same rounds."""
    ratio_to_nn_rnn: float
    """CPU time of `nn_rnn` MSGD-C at the same size, divided by this row's."""


def timed(work: Callable[[], object]) -> Times:
    """Rest, call a function once and return the time it took, over all threads."""
    time.sleep(REST_S)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Times(time.process_time() - cpu, time.perf_counter() - wall)


def turn(contender: Contender) -> tuple[Callable[[], object], int]:
    """Warm up a contender; return the work of its turn, and the number of updates."""
    contender.advance(1)
    calls = max(1, round(TURN_S / timed(partial(contender.advance, 1)).cpu_s))
    return partial(contender.advance, calls), calls * contender.updates_a_call


def take_turns(works: list[Callable[[], object]]) -> list[list[Times]]:
    """Run all of them round after round; return the times of each."""
    rounds = [[timed(work) for work in works] for _ in range(ROUNDS)]
    return [list(each) for each in zip(*rounds, strict=True)]


def median(times: list[Times], count: int = 1) -> Times:
    """Return the medians over rounds, divided by `count`."""
    cpu_s, wall_s = (statistics.median(each) / count for each in zip(*times, strict=True))
    return Times(cpu_s, wall_s)


def trials_of(length: int, hidden: int) -> dict[str, Trial]:
    """Return a trial of each variant."""
    return {
        variant: Trial(
            task=TemporalOrder(length=length), hidden=hidden, omega_weight=weight
        )
        for variant, weight in VARIANTS.items()
    }


def measure(length: int, hidden: int) -> tuple[list[Row], float]:
    """Time the contenders of one size in turns; return rows and the peak, in Gflop/s."""
    trials = trials_of(length, hidden)
    found = contenders.contenders(trials)
    works, updates = zip(*map(turn, found), strict=True)
    peak()  # compiles it
    peak_times, *times = take_turns([peak, *works])
    peak_gflops = PEAK_FLOPS / min(each.cpu_s for each in peak_times) / 1e9
    medians = [median(each, count) for each, count in zip(times, updates, strict=True)]
    nn_rnn_s = next(
        each.cpu_s
        for contender, each in zip(found, medians, strict=True)
        if contender.engine == "nn_rnn"
    )
    rows = [
        row_of(contender, trials[contender.variant], each, nn_rnn_s, peak_gflops)
        for contender, each in zip(found, medians, strict=True)
    ]
    return rows, peak_gflops


def row_of(
    contender: Contender, trial: Trial, times: Times, nn_rnn_s: float, peak_gflops: float
) -> Row:
    """Return the table row of a contender's times."""
    flop = 3 * 2 * trial.batch * trial.hidden**2 * trial.task.length
    gflops = flop / times.cpu_s / 1e9
    return Row(
        engine=contender.engine,
        variant=contender.variant,
        length=trial.task.length,
        hidden=trial.hidden,
        batch=trial.batch,
        cpu_us_per_update=times.cpu_s * 1e6,
        wall_us_per_update=times.wall_s * 1e6,
        gflops=gflops,
        share_of_peak=gflops / peak_gflops,
        ratio_to_nn_rnn=nn_rnn_s / times.cpu_s,
    )


def costs_of_checks() -> Generator[str]:
    """Time the parts of a check by `fused_cpu`, in updates of MSGD-C; yield a line for each."""
    engine = choose("fused_cpu")
    trials = trials_of(*QUICK)
    trial, updates = trials["MSGD-CR"], 200
    state = engine.advance(trial, fresh(trial), updates)

    def count(stop_at: int) -> tuple[int, int]:
        return engine.count_errors(trial, state.parameters, index=1, stop_at=stop_at)

    errors, sequences = count(SUCCESS_BELOW)
    works = {
        "an update": partial(engine.advance, trials["MSGD-C"], state, updates),
        f"check of {CHECK_SEQUENCES:,} sequences": partial(count, CHECK_SEQUENCES + 1),
        f"check stopped at error {errors}, after {sequences} sequences": partial(
            count, SUCCESS_BELOW
        ),
        "a whole check of an unsolved trial, with Ω and ρ": partial(
            check, trial, state, engine
        ),
    }
    update, *checks = map(median, take_turns(list(works.values())))
    update_s = update.cpu_s / updates
    for what, times in zip(list(works)[1:], checks, strict=True):
        yield f"{what}: {times.cpu_s / update_s:.1f} updates' time ({times.cpu_s * 1e6:,.0f} µs)"


def added_memory() -> str:
    """Measure in a fresh process the memory that training adds to a ready worker."""
    done = subprocess.run(
        [sys.executable, "-c", "import update; update.print_training_memory()"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def print_training_memory() -> None:
    """Print the peak resident memory of updates and checks, beyond that of a ready worker.

    A worker is ready when it has run all of its compiled code, on the smallest trial: only
    then is that code loaded, and Numba itself.
    """
    memory = Path("/proc/self/clear_refs")
    if not memory.exists():
        print("not measured: requires Linux")
        return
    engine = choose("fused_cpu")
    built = _status_mb("VmRSS")
    _train_and_check(Trial(task=TemporalOrder(length=10), hidden=1, check_every=1), engine)
    ready = _status_mb("VmRSS")
    memory.write_text("5")  # forget the peak so far
    _train_and_check(MEMORY_TRIAL, engine)
    added = _status_mb("VmHWM") - ready
    print(f"{added:.1f} MB to train, {ready - built:.0f} MB to load compiled code before")


def _train_and_check(trial: Trial, engine: Engine) -> None:
    state = engine.advance(trial, fresh(trial), trial.check_every)
    check(trial, state, engine)
    engine.count_errors(trial, state.parameters, index=1, stop_at=CHECK_SEQUENCES + 1)


def _status_mb(name: str) -> float:
    """Read a line of /proc/self/status, in MB; the kernel writes KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(each for each in lines if each.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def processor() -> str:
    """Return the name of this machine's processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [
        line.partition(":")[2].strip() for line in lines if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()


def libraries() -> str:
    """Return the versions of the libraries timed."""
    jax = f", jax {contenders.jax.__version__}" if contenders.jax else ""
    return f"torch {torch.__version__}, numba {numba.__version__}{jax}"


def show(rows: list[Row], peak_gflops: float) -> None:
    """Print the table of one size."""
    print(f"\nT = {rows[0].length}, H = {rows[0].hidden}; peak {peak_gflops:.0f} Gflop/s")
    print("engine     variant    T    H  CPU µs  wall µs  Gflop/s  % of peak  × nn_rnn")
    for row in rows:
        print(
            f"{row.engine:10} {row.variant:8} {row.length:3} {row.hidden:4} "
            f"{row.cpu_us_per_update:7,.0f} {row.wall_us_per_update:8,.0f} "
            f"{row.gflops:8.1f} {row.share_of_peak:10.1%} {row.ratio_to_nn_rnn:9.2f}"
        )


def keep_to_one_core() -> None:
    """Restrict all libraries to one core; JAX ignores other settings."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main() -> None:
    """Measure, print a table, and write it as JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="T=100, hidden 50 only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    args = parser.parse_args()
    keep_to_one_core()
    print(f"{processor()}, {MACHINE.name}; {libraries()}")
    if contenders.jax is None:
        print("JAX is not installed: no rows `jax`. `pip install jax` adds them.")
    found: list[Row] = []
    every = [(length, hidden) for hidden in HIDDEN for length in LENGTHS]
    for length, hidden in [QUICK] if args.quick else every:
        rows, peak_gflops = measure(length, hidden)
        show(rows, peak_gflops)
        found += rows
    print(f"\nfused_cpu at T = {QUICK[0]}, H = {QUICK[1]}, beside an update of MSGD-C:")
    print(*costs_of_checks(), sep="\n")
    print(
        f"memory beyond Python and libraries, T = {MEMORY_TRIAL.task.length}, MSGD-CR: "
        f"{added_memory()}"
    )
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
