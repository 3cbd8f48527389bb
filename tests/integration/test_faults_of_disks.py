"""A full disk, a disk that errs, and two runs in one folder: the table comes out the same."""

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Folder, driver_of, wait_until, write_experiment, write_walks

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import read_events
from sweeps.store.events import Started

RATES = (1e-4, 2e-4, 4e-4)


def experiment(path: Path) -> Folder:
    """Twelve short trials that nothing solves."""
    return write_experiment(path, budget=1000, seeds=4, rates=RATES)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a run that nothing disturbs."""
    folder = experiment(tmp_path_factory.mktemp("undisturbed"))
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 0, done.stderr
    return folder.table.read_bytes()


def started(folder: Folder) -> Counter[str]:
    found = read_events(Place(folder.results / "attempts"))
    return Counter(each.trial_id for each in found if isinstance(each, Started))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A results folder on a disk of 100 KiB, as a temporary file system."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root and mount, for a small tmpfs")
    results = tmp_path / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(results)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this container may not mount a tmpfs")
    yield results
    subprocess.run(["umount", str(results)], check=True)


def test_a_full_disk_stops_the_run_with_a_message_and_costs_no_committed_trial(
    undisturbed: bytes, small_disk: Path, tmp_path: Path
) -> None:
    folder = experiment(tmp_path)
    full = folder.sweep("run", "small.py", "--in-process", "--pack", "1")
    assert full.returncode == 1, full.stderr
    assert f"{small_disk}/small" in full.stderr
    assert "No space left on device" in full.stderr
    assert "run the same command again" in full.stderr
    assert "Traceback" not in full.stderr
    committed = [p for p in (folder.results / "parts").iterdir() if p.name[0] != "."]
    assert 0 < len(committed) < 12
    before = started(folder)
    status = folder.sweep("status", "small.py")
    assert f"{len(committed)} unsolved" in status.stdout

    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == undisturbed
    assert sum((started(folder) - before).values()) == 12 - len(committed)


def test_a_disk_that_is_full_from_the_start_is_named_before_anything_starts(
    small_disk: Path, tmp_path: Path
) -> None:
    folder = experiment(tmp_path)
    (small_disk / "ballast").write_bytes(b"x" * 100 * 1024)
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert "results/small cannot be written (No space left on device)" in said


def test_two_runs_in_one_folder_say_so_and_give_one_table(tmp_path: Path) -> None:
    folder, alone = (write_walks(tmp_path / name) for name in ("both", "alone"))
    first = folder.start("run", "small.py", "--cpus", "1", "--in-process", "--pack", "1")
    wait_until(lambda: (folder.results / "progress.json").exists())
    driver = driver_of(first.pid)
    os.kill(driver, signal.SIGSTOP)
    folder.slow.unlink()
    second = folder.sweep("run", "small.py", "--cpus", "1", "--in-process")
    os.kill(driver, signal.SIGCONT)
    said, _ = first.communicate(timeout=300)
    assert (first.returncode, second.returncode) == (0, 0), said + second.stderr
    assert "4 trials, 0 done, 4 to run" in second.stderr
    assert "is training in this folder too" in second.stderr
    alone.slow.unlink()
    assert alone.sweep("run", "small.py", "--in-process").returncode == 0
    assert folder.table.read_bytes() == alone.table.read_bytes()
    assert len(set(started(folder))) == 4
