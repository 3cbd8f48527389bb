"""A sweep as a user runs it: the same table whatever happens on the way.

Ray trains what shows that it is stopped and killed without loss, and in test_join.py that it
gives the same table; what else a run does is tested without it, in a tenth of the time.
"""

import json
import os
import shlex
import signal
from collections import Counter
from pathlib import Path

import pytest
from commands import Folder, driver_of, wait_until, write_experiment

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import failed_trials, read_events
from sweeps.store.events import Finished, Started
from sweeps.store.store import Store


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run that nothing disturbs: slow trials in packs of one, that take turns."""
    folder = slow_experiment(tmp_path_factory.mktemp("undisturbed"))
    done = folder.sweep("run", "small.py", "--cpus", "2", "--in-process")
    assert done.returncode == 0, done.stderr
    return folder


def slow_experiment(path: Path) -> Folder:
    """Six trials of a second each that nothing solves, and three that diverge."""
    return write_experiment(path, budget=3000, seeds=3, rates=(1e-4, 2e-4, 1e38), slow=True)


def executions(folder: Folder, kind: type[Started | Finished]) -> Counter[str]:
    found = read_events(Place(folder.results / "attempts"))
    return Counter(each.trial_id for each in found if isinstance(each, kind))


def committed(folder: Folder) -> int:
    return len(list((folder.results / "parts").glob("*.parquet")))


def test_a_run_gives_every_trial_a_result_and_a_second_trains_nothing(
    undisturbed: Folder,
) -> None:
    status = json.loads(undisturbed.sweep("status", "small.py", "--json").stdout)
    assert (status["trials"], status["unsolved"], status["diverged"]) == (9, 6, 3)
    assert status["failed"] == status["running"] == status["waiting"] == 0
    before = undisturbed.table.read_bytes()
    again = undisturbed.sweep("run", "small.py")
    assert again.returncode == 0
    assert "9 trials, 9 done, 0 to run" in again.stderr
    assert "nothing to train" in again.stderr
    assert undisturbed.table.read_bytes() == before
    assert set(executions(undisturbed, Started).values()) == {1}


def test_a_run_and_its_status_tell_how_much_of_the_cores_the_engine_had(
    undisturbed: Folder,
) -> None:
    status = json.loads(undisturbed.sweep("status", "small.py", "--json").stdout)
    used = status["used"]
    assert 0 < status["efficiency"] < 1
    assert status["efficiency"] == (used["update_s"] + used["check_s"]) / used["worker_s"]
    assert 0 < status["check_share"] < 0.5
    used = f"training used {100 * status['efficiency']:.1f} % of core time"
    assert used in undisturbed.sweep("status", "small.py").stdout
    assert used in undisturbed.sweep("run", "small.py").stderr


def test_packs_change_no_byte_of_the_table(undisturbed: Folder, tmp_path: Path) -> None:
    folder = slow_experiment(tmp_path)
    done = folder.sweep("run", "small.py", "--cpus", "1", "--pack", "4", "--in-process")
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == undisturbed.table.read_bytes()


@pytest.mark.parametrize(
    ("asked_by", "how"),
    [
        pytest.param(signal.SIGINT, "--no-dashboard", marks=pytest.mark.ray),
        (signal.SIGTERM, "--in-process"),
    ],
)
def test_ctrl_c_stops_cleanly_says_how_to_resume_and_loses_nothing(
    undisturbed: Folder, tmp_path: Path, asked_by: signal.Signals, how: str
) -> None:
    folder = slow_experiment(tmp_path)
    words = ("run", "small.py", "--cpus", "2", how, "--pack", "1", "--max-restarts", "1")
    run = folder.start(*words)
    wait_until(lambda: committed(folder) >= 2)
    run.send_signal(asked_by)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "resume with\n  sweep run small.py --cpus 2" in said
    assert "again, 1 of" not in said
    assert "Traceback" not in said
    kept = list((folder.results / "checkpoints").glob("*.npz"))
    assert kept
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == undisturbed.table.read_bytes()
    assert set(executions(folder, Finished).values()) == {1}


@pytest.mark.parametrize(
    ("victim", "how"),
    [
        pytest.param("driver", "--no-dashboard", marks=pytest.mark.ray),
        ("driver", "--in-process"),
        ("sweep run", "--in-process"),
    ],
)
def test_kill_9_in_the_middle_repeats_no_finished_trial(
    undisturbed: Folder, tmp_path: Path, victim: str, how: str
) -> None:
    folder = slow_experiment(tmp_path)
    run = folder.start("run", "small.py", "--cpus", "2", how, "--pack", "1")
    wait_until(lambda: committed(folder) >= 3)
    driver = driver_of(run.pid)
    os.kill(driver if victim == "driver" else run.pid, signal.SIGKILL)
    said, _ = run.communicate(timeout=300)
    if victim == "driver":
        assert run.returncode == 1
        assert "sweep run small.py" in said.splitlines()[-1]
    wait_until(lambda: not Path(f"/proc/{driver}").exists())
    finished = {path.name for path in (folder.results / "parts").glob("*.parquet")}
    started = executions(folder, Started)
    committed_before = set(Store(Place(folder.results)).standings())
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == undisturbed.table.read_bytes()
    assert len(finished) >= 3
    again = executions(folder, Started) - started
    assert len(committed_before) >= 3
    assert not committed_before & set(again)


def test_extending_a_budget_equals_having_asked_for_it_at_once(
    undisturbed: Folder, tmp_path: Path
) -> None:
    folder = slow_experiment(tmp_path)
    first = folder.sweep("run", "small.py", "--budget", "1000", "--in-process")
    assert first.returncode == 0, first.stderr
    second = folder.sweep("run", "small.py", "--in-process")
    assert second.returncode == 0, second.stderr
    assert "9 trials, 3 done, 6 to run to 3,000 updates" in second.stderr
    assert folder.table.read_bytes() == undisturbed.table.read_bytes()


def test_a_trial_that_crashes_is_listed_and_tried_again(tmp_path: Path) -> None:
    folder = write_experiment(tmp_path, budget=400, rates=(1e-4,))
    plan = json.loads(folder.sweep("plan", "small.py", "--json").stdout)
    victim = plan["to_run_ids"][0]
    in_the_way = folder.results / "checkpoints" / f"{victim}.npz"
    in_the_way.mkdir(parents=True)
    done = folder.sweep("run", "small.py", "--in-process")
    assert done.returncode == 1
    assert f"trial {victim[:12]} failed: IsADirectoryError" in done.stderr
    assert str(Path("results/small/attempts")) in done.stderr
    status = json.loads(folder.sweep("status", "small.py", "--json").stdout)
    assert (status["failed"], status["unsolved"]) == (1, 1)
    assert (
        "Traceback"
        in failed_trials(Place(folder.results / "attempts"))[victim].last.traceback
    )
    in_the_way.rmdir()
    again = folder.sweep("run", "small.py", "--in-process")
    assert again.returncode == 0, again.stderr
    assert executions(folder, Started)[victim] == 2
    shown = json.loads(folder.sweep("show", victim[:8], "--json").stdout)
    assert [each["event"] for each in shown["results"][0]["attempts"]] == [
        "started",
        "failed",
        "started",
        "finished",
    ]
    assert shown["command"].startswith("sweep run ")
    alone = folder.sweep(*shlex.split(shown["command"])[1:])
    assert alone.returncode == 0
    assert "1 trials, 1 done, 0 to run" in alone.stderr
