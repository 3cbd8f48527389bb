"""`--address` joins a Ray that is running, gives the same table, and leaves it running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import URGENT, write_experiment

pytestmark = pytest.mark.ray

HEAD = """
import logging, ray
context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                   logging_level=logging.ERROR)
print(context.address_info["gcs_address"], flush=True)
input()
print(int(ray.cluster_resources()["CPU"]), flush=True)
"""


def test_a_run_joins_a_ray_changes_no_byte_and_leaves_it_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, alone = (
        write_experiment(tmp_path / name, budget=2000, seeds=3, rates=(1e-4, 1e38))
        for name in ("joined", "alone")
    )
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **URGENT},
    ) as head:
        assert head.stdout is not None
        address = head.stdout.readline().strip()
        done = folder.sweep(
            "run", "small.py", "--address", address, keep=("RAY_AUTH_MODE",)
        )
        other = alone.sweep("run", "small.py", "--in-process")
        left, _ = head.communicate("\n")
    assert done.returncode == 0, done.stderr
    assert "all 6 trials have a result" in done.stderr
    assert other.returncode == 0, other.stderr
    assert folder.table.read_bytes() == alone.table.read_bytes()
    assert left.strip() == "2"
