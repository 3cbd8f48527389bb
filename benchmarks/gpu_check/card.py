"""The card, its clocks, versions, and how long the kernels take to compile."""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.gpu_check.common import ROOT, Found, gpu, say, simulated, timed, trial_of

if TYPE_CHECKING:
    from rnnlab import Trial

FP32_LANES = {"7.0": 64, "7.5": 64, "8.0": 64}
"""Fused multiply-adds of a multiprocessor per cycle, by compute capability; 128 if not here."""
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
    forget_kernels()
    loaded = timed(lambda: engine.advance(trial, state, 1))
    found.keep(load_advance_s=loaded)
    say(
        f"compiled in {found.data['compile_advance_s']:.1f} s and "
        f"{found.data['compile_evaluate_s']:.1f} s, loaded again with an update in "
        f"{found.data['load_advance_s']:.2f} s: {found.data['kernels']}"
    )


def forget_kernels() -> None:
    """Let the next launch load its kernels from the files, as another process would."""
    from rnnlab.engines.fused_gpu import engine

    engine._launchable.cache_clear()
    engine.kernels.cache_clear()


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
