"""The tiles of every kind of processor: compiled for it, they stay in its registers."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from rnnlab.engines.fused_cpu import FusedCpu
from rnnlab.engines.fused_cpu.microkernel import (
    AVX2,
    AVX512,
    LANES,
    NEON,
    PORTABLE,
    Machine,
    machine,
    tile_function,
)
from rnnlab.engines.fused_cpu.operations import MACHINE
from rnnlab.init import initial_parameters
from rnnlab.spec import Trial
from rnnlab.state import State
from rnnlab.tasks import TemporalOrder

LINUX = "x86_64-unknown-linux-gnu"
ARM = "aarch64-unknown-linux-gnu"


class Target(NamedTuple):
    machine: Machine
    triple: str
    cpu: str
    floats: int
    """In a register."""
    multiplies: str
    """The instruction, as a pattern, that multiplies: and adds, where it is fused."""
    stores: str
    """Instructions, as a pattern, that write to memory."""


X86_STORES = r"v?mov[a-z0-9]+\s+%[^,]+, .*\("
TARGETS = [
    Target(AVX512, LINUX, "skylake-avx512", 16, r"vfmadd\d+ps\s.*%zmm", X86_STORES),
    Target(AVX2, LINUX, "haswell", 8, r"vfmadd\d+ps\s.*%ymm", X86_STORES),
    Target(NEON, ARM, "neoverse-n1", 4, r"fmla\s+v\d+\.4s", r"st[a-z0-9]*\s"),
    Target(PORTABLE, LINUX, "x86-64", 4, r"mulps\s.*%xmm", X86_STORES),
]
TILES = [
    pytest.param(target, rows, across, id=f"{target.machine.name}-{rows}x{across}")
    for target in TARGETS
    for across, rows in enumerate(target.machine.tile_rows, start=1)
]


def assembly(target: Target, rows: int, across: int) -> list[str]:
    """Compile a tile for a processor, as Numba would."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    written = ir.Module("tile")
    written.triple = target.triple
    function = tile_function(written, rows, across, fused=target.machine.fused)
    function.linkage = "external"
    compiler = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, opt=3
    )
    module = llvm.parse_assembly(str(written))
    module.verify()
    builder = llvm.create_pass_builder(compiler, llvm.PipelineTuningOptions(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return [line.strip() for line in compiler.emit_assembly(module).splitlines()]


def loop_of(lines: list[str]) -> list[str]:
    """Give the one loop: what lies between a label and the jump back to it."""
    labels = {line[:-1]: at for at, line in enumerate(lines) if line.endswith(":")}
    loops = [
        lines[labels[jump[1]] + 1 : at]
        for at, line in enumerate(lines)
        if (jump := re.match(r"(?:j|b)[a-z.]+\s+(\.L\w+)", line)) and labels[jump[1]] < at
    ]
    assert len(loops) == 1
    return loops[0]


def count(pattern: str, lines: list[str]) -> int:
    return sum(re.match(pattern, line) is not None for line in lines)


@pytest.mark.parametrize(("target", "rows", "across"), TILES)
def test_the_accumulators_of_the_tallest_tiles_stay_in_registers(
    target: Target, rows: int, across: int
) -> None:
    lines = assembly(target, rows, across)
    loop = loop_of(lines)
    assert count(target.multiplies, loop) == rows * across * LANES // target.floats
    assert count(target.stores, loop) == 0
    assert count(target.stores, lines) >= rows * across
    assert not any(re.search(r"\(%r[sb]p\)|\[sp", line) for line in loop)
    assert count(r"call|bl\s", lines) == 0


@pytest.mark.parametrize(("target", "rows", "across"), TILES)
def test_a_tile_adds_in_the_rounding_that_its_machine_promises(
    target: Target, rows: int, across: int
) -> None:
    lines = assembly(target, rows, across)
    fused = count(r"vfn?m(add|sub)|fml[as]|fn?m(add|sub)\s", lines)
    apart = count(r"v?mul[ps]s|v?add[ps]s|fmul|fadd", lines)
    assert (fused > 0, apart > 0) == (target.machine.fused, not target.machine.fused)
    assert not any("fmaf" in line for line in lines)


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [
        (LINUX, "+avx2,+avx512f,+avx512vl,+fma", AVX512),
        ("x86_64-apple-darwin23", "+fma,+avx512vl,+avx512f", AVX512),
        (LINUX, "+avx2,-avx512f,+avx512vl,+fma", AVX2),
        (LINUX, "+avx2,+avx512f,-avx512vl,+fma", AVX2),
        (LINUX, "+avx2,+fma", AVX2),
        (LINUX, "+avx2,-fma", PORTABLE),
        (LINUX, "+avx,+fma", PORTABLE),
        (LINUX, "-avx2,-fma", PORTABLE),
        (LINUX, "", PORTABLE),
        (ARM, "+neon,+fp-armv8", NEON),
        ("arm64-apple-darwin23", "", NEON),
        ("powerpc64le-unknown-linux-gnu", "+vsx", PORTABLE),
    ],
)
def test_a_machine_is_known_by_its_triple_and_features(
    triple: str, features: str, expected: Machine
) -> None:
    assert machine(triple, features) == expected


HASWELL = (
    "haswell",
    "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+cx8,+f16c,+fma,+fxsr,+lzcnt,+mmx,+movbe,"
    "+popcnt,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,-avx512f",
)
OLDEST = ("x86-64", "+64bit,+cmov,+cx8,+fxsr,+mmx,+sse,+sse2,-avx,-avx2,-fma,-avx512f")

TRAIN_AND_TELL = """
import json
import test_microkernel as here
print(json.dumps(here.summary()))
"""


def trained() -> State:
    trial = Trial(
        task=TemporalOrder(length=20), hidden=21, batch=5, omega_weight=4.0, seed=2
    )
    return FusedCpu().advance(trial, State(initial_parameters(trial)), 40)


def summary() -> dict[str, object]:
    """Train a little; return the machine and the bits."""
    parameters = trained().parameters
    return {
        "machine": MACHINE.name,
        "numerics_id": FusedCpu().numerics_id(Trial(task=TemporalOrder(length=20))),
        "sha256": hashlib.sha256(
            b"".join(each.tobytes() for each in parameters)
        ).hexdigest(),
        "w_rec": parameters.w_rec.tolist(),
    }


def summary_on(processor: tuple[str, str], cache: Path) -> dict[str, object]:
    """Do so in a process that compiles for another processor."""
    name, features = processor
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_AND_TELL],
        cwd=Path(__file__).parent,
        env={
            **os.environ,
            "NUMBA_CPU_NAME": name,
            "NUMBA_CPU_FEATURES": features,
            "RNNLAB_CACHE": str(cache),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


compiles_for_others = pytest.mark.skipif(
    MACHINE not in (AVX512, AVX2), reason="code for x86-64 with FMA does not run here"
)


@pytest.mark.slow
@compiles_for_others
def test_the_bits_do_not_depend_on_the_width_of_the_registers(tmp_path: Path) -> None:
    found = summary_on(HASWELL, tmp_path)
    assert found["machine"] == "avx2"
    assert found == {**summary(), "machine": "avx2"}


@pytest.mark.slow
@compiles_for_others
def test_without_fused_instructions_numbers_and_their_name_are_others(
    tmp_path: Path,
) -> None:
    """Two roundings for one: forty updates later the weights still agree to 1e-4."""
    found, ours = summary_on(OLDEST, tmp_path), summary()
    assert found["machine"] == "portable"
    assert found["numerics_id"] != ours["numerics_id"]
    assert found["sha256"] != ours["sha256"]
    np.testing.assert_allclose(
        np.array(found["w_rec"]), np.array(ours["w_rec"]), rtol=0, atol=1e-4
    )
