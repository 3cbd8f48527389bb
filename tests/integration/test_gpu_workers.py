"""Workers on a GPU that is pretended: asked for, refused, started by Ray, stopped, killed."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import device
import pytest
from commands import Folder, driver_of, wait_until, write_experiment
from pretended import pretend_gpus

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import read_events
from sweeps.store.events import Printed

H100 = "NVIDIA H100 80GB HBM3"
EXPERIMENT = '''"""Where do walkers end?"""

from device import Walker
from sweeps import Sweep

sweep = Sweep(
    name="small",
    budget=200,
    quick_budget=20,
    trials=[Walker(seed=seed, length=1 + seed % 2) for seed in range(4)],
)
'''
ON_GPU = ("run", "small.py", "--engine", "gpu", "--no-dashboard")


def walkers(path: Path) -> Folder:
    """A folder with an experiment of four walkers."""
    path.mkdir()
    shutil.copy(device.__file__, path / "device.py")
    (path / "small.py").write_text(EXPERIMENT)
    return Folder(path)


@pytest.fixture(scope="module")
def on_a_core(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table that one core gives, one trial after another."""
    folder = walkers(tmp_path_factory.mktemp("core") / "walkers")
    done = folder.sweep("run", "small.py", "--engine", "core", "--in-process")
    assert done.returncode == 0, done.stderr
    return folder.table.read_bytes()


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_gpus(monkeypatch, tmp_path, [H100])


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def refused(done: "subprocess.CompletedProcess[str]", folder: Folder) -> str:
    """Return the one line that was said before anything was started."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert not (folder.path / "results").exists()
    return line


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = walkers(tmp_path / "walkers")
    said = refused(folder.sweep(*ON_GPU), folder)
    assert "The run needs 1 GPU, but this machine has none" in said
    said = refused(folder.sweep("run", "small.py", "--gpus", "1"), folder)
    assert "--gpus 1 has no effect: the engine core computes on cpu" in said


def test_a_device_that_pytorch_lacks_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = write_experiment(tmp_path / "networks")
    words = ("run", "small.py", "--engine", "plain", "--device", "hpu", "--in-process")
    assert "cannot compute on 'hpu' here" in refused(folder.sweep(*words), folder)


@pytest.mark.usefixtures("one_gpu")
def test_a_second_gpu_is_refused_naming_the_first(tmp_path: Path) -> None:
    folder = walkers(tmp_path / "walkers")
    said = refused(folder.sweep(*ON_GPU, "--gpus", "2"), folder)
    assert f"needs 2 GPUs, but this machine has 1 ({H100})" in said


@pytest.mark.usefixtures("one_gpu")
def test_a_card_that_is_not_used_is_named_by_plan_and_run(tmp_path: Path) -> None:
    folder = walkers(tmp_path / "walkers")
    for words in (("plan", "small.py"), ("run", "small.py", "--in-process")):
        done = folder.sweep(*words)
        assert done.returncode == 0, done.stderr
        assert (
            f"not used: 1 GPU ({H100}). With --engine gpu the" in done.stdout + done.stderr
        )


@pytest.mark.usefixtures("no_gpu")
def test_without_a_card_no_word_is_said_of_one(tmp_path: Path) -> None:
    folder = walkers(tmp_path / "walkers")
    for words in (("plan", "small.py"), ("run", "small.py", "--in-process")):
        done = folder.sweep(*words)
        assert done.returncode == 0, done.stderr
        assert "gpu" not in (done.stdout + done.stderr).lower()


@pytest.mark.usefixtures("one_gpu")
def test_in_one_process_four_at_once_give_the_table_of_one_after_another(
    tmp_path: Path, on_a_core: bytes
) -> None:
    folder = walkers(tmp_path / "walkers")
    done = folder.sweep(*ON_GPU, "--in-process")
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == on_a_core


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("one_gpu")
def test_under_ray_stopped_and_killed_and_resumed_a_gpu_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_core: bytes
) -> None:
    folder, slow = walkers(tmp_path / "walkers"), tmp_path / "slow"
    monkeypatch.setenv("SLOW_WALKS", str(slow))
    slow.write_text("0.02")  # seconds an update of each trial: some 16 s for all
    checkpoints, progress = folder.results / "checkpoints", folder.results / "progress.json"

    def under_way() -> bool:
        assert run.poll() is None
        return progress.exists() and '"together": 4' in progress.read_text()

    run = folder.start(*ON_GPU)
    wait_until(under_way)
    os.kill(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 130, said
    assert "Nothing is lost" in said
    assert len(list(checkpoints.glob("*.npz"))) == 4
    assert not folder.table.exists() or folder.table.read_bytes() != on_a_core

    run = folder.start(*ON_GPU)
    wait_until(under_way)
    os.kill(driver_of(run.pid), signal.SIGKILL)
    run.communicate(timeout=120)
    slow.unlink()

    done = folder.sweep(*ON_GPU)
    assert done.returncode == 0, done.stderr
    assert folder.table.read_bytes() == on_a_core
    found = read_events(Place(folder.results / "attempts"))
    printed = {each.text.strip() for each in found if isinstance(each, Printed)}
    assert printed == {"GPU 0"}  # Ray has given the worker its card
