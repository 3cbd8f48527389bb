"""Time one training update: engines of ours against `nn.RNN` as a researcher writes it.

    python benchmarks/update.py [--quick] [--json FILE]

One thread, temporal order, batch 20. Contenders take turns, round after round in one
process, and the medians are printed, so that a machine whose speed drifts slows all alike.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from rnnlab import TemporalOrder, Trial, rng
from rnnlab.data import draw_batch
from rnnlab.engines import choose
from rnnlab.train import fresh

VARIANTS = {"MSGD-C": 0.0, "MSGD-CR": 4.0}
ROUNDS = 7
UPDATES = 20
"""Updates of each contender in a round."""

Advance = Callable[[int], None]
"""Makes that many updates."""


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
    """Useful floating-point operations, 3·2·B·H²·T an update, in 1e9 a CPU second."""
    ratio_to_nn_rnn: float
    """CPU time of `nn_rnn` MSGD-C at the same size, divided by this row's."""


def nn_rnn(trial: Trial) -> Advance:
    """Build what a researcher writes: nn.RNN, autograd, clip_grad_norm_, SGD; no Ω."""
    task = trial.task
    network = nn.RNN(task.inputs, trial.hidden, nonlinearity="tanh")
    readout = nn.Linear(trial.hidden, task.outputs)
    parameters = [*network.parameters(), *readout.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=trial.lr)
    made = 0

    def advance(updates: int) -> None:
        nonlocal made
        for _ in range(updates):
            symbols, targets = draw_batch(
                task, seed=0, purpose=rng.TRAIN, index=made, size=trial.batch
            )
            inputs = functional.one_hot(torch.from_numpy(symbols), task.inputs).float()
            loss = functional.cross_entropy(
                readout(network(inputs)[0][-1]), torch.from_numpy(targets)
            )
            optimiser.zero_grad()
            loss.backward()
            if trial.clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, trial.clip_norm)
            optimiser.step()
            made += 1

    return advance


def ours(name: str, trial: Trial) -> Advance:
    """Build an engine of ours, going on from call to call."""
    engine, state = choose(name), fresh(trial)

    def advance(updates: int) -> None:
        nonlocal state
        state = engine.advance(trial, state, updates)

    return advance


def contenders(length: int, hidden: int) -> dict[tuple[str, str], Advance]:
    """Build all contenders of one size, by engine and variant."""
    task = TemporalOrder(length=length)
    trials = {
        variant: Trial(task=task, hidden=hidden, omega_weight=weight)
        for variant, weight in VARIANTS.items()
    }
    found = {("nn_rnn", "MSGD-C"): nn_rnn(trials["MSGD-C"])}
    for variant, trial in trials.items():
        found["plain", variant] = ours("plain", trial)
    return found


def measure(length: int, hidden: int) -> list[Row]:
    """Let the contenders of one size take turns; give the medians."""
    advances = contenders(length, hidden)
    times: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in advances}
    for advance in advances.values():
        advance(UPDATES)
    for _ in range(ROUNDS):
        for key, advance in advances.items():
            cpu, wall = time.process_time(), time.perf_counter()
            advance(UPDATES)
            spent = time.process_time() - cpu, time.perf_counter() - wall
            times[key].append((spent[0] / UPDATES * 1e6, spent[1] / UPDATES * 1e6))
    cpu_us = {key: statistics.median(cpu for cpu, _ in each) for key, each in times.items()}
    wall_us = {
        key: statistics.median(wall for _, wall in each) for key, each in times.items()
    }
    batch = Trial().batch
    flop = 3 * 2 * batch * hidden**2 * length
    return [
        Row(
            engine=key[0],
            variant=key[1],
            length=length,
            hidden=hidden,
            batch=batch,
            cpu_us_per_update=cpu_us[key],
            wall_us_per_update=wall_us[key],
            gflops=flop / cpu_us[key] / 1e3,
            ratio_to_nn_rnn=cpu_us["nn_rnn", "MSGD-C"] / cpu_us[key],
        )
        for key in advances
    ]


def processor() -> str:
    """Name this machine's processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [
        line.partition(":")[2].strip() for line in lines if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="T=100, hidden 50 only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    words = parser.parse_args()
    torch.set_num_threads(1)
    sizes = (
        [(100, 50)] if words.quick else [(t, h) for h in (50, 100) for t in (50, 100, 200)]
    )
    print(
        f"{processor()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
    )
    print("engine   variant    T    H   CPU µs/update  wall µs/update  Gflop/s  × nn_rnn")
    rows: list[Row] = []
    for length, hidden in sizes:
        for row in measure(length, hidden):
            rows.append(row)
            print(
                f"{row.engine:8} {row.variant:8} {row.length:4} {row.hidden:4} "
                f"{row.cpu_us_per_update:14,.0f} {row.wall_us_per_update:15,.0f} "
                f"{row.gflops:8.1f} {row.ratio_to_nn_rnn:9.2f}"
            )
    if words.json:
        words.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
