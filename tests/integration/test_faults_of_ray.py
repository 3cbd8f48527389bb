"""Parts of Ray die during a run: it ends soon with a message, or continues to the same table."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from commands import URGENT, Folder, driver_of, wait_until, write_experiment, write_walks

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import failed_trials, read_events
from sweeps.store.events import Session, Started

pytestmark = pytest.mark.ray

RUN = ("run", "small.py", "--cpus", "2", "--no-dashboard")
WITHOUT_RAY = ("run", "small.py", "--in-process")
WITHIN_S = 300.0
Run = subprocess.Popen[str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a run that nothing disturbs, without Ray."""
    folder = write_walks(tmp_path_factory.mktemp("undisturbed"))
    folder.slow.unlink()
    done = folder.sweep(*WITHOUT_RAY)
    assert done.returncode == 0, done.stderr
    return folder.table.read_bytes()


def under_way(folder: Folder) -> bool:
    """Say whether a trial has made updates."""
    try:
        found = json.loads((folder.results / "progress.json").read_text())
    except OSError:
        return False
    return any(each["update"] > 0 for each in found["running"])


def start(folder: Folder, *more: str) -> tuple[Run, int]:
    """Start a run; return it and its driver once a trial is running."""
    run = folder.start(*RUN, *more)
    wait_until(lambda: run.poll() is not None or under_way(folder))
    assert run.poll() is None, run.communicate()[0]
    driver = driver_of(run.pid)
    return run, driver


def end(run: Run, within_s: float = WITHIN_S) -> str:
    """Wait for the end of a run and give what it said."""
    try:
        said, _ = run.communicate(timeout=within_s)
    finally:
        if run.poll() is None:
            run.kill()
            run.communicate()
    return said


def session(leader: int) -> list[psutil.Process]:
    """Give the processes of a session."""
    found: list[psutil.Process] = []
    for each in psutil.process_iter():
        try:
            if os.getsid(each.pid) == leader:
                found.append(each)
        except ProcessLookupError:
            continue
    return found


def named(processes: list[psutil.Process], name: str) -> psutil.Process:
    """Return the process of a name, among those that we started.

    The first of them: one that was forked a moment ago still has its parent's name.
    """
    return min(
        (each for each in processes if each.name() == name),
        key=lambda each: each.create_time(),
    )


def running(processes: list[psutil.Process]) -> list[str]:
    return [
        each.name()
        for each in processes
        if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    ]


def worker(processes: list[psutil.Process]) -> psutil.Process:
    """Give a process that trains."""
    trains = [each for each in processes if "ray::small pack" in " ".join(each.cmdline())]
    return trains[0]


@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_a_run_whose_ray_has_died_ends_soon_and_resumes_with_the_same_command(
    undisturbed: bytes, tmp_path: Path, victim: str
) -> None:
    folder = write_walks(tmp_path)
    run, driver = start(folder)
    all_of_it = session(driver)
    assert len(all_of_it) > 6
    killed = named(all_of_it, victim)
    killed.kill()
    said = end(run)
    assert running(all_of_it) == []
    assert running(session(driver)) == []
    assert run.returncode == 1
    assert f"{victim}, process {killed.pid}, has ended" in said.replace(")", "")
    assert said.endswith(f"resume with\n  sweep {' '.join(RUN)}\n")
    assert "Traceback" not in said
    folder.slow.unlink()
    done = folder.sweep(*WITHOUT_RAY)
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == undisturbed


def test_a_killed_worker_is_replaced(undisturbed: bytes, tmp_path: Path) -> None:
    folder = write_walks(tmp_path)
    run, driver = start(folder)
    wait_until(lambda: any("pack" in " ".join(p.cmdline()) for p in session(driver)))
    worker(session(driver)).kill()
    folder.slow.unlink()
    said = end(run)
    assert run.returncode == 0, said
    assert folder.table.read_bytes() == undisturbed


def test_a_killed_driver_is_restarted_if_asked_for(
    undisturbed: bytes, tmp_path: Path
) -> None:
    folder = write_walks(tmp_path)
    run, driver = start(folder, "--max-restarts", "1")
    before = session(driver)
    os.kill(driver, signal.SIGKILL)
    folder.slow.unlink()
    said = end(run)
    assert run.returncode == 0, said
    assert running(before) == []
    assert "the driver was killed by signal SIGKILL" in said
    assert "restarting the driver, 1 of at most 1" in said
    assert folder.table.read_bytes() == undisturbed
    found = read_events(Place(folder.results / "attempts"))
    assert len([each for each in found if isinstance(each, Session)]) == 2


def test_a_worker_killed_for_memory_fails_one_trial_and_says_why(tmp_path: Path) -> None:
    """Ray's own monitor kills it: any use of memory is over this threshold."""
    folder = write_experiment(tmp_path, budget=400, seeds=2, rates=(1e-4,))
    monitor = {
        "RAY_memory_usage_threshold": "0.001",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    done = folder.sweep(*RUN, "--pack", "2", more=monitor)
    assert done.returncode == 1
    (failure,) = failed_trials(Place(folder.results / "attempts")).values()
    assert "running out of memory" in failure.last.error
    assert "fewer workers with --cpus" in done.stderr
    assert "2 trials: 1 failed, 1 waiting" in done.stderr
    again = folder.sweep(*WITHOUT_RAY)
    assert again.returncode == 0, again.stderr


CLUSTER = """
import logging, sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
cluster.wait_for_nodes()
print(cluster.address, flush=True)
input()
cluster.remove_node(nodes[0], allow_graceful=False)
print("removed", flush=True)
input()
cluster.shutdown()
"""


@pytest.fixture
def cluster() -> Generator[Run]:
    """Three nodes in processes of their own: a head that trains nothing, and two."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **URGENT, "RAY_AUTH_MODE": "disabled"},
        start_new_session=True,
    ) as process:
        try:
            yield process
            process.communicate("\n", timeout=300)
        finally:
            for each in session(process.pid):
                each.kill()


def test_a_lost_node_changes_no_byte(
    undisturbed: bytes, tmp_path: Path, cluster: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    address = cluster.stdout.readline().strip()
    folder = write_walks(tmp_path)
    run = folder.start(*RUN, "--address", address, keep=("RAY_AUTH_MODE",))
    wait_until(lambda: run.poll() is not None or under_way(folder))
    cluster.stdin.write("\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "removed\n"
    folder.slow.unlink()
    said = end(run)
    assert run.returncode == 0, said
    assert folder.table.read_bytes() == undisturbed
    found = read_events(Place(folder.results / "attempts"))
    started = [each for each in found if isinstance(each, Started)]
    assert len(started) > 4, "no trial was lost with the node"


def test_a_ray_that_dies_in_its_first_second_is_started_again(tmp_path: Path) -> None:
    folder = write_walks(tmp_path)
    run = folder.start(*RUN)
    driver = driver_of(run.pid)
    wait_until(lambda: any(each.name() == "raylet" for each in session(driver)))
    all_of_it = session(driver)
    named(all_of_it, "raylet").kill()
    folder.slow.unlink()
    said = end(run)
    assert "raylet, process" in said
    assert running(all_of_it) == []
    if "starting Ray again, 1 of at most 2" in said:
        assert run.returncode == 0
        assert "all 4 trials have a result" in said
    else:  # this test was too slow: Ray had started
        assert run.returncode == 1
        assert "resume with" in said
