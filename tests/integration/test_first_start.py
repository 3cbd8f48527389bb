"""The first start on a machine compiles, says so, and is waited for; later ones do not."""

import os
import subprocess
import sys
import time
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


def start(cache: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN],
        env={**os.environ, "RNNLAB_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_workers_that_start_at_once_one_compiles_and_harm_is_noticed(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    workers = [start(tmp_path) for _ in range(3)]
    printed = [worker.communicate(timeout=120) for worker in workers]
    assert time.monotonic() - began < 120  # 25 s where nothing else runs
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len({out for out, _ in printed}) == 1
    assert sorted(SAYS in err for _, err in printed) == [False, False, True]

    began = time.monotonic()
    later = start(tmp_path)
    out, err = later.communicate(timeout=60)
    assert out == printed[0][0]
    assert SAYS not in err
    assert time.monotonic() - began < 15

    (code,) = tmp_path.glob("*/*/kernel.advance*.nbc")
    whole = code.read_bytes()
    code.write_bytes(whole[: len(whole) // 2])
    mended = start(tmp_path)
    out, err = mended.communicate(timeout=120)
    assert out == printed[0][0]
    assert SAYS in err
    (code,) = tmp_path.glob("*/*/kernel.advance*.nbc")
    assert len(code.read_bytes()) > len(whole) // 2


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
