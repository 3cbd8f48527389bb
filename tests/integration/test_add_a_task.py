"""The page on adding a task, followed as it stands in a copy of the project."""

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
from pathlib import Path

import pytest
import rnnlab
from agreement import EXACT, assert_agree, batch_of
from rnnlab import Trial
from rnnlab.engines import ENGINES, choose
from rnnlab.tasks import TASKS, Parity
from rnnlab.train import fresh, train
from sweeps.cli import call


def test_the_task_is_added_to_the_copy():
    assert Path(rnnlab.__file__).parent == Path(__file__).parent / "rnnlab"
    assert Parity in TASKS


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


def test_the_experiment_is_planned():
    assert call(["plan", "./mine.py"]) == 0
"""


def copy_of_the_project(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            shutil.copy(source, folder / name)


@pytest.mark.slow
def test_the_page_on_adding_a_task_can_be_followed(tmp_path: Path) -> None:
    copy_of_the_project(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    task, line, experiment, test = blocks
    (tmp_path / "rnnlab/tasks/parity.py").write_text(task)
    names = tmp_path / "rnnlab/tasks/__init__.py"
    names.write_text(names.read_text().replace("\nTASKS", f"{line}\nTASKS", 1))
    (tmp_path / "mine.py").write_text(experiment)
    (tmp_path / "tests/unit/rnnlab/tasks/test_parity.py").write_text(test)
    (tmp_path / "test_added.py").write_text(ENGINES_AGREE)
    (typed,) = re.findall(r"^\$ python -m (pytest .*)$", PAGE, flags=re.MULTILINE)
    words = [*typed.split(), "test_added.py", "-k", "parity or added", "-v", "-rP"]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "RNNLAB_CACHE": str(tmp_path / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for found in (
        "rnnlab/tasks/parity.py::rnnlab.tasks.parity.Parity",
        "test_parity.py::test_the_class_of_a_step",
        "test_tasks.py::test_a_compiled_batch_equals_plain_python[Parity]",
        "test_added.py::test_gradients_agree_once_something_is_learnt[40-fused_cpu]",
        "test_added.py::test_gradients_agree_once_something_is_learnt[None-plain]",
    ):
        assert re.search(rf"{re.escape(found)}.* PASSED", done.stdout), found
    (planned,) = re.findall(r"\$ sweep plan \./mine\.py\n(.*?)\n\$", PAGE, flags=re.DOTALL)
    assert planned in done.stdout
