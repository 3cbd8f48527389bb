"""What the kernels take of a card, compiled without one: a spill is seen in review."""

import json
import os
from pathlib import Path

import pytest

from rnnlab import Trial

cuda = pytest.importorskip("numba_cuda", reason="numba-cuda is for Linux on x86-64")

TABLE = Path(__file__).with_suffix(".json")
CAPABILITIES = ((7, 5), (8, 0), (9, 0))


def ptxas() -> Path:
    import nvidia

    found = [Path(folder, "cu13", "bin", "ptxas") for folder in nvidia.__path__]
    there = [path for path in found if path.is_file()]
    assert there, "nvidia-cuda-nvcc is a development dependency; run make setup"
    return there[0]


def test_registers_spills_and_shared_memory_are_those_of_the_table() -> None:
    from rnnlab.engines.fused_gpu.engine import kind_of
    from rnnlab.engines.fused_gpu.machine_code import ptx, usage

    kind, assembler, found = kind_of(Trial(), Trial().batch), ptxas(), {}
    for capability in CAPABILITIES:
        for name, code in ptx(kind, capability).items():
            used = usage(kind, code, capability, assembler)
            found[f"sm_{capability[0]}{capability[1]} {name}"] = used._asdict()
    if os.environ.get("UPDATE_SNAPSHOTS"):
        TABLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(TABLE.read_text(encoding="utf-8"))
    for used in found.values():
        assert used["registers"] * 256 * 2 <= 65_536, "two trials fit on a multiprocessor"
