"""The engine for GPUs in Numba's simulator of one: `tests/simulated`, in a process of its own.

Numba decides when it is imported whether it simulates. A subset runs as
`NUMBA_ENABLE_CUDASIM=1 python -m pytest tests/simulated -k EXPRESSION`.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["-m", "pytest", "tests/simulated", "-q", "--tb=short", "-p", "no:cacheprovider"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="needs numba-cuda")
def test_the_kernels_do_what_an_engine_promises_in_the_simulator() -> None:
    kept = {name: text for name, text in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=ROOT,
        env={**kept, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = done.stdout[-20_000:] + done.stderr[-5_000:]
    if done.returncode:
        pytest.fail(f"tests/simulated, in the simulator:\n{report}", pytrace=False)
    assert " passed" in done.stdout, report
