"""Measure the overhead of a sweep: ten thousand trials of a twentieth of a second.

Run it with `python benchmarks/short_trials.py [TRIALS] [CPUS]`. It trains a sample of the
trials one after another in this process, and then all of them with `sweep run`.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rnnlab import TemporalOrder, Trial
from rnnlab.engines import choose
from rnnlab.train import train

SAMPLE = 200
BUDGET = 4000
EXPERIMENT = '''"""Do short trials fill the cores?"""

from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

sweep = Sweep(
    name="short",
    budget={budget},
    quick_budget={budget},
    trials=[
        Trial(
            task=TemporalOrder(length=20), hidden=20, lr=1e-4, check_every=500, seed=seed
        )
        for seed in range({trials})
    ],
)
'''


def pure_s(trials: int) -> tuple[float, float]:
    """Train some of the trials in this process; return wall and CPU seconds per trial."""
    engine = choose("fused_cpu")
    chosen = [
        Trial(task=TemporalOrder(length=20), hidden=20, lr=1e-4, check_every=500, seed=seed)
        for seed in range(0, trials, max(1, trials // SAMPLE))
    ]
    train(chosen[0], budget=BUDGET, engine=engine)
    began, cpu = time.perf_counter(), time.process_time()
    for trial in chosen:
        train(trial, budget=BUDGET, engine=engine)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return wall_s / len(chosen), cpu_s / len(chosen)


def main() -> None:
    """Print a table."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    cpus = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    print(f"{trials:,} trials on {cpus} cores of {platform.node()}, {platform.machine()}")
    one_s, one_cpu_s = pure_s(trials)
    print(f"a trial alone: {1e3 * one_s:.1f} ms, {1e3 * one_cpu_s:.1f} ms of CPU time")
    with tempfile.TemporaryDirectory() as folder:
        text = EXPERIMENT.format(budget=BUDGET, trials=trials)
        (Path(folder) / "short.py").write_text(text)
        sweep = Path(sys.executable).with_name("sweep")
        words = [str(sweep), "run", "short.py", "--cpus", str(cpus), "--no-dashboard"]
        began, before = time.perf_counter(), os.times()
        subprocess.run(words, cwd=folder, check=True)
        wall_s, after = time.perf_counter() - began, os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    pure = trials * one_cpu_s
    print(f"the sweep: {wall_s:.1f} s, {cpu_s:.1f} s of CPU time of `sweep run` itself")
    print(f"wall x cores / pure training: {wall_s * cpus / pure:.2f}")


if __name__ == "__main__":
    main()
