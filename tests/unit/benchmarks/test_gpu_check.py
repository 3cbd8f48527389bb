"""`make gpu-check` as far as it goes without a card: in Numba's simulator, at its smallest."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu_check"


def check(folder: Path, *parts: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--tiny", "--parts", ",".join(parts), "--out", "out"],
        cwd=folder,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "out" / "check.json").read_text())
    assert json.dumps(found["parts"], separators=(",", ":")) in done.stdout
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("numba_cuda") and os.environ.get("SIMULATE_GPU")),
    reason="takes minutes; set SIMULATE_GPU=1, with numba-cuda installed",
)
def test_parts_run_in_the_simulator_and_find_nothing_wrong(tmp_path: Path) -> None:
    found = check(tmp_path, "machine", "contract")
    parts = found["parts"]
    assert list(parts) == ["machine", "contract"]
    assert parts["machine"]["cases"][""]["simulated"]
    (job,) = parts["contract"]["cases"]["0/1"]["jobs"]
    assert job["failures"] == []
    assert {"grads", "step", "loss", "norm", "omega", "valid_share"} == set(job["errors"])
    assert found["failures"] == []
    assert {goal["verdict"] for goal in found["goals"]} == {"not measured"}


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--parts", "sped", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no part is called sped. Known: machine, speed" in done.stderr
