"""Two engines share a run: a pretended GPU takes many trials at once, cores take the others."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import device
import pandas as pd
import pytest
from commands import Folder, wait_until
from pretended import pretend_gpus

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import engines_of, read_events
from sweeps.store.events import Started

H100 = "NVIDIA H100 80GB HBM3"
EXPERIMENT = '''"""Where do walkers end whose numbers depend on the engine?"""

from dataclasses import dataclass

from device import Walker, Walkers, WalkTrainer
from sweeps import Sweep


class ApartTrainer(WalkTrainer):
    @property
    def engine(self):
        return "core" if self.slots == 1 else "gpu"

    def numerics_id(self, trial):
        return "walk on " + self.engine

    def start(self, trial):
        state = super().start(trial)
        return {**state, "x": state["x"] + self.slots}


class Apart(Walkers):
    def trainer(self, engine, device):
        return ApartTrainer(1 if engine == "core" else 4, device)


@dataclass(frozen=True, kw_only=True)
class Runner(Walker):
    @staticmethod
    def describe_trials():
        return Apart()


sweep = Sweep(
    name="small",
    budget=200,
    quick_budget=20,
    trials=[Runner(seed=seed, length=1 + seed % 4) for seed in range(12)],
)
'''
BOTH = ("run", "small.py", "--engine", "core,gpu", "--cpus", "2")


@pytest.fixture(autouse=True)
def _one_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_gpus(monkeypatch, tmp_path, [H100])


def runners(path: Path) -> Folder:
    """A folder with an experiment of twelve runners."""
    path.mkdir()
    shutil.copy(device.__file__, path / "device.py")
    (path / "small.py").write_text(EXPERIMENT)
    return Folder(path)


def trained(folder: Folder, *words: str) -> str:
    """Type a command that is to succeed, and return what it said."""
    done = folder.sweep(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def engines(folder: Folder) -> dict[str, str]:
    """The engine of each trial, as the table tells."""
    table = pd.read_parquet(folder.table)
    return dict(zip(table["trial_id"], table["engine"], strict=True))


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """The results of a run that nothing interrupts."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        pretend_gpus(patch, folder, [H100])
        whole = runners(folder / "runners")
        trained(whole, *BOTH, "--in-process")
        yield whole


def test_each_engine_trains_its_part_and_a_row_says_which(in_one_process: Folder) -> None:
    table = pd.read_parquet(in_one_process.table)
    assert set(table["engine"]) == {"core", "gpu"}
    assert list(table["numerics_id"]) == [f"walk on {each}" for each in table["engine"]]
    on_gpu = table["engine"] == "gpu"
    assert table["length"][on_gpu].min() >= table["length"][~on_gpu].max()


def test_verify_trains_each_row_again_with_its_engine(in_one_process: Folder) -> None:
    said = trained(in_one_process, "verify", "small.py", "--sample", "12")
    assert "12 equal, 0 different, 0 not comparable" in said


def test_what_one_engine_started_it_continues_whatever_there_is_now(tmp_path: Path) -> None:
    folder = runners(tmp_path / "runners")
    trained(folder, *BOTH, "--in-process", "--budget", "100")
    first = engines(folder)
    more_cores = [*BOTH[:-1], "9", "--in-process"]
    said = trained(folder, *more_cores)
    assert engines(folder) == first
    assert "restarted from update 0" not in said
    assert "numerics have changed" not in said
    counts = [list(first.values()).count(each) for each in ("gpu", "core")]
    assert f"gpu trains {counts[0]} trials on 1 GPU, core trains {counts[1]} trials" in said


def test_a_trial_that_a_core_started_alone_is_not_taken_by_the_gpu(tmp_path: Path) -> None:
    folder = runners(tmp_path / "runners")
    longest = ("--where", "length == 4")
    trained(
        folder,
        "run",
        "small.py",
        "--engine",
        "core",
        "--in-process",
        "--budget",
        "100",
        *longest,
    )
    trained(folder, *BOTH, "--in-process")
    table = pd.read_parquet(folder.table)
    assert set(table["engine"][table["length"] == 4]) == {"core"}
    assert "gpu" in set(table["engine"])


def test_plan_and_run_say_the_division_and_the_hours(tmp_path: Path) -> None:
    folder = runners(tmp_path / "runners")
    words = ("plan", "small.py", "--engine", "gpu,core", "--cpus", "2", "--pilot")
    said = trained(folder, *words)
    assert re.search(
        r"on 1 GPU and 2 cores, \S+ GPU-hours and \S+ core-hours \(from a pil", said
    )
    assert re.search(
        r"gpu trains \d trials on 1 GPU, core trains \d trials on 1 core;", said
    )
    facts = trained(folder, *words, "--json")
    assert '"gpu_hours": ' in facts
    assert re.search(r'"engines": \{\s+"gpu": \d,\s+"core": \d', facts)


@pytest.mark.ray
@pytest.mark.slow
def test_under_ray_both_train_from_one_queue_and_a_stop_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_process: Folder
) -> None:
    folder, slow = runners(tmp_path / "runners"), tmp_path / "slow"
    monkeypatch.setenv("SLOW_WALKS", str(slow))
    slow.write_text("0.02")
    attempts = Place(folder.results / "attempts")

    def both_under_way() -> bool:
        assert run.poll() is None
        return set(engines_of(read_events(attempts)).values()) == {"core", "gpu"}

    words = (*BOTH, "--no-dashboard", "--accelerator-type", "H100")
    run = folder.start(*words)
    wait_until(both_under_way)
    run.send_signal(2)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 130, said
    slow.unlink()

    trained(folder, *words)
    assert folder.table.read_bytes() == in_one_process.table.read_bytes()
    by_engine: dict[str, set[int]] = {"core": set(), "gpu": set()}
    for event in read_events(attempts):
        if isinstance(event, Started) and event.engine:
            by_engine[event.engine].add(event.pid)
    assert not by_engine["core"] & by_engine["gpu"]  # workers of their own


HEAD = """
import logging, ray
context = ray.init(address="local", num_cpus=3, num_gpus=1, include_dashboard=False,
                   resources={"accelerator_type:H100": 1}, log_to_driver=False,
                   logging_level=logging.ERROR)
print(context.address_info["gcs_address"], flush=True)
input()
"""


@pytest.mark.ray
@pytest.mark.slow
def test_both_engines_train_on_a_ray_that_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = runners(tmp_path / "runners")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as head:
        assert head.stdout is not None
        there = ("--address", head.stdout.readline().strip(), "--gpus", "1")
        refused = folder.sweep(
            *BOTH, *there, "--accelerator-type", "L4", keep=("RAY_AUTH_MODE",)
        )
        done = folder.sweep(
            *BOTH, *there, "--accelerator-type", "H100", keep=("RAY_AUTH_MODE",)
        )
        head.communicate("\n")
    assert refused.returncode == 2
    assert "A worker needs a GPU of type L4, but Ray has H100 here" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert set(engines(folder).values()) == {"core", "gpu"}
