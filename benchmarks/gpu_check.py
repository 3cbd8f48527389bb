"""Check the engine fused_gpu on an NVIDIA card, and measure it: one command, under 8 minutes.

    python benchmarks/gpu_check.py [--parts machine,speed] [--json FILE] [--out FOLDER]

| part | what it does |
| --- | --- |
| `machine` | the card, its clocks, versions, and how long the kernels take to compile |
| `speed` | trial-updates a second at T = 50, 100, 200, for 1, 132 and 264 trials, by layout |
| `contract` | gradients against float64, and bits: in chunks, alone in a crowd, beside NaN |
| `contenders` | `gpu_contenders.py` on the same card |
| `success` | trials that `fused_gpu` and `fused_cpu` solve, of the same 20 |
| `run` | Figure 7's grid for as long as time is left, with its states kept |

Each part is one process or some, with a time limit; a part that fails or hangs leaves the others
alone, and what it had found until then is kept. At the end come one line of JSON and the table of
what is to be reached. It needs NumPy, Numba, numba-cuda and this repository, installed or not;
PyTorch for the contenders and for gradients in float64, which fused_cpu replaces if there is none;
and JAX for the contenders that it has.

Without a card, NUMBA_ENABLE_CUDASIM=1 and `--tiny` try all of this in Numba's simulator.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pickle
import platform
import signal
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.data import Batch
    from rnnlab.engines import Engine, Gradients
    from rnnlab.engines.fused_gpu import FusedGpu
    from rnnlab.state import State

LIMIT_S = 465
"""Seconds for everything; a part that begins late has less than its own limit."""

LIMITS_S = {
    "machine": 60,
    "speed": 130,
    "contract": 130,
    "contenders": 90,
    "success": 80,
    "run": 120,
}
"""Parts in the order in which they run, and the seconds of each at most."""

TINY_LIMIT_S = 900
LEAST_S = 15
"""A part is left out if less time is left."""
SPARE_S = 5
"""Seconds before its limit when a part stops by itself."""

VARIANTS = {"MSGD-C": 0.0, "MSGD-CR": 4.0}
LENGTHS = (100, 50, 200)
CROWDS = (264, 132, 1)
MAIN_LENGTH, MAIN_CROWD = 100, 264
CONFIGS = ("owned=1 lto=0", "owned=2 lto=0")
"""Layouts and compilers that are timed; what the engine chooses by itself in all cases."""
REPEATS = 3
REPEAT_S = 0.5
"""Seconds of a repeat; the three together are more than a second."""

GRID_UPDATES = 5_000_000
FP32_LANES = {"7.0": 64, "7.5": 64, "8.0": 64}
"""Fused multiply-adds of a multiprocessor per cycle, by compute capability; 128 if not here."""

TOLERANCES = {"loss": 1e-6, "grads": 3e-5, "norm": 5e-6, "omega": 2e-6, "valid_share": 1e-7}
"""Relative differences from float64, with the reasons of tests/support/agreement.py."""
ROUNDING = 6e-8
"""Relative error of a parameter that is rounded after its step."""
NEAR_TIES = 3
"""Answers of 10,000 that may differ, where two outputs are equal but for rounding."""

SEEDS = 20
SUCCESS_UPDATES = 40_000
"""MSGD-CR of `smart_tanh` solves 50 steps of temporal order by 30,000 on 20 of 20 seeds."""
COUNTED_AT = (6_000, 10_000, 20_000, 40_000)
MOST_APART = 5
"""Solved trials of 20 by which engines may differ; one more has p < 0.05 between 20 and 14."""

SAVE_EVERY_S = 30
VERSIONS = (
    "numpy",
    "numba",
    "numba-cuda",
    "llvmlite",
    "cuda-bindings",
    "cuda-core",
    "nvidia-nvvm",
    "nvidia-nvjitlink",
    "torch",
    "jax",
)
SMI = (
    "name",
    "driver_version",
    "compute_cap",
    "memory.total",
    "clocks.sm",
    "clocks.max.sm",
    "clocks.mem",
    "power.limit",
    "temperature.gpu",
)


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


class Found:
    """What a process has found so far: written at every change, since it may be killed."""

    def __init__(self, path: Path) -> None:
        """Begin an empty file."""
        self._path = path
        self.data: dict[str, Any] = {}
        self.keep()

    def keep(self, **found: Any) -> None:
        """Add values, and write all of them."""
        self.data |= found
        write(self._path, self.data)

    def add(self, name: str, row: Any) -> None:
        """Add a row to a list."""
        self.keep(**{name: [*self.data.get(name, []), row]})


def write(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all."""
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(data, indent=1) + "\n")
    beside.replace(path)


# Trials


def trial_of(args: argparse.Namespace, **changes: Any) -> Trial:
    """Return a trial: temporal order at T = 100, or at 10 with four units if all is tiny."""
    from rnnlab import TemporalOrder, Trial

    length = changes.pop("length", MAIN_LENGTH)
    if args.tiny:
        changes = {"hidden": 4, "batch": 32, "check_every": 2} | changes
        length = 10
    return Trial(**({"task": TemporalOrder(length=length)} | changes))


def simulated() -> bool:
    """Return whether Numba simulates a card."""
    from rnnlab.engines.fused_gpu.intrinsics import SIMULATED

    return SIMULATED


def gpu() -> FusedGpu:
    """Build the engine."""
    from rnnlab.engines.fused_gpu import FusedGpu

    return FusedGpu()


# machine


def machine(args: argparse.Namespace, found: Found) -> None:
    """Look at the card, and compile the kernels of the usual size."""
    from rnnlab.engines.fused_gpu import card
    from rnnlab.train import fresh

    found.keep(
        versions={"python": platform.python_version()} | dict(versions()),
        cpus=os.cpu_count(),
        commit=commit(),
        simulated=simulated(),
        nvidia_smi=nvidia_smi(),
        compute_capability=card.card(),
        multiprocessors=multiprocessors(),
        peak_tflops=peak_flops() / 1e12,
    )
    say("card:", found.data["nvidia_smi"], found.data["versions"])
    engine, trial = gpu(), trial_of(args)
    state = fresh(trial)
    first = timed(lambda: engine.advance(trial, state, 1))
    second = timed(lambda: engine.advance(trial, state, 1))
    found.keep(compile_advance_s=first - second, slots=engine.slots)

    def count() -> object:
        return engine.count_errors(trial, state.parameters, index=1, stop_at=1)

    first = timed(count)
    second = 0.0 if args.tiny else timed(count)
    found.keep(compile_evaluate_s=first - second, kernels=kernels(trial))
    say(
        f"compiled in {found.data['compile_advance_s']:.1f} s and "
        f"{found.data['compile_evaluate_s']:.1f} s: {found.data['kernels']}"
    )


def versions() -> Iterator[tuple[str, str]]:
    """Give the versions of the libraries that there are."""
    for name in VERSIONS:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def commit() -> str | None:
    """Return the commit of this repository, if it is a clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def nvidia_smi() -> dict[str, str]:
    """Return what nvidia-smi says of the first card, or nothing."""
    command = [
        "nvidia-smi",
        f"--query-gpu={','.join(SMI)}",
        "--format=csv,noheader,nounits",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    values = done.stdout.splitlines()[0].split(",")
    return dict(zip(SMI, (value.strip() for value in values), strict=True))


def multiprocessors() -> int:
    """Return how many the card has; 2 in the simulator."""
    from rnnlab.engines.fused_gpu import card

    return card.slots() // card.BLOCKS


@functools.cache
def peak_flops() -> float:
    """Return the card's FP32 operations per second at its highest clock; 0 if not known."""
    from rnnlab.engines.fused_gpu import card

    megahertz = nvidia_smi().get("clocks.max.sm", "0")
    if not megahertz.isdigit():
        return 0.0
    return multiprocessors() * FP32_LANES.get(card.card(), 128) * 2 * int(megahertz) * 1e6


def kernels(trial: Trial) -> dict[str, dict[str, int]]:
    """Return what the compiler made of the kernels: registers, spills, shared memory."""
    from rnnlab.engines.fused_gpu import engine

    if simulated():
        return {}
    both = engine.kernels(engine.kind_of(trial, trial.batch))
    return {
        name: {
            "registers": only(kernel.get_regs_per_thread()),
            "local_bytes": only(kernel.get_local_mem_per_thread()),
            "shared_bytes": only(kernel.get_shared_mem_per_block()),
        }
        for name, kernel in both._asdict().items()
        if kernel.get_regs_per_thread()
    }


def only(by_signature: Any) -> int:
    """Return the value of the one signature that was compiled."""
    if isinstance(by_signature, dict):
        return int(max(by_signature.values()))
    return int(by_signature)


def timed(work: Callable[[], object]) -> float:
    """Call a function; return the seconds it took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# speed


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


def fresh_states(trials: Sequence[Trial]) -> list[State]:
    """Return the states before the first update; equal initialisations are drawn once."""
    from rnnlab.train import fresh

    return [fresh(trial) for trial in trials]


def useful_flops(trial: Trial) -> float:
    """Return the operations of an update that any implementation needs, without Ω's.

    Three products with a matrix of W_rec's shape at each step; one-hot inputs, which are one
    addition per unit in each direction; three products with W_out at the end.
    """
    steps, hidden, batch = trial.task.longest, trial.hidden, trial.batch
    recurrent = 3 * 2 * batch * steps * hidden**2
    return recurrent + 2 * batch * steps * hidden + 6 * batch * hidden * trial.task.outputs


# contract


@dataclass(frozen=True)
class Job:
    """A shape of trials, and whether its checks are counted, which compiles a second kernel."""

    task: str
    settings: dict[str, Any]
    hidden: int
    batch: int = 20
    counts: bool = False

    def __str__(self) -> str:
        """Return a short name."""
        return f"{self.task} {self.hidden}×{self.batch}"


def jobs(tiny: bool) -> list[Job]:
    """Return all shapes: each task, and sizes in registers and beyond."""
    if tiny:
        return [Job("TemporalOrder", {"length": 10}, 4, 32, counts=True)]
    length, memory = {"length": 40}, {"length": 20}
    return [
        Job("TemporalOrder", length, 50, counts=True),
        Job("Memorisation", memory, 50, counts=True),
        Job("RandomPermutation", length, 50, counts=True),
        Job("Addition", length, 50, counts=True),
        Job("Multiplication", length, 50, counts=True),
        Job("ThreeBitOrder", length, 50, counts=True),
        Job("TemporalOrder", length, 100, counts=True),
        Job("Addition", length, 100),
        Job("TemporalOrder", length, 66),
        Job("TemporalOrder", length, 128),
        Job("Memorisation", memory, 66),
        Job("TemporalOrder", length, 33, 7),
        Job("Memorisation", memory, 100),
        Job("ThreeBitOrder", length, 128),
    ]


def kinds_of_trials(job: Job) -> list[Trial]:
    """Return trials of a shape: units, Ω, clipping, repair, a range of lengths."""
    from rnnlab import Trial, tasks

    task = getattr(tasks, job.task)(**job.settings)
    base = Trial(task=task, hidden=job.hidden, batch=job.batch, lr=0.01)
    found = [
        base,
        replace(base, omega_weight=2.0),
        replace(base, init="sigmoid"),
        replace(base, init="sigmoid", omega_weight=2.0),
        replace(base, init="basic_tanh", clip_norm=None, lr=0.01),
        replace(base, omega_weight=2.0, repair_nonfinite=True),
        replace(base, clip_norm=0.01, clip_by="value"),
    ]
    if "length_max" in {field.name for field in fields(task)}:
        longer = replace(task, length_max=job.settings["length"] + 7)
        found.append(replace(base, task=longer, omega_weight=2.0))
    return found


def contract(args: argparse.Namespace, found: Found) -> None:
    """Check a share of the shapes."""
    mine, of = map(int, args.case.split("/"))
    for job in jobs(args.tiny)[mine::of]:
        if time.time() > args.until:
            found.add("jobs", {"job": str(job), "failures": ["time was over"]})
            continue
        start = time.perf_counter()
        row: dict[str, Any] = {"job": str(job)}
        try:
            row |= checked(args, job)
        except Exception as error:  # noqa: BLE001
            row["failures"] = [explain(error)]
        row["seconds"] = round(time.perf_counter() - start, 1)
        found.add("jobs", row)
        wrong = "; ".join(row["failures"]) or "all as promised"
        say(f"{job}: {row['seconds']} s: {wrong}")


def explain(error: Exception) -> str:
    """Return an error and the last line of ours on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if str(ROOT) in each.filename] or frames
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}: {error}"[
        :600
    ]


def checked(args: argparse.Namespace, job: Job) -> dict[str, Any]:
    """Check one shape: values against the reference, then bits."""
    engine, trials = gpu(), kinds_of_trials(job)
    if args.tiny:
        trials = [trials[-1]]
    values = compared(args, engine, trials, job)
    failures = [*values.pop("failures"), *broken_bits(args, engine, trials)]
    return values | {"failures": failures}


@dataclass(frozen=True)
class Question:
    """What the reference is to compute, in a process of its own."""

    trials: list[Trial]
    states: list[State]
    counts: bool


@dataclass(frozen=True)
class Answer:
    """What it computed."""

    engine: str
    gradients: list[Gradients]
    counts: list[tuple[int, int]]


def batch_of(trial: Trial, update: int) -> Batch:
    """Draw the batch of an update."""
    from rnnlab import rng
    from rnnlab.data import draw_batch

    size = trial.batch
    return draw_batch(
        trial.task, seed=trial.seed, purpose=rng.TRAIN, index=update, size=size
    )


def compared(
    args: argparse.Namespace, engine: FusedGpu, trials: list[Trial], job: Job
) -> dict[str, Any]:
    """Compare gradients, one step and counts with the reference: before, and after updates."""
    from rnnlab.engines import CHECK_SEQUENCES

    before = fresh_states(trials)
    later = engine.advance_many(trials, before, [1 if args.tiny else 30] * len(trials))
    both, states = [*trials, *trials], [*before, *later]
    if args.tiny:
        both, states = trials, later
    batches = [batch_of(t, s.update) for t, s in zip(both, states, strict=True)]
    gradients = engine.gradients_many(both, [s.parameters for s in states], batches)
    stepped = engine.advance_many(both, states, [1] * len(both))
    answer = asked(args, Question(both, states, job.counts))
    wide = 1 if answer.engine == "plain" else 2  # both have rounded
    worst: dict[str, float] = {}
    for given in zip(both, states, gradients, stepped, answer.gradients, strict=True):
        for name, error in errors(*given).items():
            worst[name] = max(worst.get(name, 0.0), error)
    failures = [
        f"{name} is off by {error:.1e} of {TOLERANCES.get(name, 1.0):.1e}"
        for name, error in worst.items()
        if not error <= wide * TOLERANCES.get(name, 1.0)
    ]
    row: dict[str, Any] = {"reference": answer.engine, "errors": worst}
    if job.counts:
        stop_at = 2 if args.tiny else CHECK_SEQUENCES + 1
        counts = engine.count_errors_many(
            both,
            [s.parameters for s in states],
            indices=[1] * len(both),
            stop_at=stop_at,
        )
        apart = [
            abs(ours[0] - theirs[0])
            for ours, theirs in zip(counts, answer.counts, strict=True)
        ]
        row |= {"counts": counts, "counts_of_reference": answer.counts}
        if max(apart) > NEAR_TIES:
            failures.append(f"counts of wrong answers differ by up to {max(apart)}")
    return row | {"failures": failures}


def errors(
    trial: Trial, state: State, ours: Gradients, stepped: State, exact: Gradients
) -> dict[str, float]:
    """Return relative errors, and that of the step as a share of what is allowed."""
    found = {
        "grads": max(
            float(np.abs(a - b).max() / (np.abs(b).max() or 1.0))
            for a, b in zip(ours.grads, exact.grads, strict=True)
        )
    }
    for name in ("loss", "norm", "omega", "valid_share"):
        wanted = getattr(exact, name)
        found[name] = abs(getattr(ours, name) - wanted) / (abs(wanted) or 1.0)
    if trial.clip_by == "norm":
        clip = trial.clip_norm or float("inf")
        pace = trial.lr * min(1.0, clip / exact.norm)
        found["step"] = max(
            float(
                (
                    np.abs(after - (np.float32(start) - pace * grad))
                    / (
                        TOLERANCES["grads"] * pace * np.abs(grad).max()
                        + ROUNDING * np.abs(after)
                        + 1e-30
                    )
                ).max()
            )
            for after, start, grad in zip(
                stepped.parameters, state.parameters, exact.grads, strict=True
            )
        )
    return found


def asked(args: argparse.Namespace, question: Question) -> Answer:
    """Ask the reference, in a process of its own: it imports PyTorch."""
    name = hashlib.sha256(pickle.dumps(question)).hexdigest()[:16]
    path = args.out / f"reference-{name}.pickle"
    path.write_bytes(pickle.dumps(question))
    env = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", __file__, "--part", "reference"]
    command += ["--case", str(path), "--out", str(args.out), "--into", "/dev/null"]
    subprocess.run([*command, *(["--tiny"] if args.tiny else [])], env=env, check=True)
    answer = pickle.loads(path.read_bytes())
    path.unlink()
    return answer


def reference(args: argparse.Namespace, _: object) -> None:
    """Answer a question by `plain` in float64, or by fused_cpu if there is no PyTorch."""
    from rnnlab.engines import CHECK_SEQUENCES, choose

    path = Path(args.case)
    question: Question = pickle.loads(path.read_bytes())
    engine: Engine
    if importlib.util.find_spec("torch"):
        import torch

        from rnnlab.engines.plain import Plain

        engine = Plain(dtype=torch.float64)
    else:
        engine = choose("fused_cpu")
    pairs = list(zip(question.trials, question.states, strict=True))
    gradients = [engine.gradients(t, s.parameters, batch_of(t, s.update)) for t, s in pairs]
    stop_at = 2 if args.tiny else CHECK_SEQUENCES + 1
    counts = [
        engine.count_errors(t, s.parameters, index=1, stop_at=stop_at)
        for t, s in (pairs if question.counts else [])
    ]
    path.write_bytes(pickle.dumps(Answer(engine.name, gradients, counts)))


def bits(state: State) -> tuple[object, ...]:
    """Return all of a state, to compare."""
    each = [np.asarray(p, np.float32).tobytes() for p in state.parameters]
    return (*each, state.update, repr(state.totals), state.diverged)


def broken_bits(
    args: argparse.Namespace, engine: FusedGpu, trials: list[Trial]
) -> Iterator[str]:
    """Give the promises about bits that are broken."""
    size = len(trials) + 1 if args.tiny else engine.slots
    updates = 2 if args.tiny else 45
    crowd = [replace(trials[i % len(trials)], seed=i) for i in range(size)]
    counts = [updates - i % 2 if args.tiny else updates - i % 7 for i in range(size)]
    states = fresh_states(crowd)
    together = engine.advance_many(crowd, states, counts)
    alone_of = range(1) if args.tiny else [*range(len(trials)), size // 2, size - 1]
    for i in alone_of:
        alone = engine.advance(crowd[i], states[i], counts[i])
        if bits(alone) != bits(together[i]):
            yield f"trial {i} has other bits alone than among {size}"
    if not args.tiny and crowd_gradients_differ(engine, crowd, states, alone_of):
        yield f"gradients have other bits alone than among {size}"
    few, done = crowd[: len(trials)], states[: len(trials)]
    for cut in (1, 1) if args.tiny else (1, 7, 20, 2, 15):
        left = {
            i: n for i, (n, s) in enumerate(zip(counts, done, strict=False)) if n > s.update
        }
        left = {i: n - done[i].update for i, n in left.items() if not done[i].diverged}
        moved = engine.advance_many(
            [few[i] for i in left],
            [done[i] for i in left],
            [min(cut, n) for n in left.values()],
        )
        done = [dict(zip(left, moved, strict=True)).get(i, s) for i, s in enumerate(done)]
    for i, (chunked, whole) in enumerate(zip(done, together, strict=False)):
        if bits(chunked) != bits(whole):
            yield f"trial {i} has other bits in chunks than whole"
    yield from beside_nan(engine, few, states, counts, together)


def crowd_gradients_differ(
    engine: FusedGpu, crowd: list[Trial], states: list[State], some: Sequence[int]
) -> bool:
    """Return whether gradients depend on what is computed beside them."""
    batches = [batch_of(trial, 0) for trial in crowd]
    many = engine.gradients_many(crowd, [s.parameters for s in states], batches)
    for i in some:
        one = engine.gradients(crowd[i], states[i].parameters, batches[i])
        same = all(
            np.array_equal(a, b) for a, b in zip(one.grads, many[i].grads, strict=True)
        )
        if not same or one[2:] != many[i][2:]:
            return True
    return False


def beside_nan(
    engine: FusedGpu,
    trials: list[Trial],
    states: list[State],
    counts: list[int],
    healthy: list[State],
) -> Iterator[str]:
    """Give what goes wrong where each second trial diverges."""
    ill = [
        replace(t, lr=1e60, clip_norm=None, clip_by="norm", repair_nonfinite=False)
        for t in trials
    ]
    pairs = [each for pair in zip(ill, trials, strict=True) for each in pair]
    doubled = [s for state in states[: len(trials)] for s in (state, state)]
    done = engine.advance_many(
        pairs, doubled, [n for count in counts[: len(trials)] for n in (count, count)]
    )
    if not all(state.diverged for state in done[::2]):
        yield "a trial with a learning rate of 1e60 did not diverge"
    if any(bits(a) != bits(b) for a, b in zip(done[1::2], healthy, strict=False)):
        yield "a trial has other bits beside one that diverges"


# success, and run


@dataclass
class Running:
    """A trial in training on the card."""

    trial: Trial
    state: State
    solved_at: int | None = None

    @property
    def ended(self) -> bool:
        """Return whether it is solved or has diverged."""
        return self.solved_at is not None or self.state.diverged


def fleet(trials: Sequence[Trial]) -> list[Running]:
    """Return trials before their first update."""
    return [Running(t, s) for t, s in zip(trials, fresh_states(trials), strict=True)]


def go_on(engine: FusedGpu, running: list[Running], paces: Sequence[int]) -> None:
    """Advance trials, and check those that are at a check."""
    from rnnlab.state import Totals
    from rnnlab.train import SUCCESS_BELOW

    for each in running:
        if each.state.update % each.trial.check_every == 0:
            each.state = replace(each.state, totals=Totals())
    trials = [each.trial for each in running]
    states = engine.advance_many(trials, [each.state for each in running], paces)
    for each, state in zip(running, states, strict=True):
        each.state = state
    due = [
        each
        for each in running
        if not each.state.diverged and each.state.update % each.trial.check_every == 0
    ]
    counts = engine.count_errors_many(
        [each.trial for each in due],
        [each.state.parameters for each in due],
        indices=[each.state.update // each.trial.check_every for each in due],
        stop_at=SUCCESS_BELOW,
    )
    for each, (errors, sequences) in zip(due, counts, strict=True):
        if errors < SUCCESS_BELOW and sequences:
            each.solved_at = each.state.update


def early_trials(args: argparse.Namespace) -> list[Trial]:
    """Return trials that are solved early."""
    seeds = range(2 if args.tiny else SEEDS)
    return [
        trial_of(args, length=50, omega_weight=VARIANTS["MSGD-CR"], seed=seed)
        for seed in seeds
    ]


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
    """Return whether a trial goes on from its file with the same bits."""
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


# The table


@dataclass(frozen=True)
class Goal:
    """A line of the table of what is to be reached."""

    what: str
    at_least: float
    aim: float
    measured: float | None
    less: bool = False
    """Whether less is better."""

    @property
    def verdict(self) -> str:
        """Return in a word how far it is reached."""
        if self.measured is None:
            return "not measured"
        sign = -1 if self.less else 1
        if sign * self.measured >= sign * self.aim:
            return "aim reached"
        return "reached" if sign * self.measured >= sign * self.at_least else "MISSED"


def goals(parts: dict[str, Any]) -> list[Goal]:
    """Return the table, of the parts that have run."""
    fast = rates(parts)
    clip = fast.get(("MSGD-C", MAIN_LENGTH, MAIN_CROWD), {})
    ours = clip.get("updates_per_s")
    ratio = fast.get(("MSGD-CR", MAIN_LENGTH, MAIN_CROWD), {}).get("updates_per_s")
    rows = parts.get("contenders", {}).get("rows", [])

    def against(names: Sequence[str], variant: str | None, trials: int) -> float | None:
        theirs = [
            row["updates_per_s"]
            for row in rows
            if row["contender"] in names
            and variant in (None, row["variant"])
            and (row["T"], row["trials"]) == (MAIN_LENGTH, trials)
            and row["updates_per_s"]
        ]
        return ours / max(theirs) if ours and theirs else None

    share = clip.get("share_of_peak")
    return [
        Goal("MSGD-C, 264 trials, updates/s", 700_000, 1_000_000, ours),
        Goal("MSGD-CR, 264 trials, updates/s", 450_000, 700_000, ratio),
        Goal("× nn.RNN, one trial, as usual", 200, 400, against(["nn_rnn"], "eager", 1)),
        Goal("× nn.RNN in a CUDA graph", 200, 400, against(["nn_rnn"], "graph", 1)),
        Goal(
            "× best batched contender", 8, 15, against(["baddbmm", "jax"], None, MAIN_CROWD)
        ),
        Goal("% of the FP32 peak", 30, 45, 100 * share if share else None),
        Goal("the paper's grid, minutes", 75, 45, grid_minutes(fast), less=True),
    ]


def rates(parts: dict[str, Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the rows of the engine's own configuration."""
    cases = parts.get("speed", {}).get("cases", {}).values()
    return {
        (row["variant"], row["T"], row["trials"]): row
        for case in cases
        if case.get("own")
        for row in case.get("rows", [])
    }


def grid_minutes(fast: dict[tuple[str, int, int], dict[str, Any]]) -> float | None:
    """Project 180 trials to their last update: the longer of two times.

    That of a full card, and that of the slowest trial on a multiprocessor of its own. Of each
    length and variant there are 15 trials; MSGD is as fast as MSGD-C. T = 150 lies between.
    """

    def seconds(variant: str, length: int, crowd: int) -> float:
        if length == 150:
            return (seconds(variant, 100, crowd) + seconds(variant, 200, crowd)) / 2
        return 1 / fast[variant, length, crowd]["updates_per_s"]

    try:
        each = [
            seconds("MSGD-C", n, MAIN_CROWD) * 30 + seconds("MSGD-CR", n, MAIN_CROWD) * 15
            for n in (50, 100, 150, 200)
        ]
        slowest = 132 * seconds("MSGD-CR", 200, 132)
    except KeyError:
        return None
    return GRID_UPDATES * max(sum(each), slowest) / 60


def show(table: Sequence[Goal]) -> None:
    """Print the table."""
    say(f"\nT = 100, hidden 50, batch 20{'at least':>20} {'aim':>10} {'measured':>12}")
    for goal in table:
        measured = "-" if goal.measured is None else f"{goal.measured:,.1f}"
        say(
            f"{goal.what:34} {goal.at_least:>13,} {goal.aim:>10,} {measured:>12}  {goal.verdict}"
        )


def failures(parts: dict[str, Any], asked: Sequence[str]) -> list[str]:
    """Return what is wrong, apart from speed."""
    found = [f"{name}: {each}" for name, part in parts.items() for each in part["errors"]]
    found += [f"{name}: not run, time was over" for name in asked if name not in parts]
    for case in parts.get("contract", {}).get("cases", {}).values():
        for row in case.get("jobs", []):
            found += [f"contract, {row['job']}: {each}" for each in row["failures"]]
    if not parts.get("success", {}).get("counts", {"passed": True})["passed"]:
        found.append(f"success: {parts['success']['counts']}")
    resumed = [
        case.get("resumes", True) for case in parts.get("run", {}).get("cases", {}).values()
    ]
    return found + ["run: a trial went on with other bits"] * (not all(resumed))


# Processes


def cases_of(part: str, tiny: bool) -> list[str]:
    """Return the processes of a part, by what each has to do."""
    free = max(1, (os.cpu_count() or 1) - 2)
    if part == "contract":
        of = 1 if tiny else min(free, len(jobs(tiny)), 14)
        return [f"{i}/{of}" for i in range(of)]
    if part == "speed":
        return list(CONFIGS[:1] if tiny else CONFIGS)
    if part == "success":
        of = 1 if tiny else min(free, SEEDS)
        return ["fused_gpu", *(f"fused_cpu {i}/{of}" for i in range(of))]
    return [""]


def run_part(part: str, args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run the processes of a part side by side, and end those that are over time."""
    start, until = time.time(), time.time() + seconds
    if part == "contenders":
        return run_contenders(args, seconds)
    cases = cases_of(part, args.tiny)
    paths = {case: args.out / f"{part}-{i}.json" for i, case in enumerate(cases)}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    for case, path in paths.items():
        path.unlink(missing_ok=True)
        command = [sys.executable, "-W", "ignore", __file__, "--part", part, "--case", case]
        command += ["--into", str(path), "--out", str(args.out)]
        command += ["--until", str(until - SPARE_S), *(["--tiny"] if args.tiny else [])]
        processes[case] = subprocess.Popen(command, start_new_session=True)
    errors = [
        f"{case}: {why}".removeprefix(": ")
        for case, process in processes.items()
        if (why := ended(process, until))
    ]
    found = {
        case: json.loads(path.read_text()) for case, path in paths.items() if path.exists()
    }
    errors += [case["error"] for case in found.values() if "error" in case]
    result = {"seconds": time.time() - start, "errors": errors, "cases": found}
    return result | ({"counts": counts_of_success(found)} if part == "success" else {})


def ended(process: subprocess.Popen[bytes], until: float) -> str | None:
    """Wait for a process and kill it, with its children, when time is over; return what failed."""
    try:
        code = process.wait(max(0.1, until - time.time()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "killed: time was over"
    return f"ended with exit code {code}" if code else None


def run_contenders(args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run gpu_contenders.py; without PYTHONPATH if its libraries are found so."""
    start, path = time.time(), args.out / "contenders.json"
    path.unlink(missing_ok=True)
    sizes = ["--trials", f"1,{MAIN_CROWD}", "--limit", str(seconds - SPARE_S)]
    if args.tiny:
        sizes = [
            "--device",
            "cpu",
            "--lengths",
            "10",
            "--trials",
            "1,2",
            "--seconds",
            "0.01",
            "--limit",
            "100",
        ]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    look = "import importlib.util as i, sys; sys.exit(i.find_spec('torch') is None)"
    if subprocess.run([sys.executable, "-c", look], env=env, check=False).returncode:
        env = dict(os.environ)
        if subprocess.run([sys.executable, "-c", look], env=env, check=False).returncode:
            say("contenders: PyTorch is not installed")
            return {"seconds": 0.0, "errors": ["PyTorch is not installed"], "rows": []}
    script = Path(__file__).with_name("gpu_contenders.py")
    command = [sys.executable, str(script), *sizes, "--json", str(path)]
    process = subprocess.Popen(command, env=env, start_new_session=True)
    why = ended(process, start + (200 if args.tiny else seconds))
    found = json.loads(path.read_text()) if path.exists() else {"rows": [], "checks": []}
    return {"seconds": time.time() - start, "errors": [why] if why else []} | found


WORK = {
    "machine": machine,
    "speed": speed,
    "contract": contract,
    "success": success,
    "run": run,
    "reference": reference,
}


def work(args: argparse.Namespace) -> None:
    """Be one process of a part."""
    if args.part == "reference":
        reference(args, None)
        return
    found = Found(args.into)
    try:
        WORK[args.part](args, found)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        found.keep(error=explain(error))


def names(text: str) -> list[str]:
    """Read names of parts, in the order in which they run."""
    given = text.split(",")
    if unknown := set(given) - set(LIMITS_S):
        raise argparse.ArgumentTypeError(
            f"no part is called {', '.join(sorted(unknown))}. Known: {', '.join(LIMITS_S)}"
        )
    return [name for name in LIMITS_S if name in given]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", type=names, default=list(LIMITS_S), metavar="A,B")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the JSON here"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "gpu-check", help="a folder to work in"
    )
    parser.add_argument("--limit", type=float, help="seconds in all")
    parser.add_argument(
        "--tiny", action="store_true", help="smallest sizes, for a simulator"
    )
    parser.add_argument("--part", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the parts one after another; print JSON and the table."""
    args = arguments()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part:
        work(args)
        return
    start = time.time()
    limit = args.limit or (TINY_LIMIT_S if args.tiny else LIMIT_S)
    path = args.json or args.out / "check.json"
    result: dict[str, Any] = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    parts: dict[str, Any] = {}
    for part in args.parts:
        left = limit - (time.time() - start)
        if left < LEAST_S:
            say(f"\n== {part}: left out, time is over")
            continue
        seconds = min(left, TINY_LIMIT_S if args.tiny else LIMITS_S[part])
        say(f"\n== {part} (up to {seconds:.0f} s; {time.time() - start:.0f} s so far)")
        parts[part] = run_part(part, args, seconds)
        result |= {"seconds": time.time() - start, "parts": parts}
        write(path, result)
    table = goals(parts)
    wrong = failures(parts, args.parts)
    result |= {
        "goals": [vars(goal) | {"verdict": goal.verdict} for goal in table],
        "failures": wrong,
    }
    write(path, result)
    say("\n" + json.dumps(result, separators=(",", ":")))
    show(table)
    say(f"\n{result['seconds']:.0f} s in all; written to {path}")
    if wrong:
        raise SystemExit("\n".join(["", "Wrong:", *wrong]))


if __name__ == "__main__":
    main()
