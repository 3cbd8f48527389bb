"""The first start on a machine compiles, says so, and is waited for; later ones do not."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from commands import write_experiment

pytestmark = pytest.mark.slow

SAYS = "compiling the engine fused_cpu for this processor"
TRAIN = """
import hashlib
from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.train import fresh
state = choose("fused_cpu").advance(Trial(), fresh(Trial()), 3)
print(hashlib.sha256(state.parameters.w_rec.tobytes()).hexdigest())
"""

BEGIN_TO_COMPILE = """
from rnnlab.engines.fused_cpu import engine

def instead(entries):
    raise SystemExit("it would compile now")

engine._try = instead
engine.FusedCpu()
"""


def start(cache: Path, script: str = TRAIN) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "RNNLAB_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def cpu_s_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_of_workers_that_start_at_once_one_compiles_and_harm_is_noticed(
    tmp_path: Path,
) -> None:
    workers = [start(tmp_path) for _ in range(3)]
    printed = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len({out for out, _ in printed}) == 1
    assert sorted(SAYS in err for _, err in printed) == [False, False, True]

    before = cpu_s_of_children()
    out, err = start(tmp_path).communicate()
    assert out == printed[0][0]
    assert SAYS not in err
    assert cpu_s_of_children() - before < 10  # 2 s; compiling takes 20

    (code,) = tmp_path.glob("*/*/kernel.advance*.nbc")
    whole = code.read_bytes()
    code.write_bytes(whole[: len(whole) // 2])
    _, err = start(tmp_path, BEGIN_TO_COMPILE).communicate()
    assert "the kept code of fused_cpu is damaged: compiling" in err
    assert "it would compile now" in err
    assert not code.exists()  # so that it compiles as on the first start


def test_no_place_for_compiled_code_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    folder = write_experiment(tmp_path)
    (tmp_path / "file").touch()
    done = folder.sweep(
        "run", "small.py", "--no-dashboard", more={"RNNLAB_CACHE": str(tmp_path / "file")}
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "which cannot be written (Not a directory)" in last
    assert "Set RNNLAB_CACHE to a folder that can" in last
    assert "Traceback" not in done.stderr
