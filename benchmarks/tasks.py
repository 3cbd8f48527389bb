"""Time one training update of `fused_cpu` on every task, as a share of the peak.

    python benchmarks/tasks.py

One thread, sequences of 100 steps, batch 20 (32 for the patterns of 5 bits), MSGD-C and MSGD-CR.
Rounds, medians and the peak as in `benchmarks/update.py`. Useful operations are
3·2·B·H²·T per update, as there: inputs and outputs count as overhead.
"""

from functools import partial

from contenders import MACHINE, PEAK_FLOPS, peak
from update import TURN_S, keep_to_one_core, median, processor, take_turns, timed

from rnnlab import (
    Addition,
    Memorisation,
    Multiplication,
    RandomPermutation,
    Task,
    TemporalOrder,
    ThreeBitOrder,
    Trial,
)
from rnnlab.engines import choose
from rnnlab.train import fresh

STEPS = 100
TASKS: dict[str, tuple[Task, int]] = {
    "temporal order": (TemporalOrder(length=STEPS), 20),
    "temporal order, lengths 50 to 149": (TemporalOrder(length=50, length_max=150), 20),
    "3-bit temporal order": (ThreeBitOrder(length=STEPS), 20),
    "addition": (Addition(length=STEPS), 20),
    "multiplication": (Multiplication(length=STEPS), 20),
    "random permutation": (RandomPermutation(length=STEPS), 20),
    "memorisation, 5 bits": (Memorisation(length=STEPS - 10), 32),
    "memorisation, 20 bits": (Memorisation(length=STEPS - 20, values=5, positions=10), 20),
}


def gflop(trial: Trial) -> float:
    """Compute the useful operations of an update, in 1e9, at the middle of its lengths."""
    task = trial.task
    steps = (task.steps(task.length, 0) + task.longest) / 2
    return 3 * 2 * trial.batch * trial.hidden**2 * steps / 1e9


def measure(trials: list[Trial]) -> tuple[list[float], float]:
    """Time trials in turns; return the CPU seconds per update of each, and the peak in Gflop/s."""
    engine = choose("fused_cpu")
    works, counts = [], []
    for trial in trials:
        state = engine.advance(trial, fresh(trial), 10)
        one = timed(partial(engine.advance, trial, state, 20)).cpu_s / 20
        counts.append(max(20, round(TURN_S / one)))
        works.append(partial(engine.advance, trial, state, counts[-1]))
    peak()  # compiles it
    peak_times, *times = take_turns([peak, *works])
    peak_gflops = PEAK_FLOPS / min(each.cpu_s for each in peak_times) / 1e9
    found = [median(t, n).cpu_s for t, n in zip(times, counts, strict=True)]
    return found, peak_gflops


def main() -> None:
    """Print a table."""
    keep_to_one_core()
    print(f"{processor()}, {MACHINE.name}")
    for hidden in (50, 100):
        trials = [
            Trial(
                task=task,
                hidden=hidden,
                batch=batch,
                omega_weight=weight,
                init="basic_tanh",
            )
            for task, batch in TASKS.values()
            for weight in (0.0, 2.0)
        ]
        seconds, peak_gflops = measure(trials)
        print(f"\nH = {hidden}; peak {peak_gflops:.0f} Gflop/s")
        print(f"{'task':34} {'MSGD-C':>9} {'of peak':>8} {'MSGD-CR':>9} {'of peak':>8}")
        for place, name in enumerate(TASKS):
            pair = list(zip(trials, seconds, strict=True))[2 * place : 2 * place + 2]
            cells = [
                f"{1e6 * s:6.0f} µs {gflop(t) / s / peak_gflops:8.1%}" for t, s in pair
            ]
            print(f"{name:34} {' '.join(cells)}")


if __name__ == "__main__":
    main()
