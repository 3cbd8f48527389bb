"""The page on adding a task, followed as it stands: in a folder, then in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/add-a-task.md").read_text()
COPIED = [
    "rnnlab",
    "sweeps",
    "cluster",
    "codehash",
    "tests",
    "conftest.py",
    "pyproject.toml",
]

ENGINES_AGREE = """
import pytest
from agreement import EXACT, assert_agree, batch_of
from parity import Parity
from rnnlab import Trial
from rnnlab.engines import ENGINES, choose
from rnnlab.train import fresh, train
from sweeps.cli import call


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("length_max", [None, 40])
def test_gradients_agree_once_something_is_learnt(name, length_max):
    task = Parity(length=20, length_max=length_max)
    one = Trial(task=task, lr=0.1, omega_weight=2.0)
    state = choose(name).advance(one, fresh(one), 200)
    assert (state.update, state.diverged) == (200, False)
    for update in (200, 201):
        data = batch_of(one, update)
        found = choose(name).gradients(one, state.parameters, data)
        assert_agree(found, EXACT.gradients(one, state.parameters, data))


def test_short_sequences_are_learnt():
    one = Trial(task=Parity(length=5), lr=0.1)
    assert train(one, budget=20_000, engine=choose()).outcome == "solved"


def test_the_experiment_is_planned_and_run():
    assert call(["plan", "./mine.py"]) == 0
    part = ["--where", "seed == 0 and omega_weight == 0.0", "--budget", "2000"]
    assert call(["run", "./mine.py", *part, "--in-process"]) == 0
"""


def copy_of_the_project(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            shutil.copy(source, folder / name)


def follow(folder: Path, *words: str, importable: tuple[Path, ...]) -> str:
    """Run pytest in a folder; return what it printed.

    The engine of this checkout is compiled already, and is used from the usual cache.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-v", "-rP"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, importable)),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


TASK, EXPERIMENT, TEST, LINE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.slow
def test_the_page_on_adding_a_task_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "parity.py").write_text(TASK)
    (tmp_path / "mine.py").write_text(EXPERIMENT)
    (tmp_path / "test_parity.py").write_text(TEST)
    (tmp_path / "test_added.py").write_text(ENGINES_AGREE)
    (typed,) = re.findall(r"^\$ python -m pytest (.*)$", PAGE, flags=re.MULTILINE)
    support = ROOT / "tests/support"
    words = (*typed.split(), "test_added.py", "-c", "/dev/null", "--rootdir", ".")
    printed = follow(tmp_path, *words, importable=(ROOT, support))
    for found in (
        "parity.py::parity.Parity",
        "test_parity.py::test_the_class_of_a_step",
        "test_added.py::test_gradients_agree_once_something_is_learnt[40-fused_cpu]",
        "test_added.py::test_gradients_agree_once_something_is_learnt[None-plain]",
    ):
        assert re.search(rf"{re.escape(found)}.* PASSED", printed), found
    (planned,) = re.findall(r"\$ sweep plan \./mine\.py\n(.*?)\n\$", PAGE, flags=re.DOTALL)
    assert planned in printed
    assert (tmp_path / "results/ones/table.parquet").exists()


@pytest.mark.slow
def test_the_task_can_be_made_part_of_the_package(tmp_path: Path) -> None:
    copy_of_the_project(tmp_path)
    (tmp_path / "rnnlab/tasks/parity.py").write_text(TASK)
    names = tmp_path / "rnnlab/tasks/__init__.py"
    names.write_text(names.read_text().replace("\nTASKS", f"{LINE}\nTASKS", 1))
    words = ("rnnlab/tasks/parity.py", "tests/contract/test_tasks.py", "-k", "arity")
    printed = follow(tmp_path, *words, importable=(tmp_path,))
    for found in (
        "rnnlab/tasks/parity.py::rnnlab.tasks.parity.Parity",
        "test_tasks.py::test_a_compiled_batch_equals_plain_python[Parity]",
    ):
        assert re.search(rf"{re.escape(found)}.* PASSED", printed), found
