"""`--address` joins a Ray that is running, and leaves it running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import write_experiment

pytestmark = pytest.mark.ray

HEAD = """
import logging, ray
context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                   logging_level=logging.ERROR)
print(context.address_info["gcs_address"], flush=True)
input()
print(int(ray.cluster_resources()["CPU"]), flush=True)
"""


def test_a_run_joins_a_ray_and_leaves_it_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_experiment(tmp_path, budget=400, seeds=2)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as head:
        assert head.stdout is not None
        address = head.stdout.readline().strip()
        done = folder.sweep(
            "run", "small.py", "--address", address, keep=("RAY_AUTH_MODE",)
        )
        left, _ = head.communicate("\n")
    assert done.returncode == 0, done.stderr
    assert "all 4 trials have a result" in done.stderr
    assert left.strip() == "2"
