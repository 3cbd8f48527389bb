"""A task from a user's file: trained by both engines, and never with stale code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASK = '''
"""Is the number of ones so far odd?"""

from dataclasses import dataclass

from helper import bit

from rnnlab import Task, rng


def draw_example(seed, purpose, index, example, steps, settings, inputs, targets):
    ones = 0
    for step in range(steps):
        word, _, _, _ = rng_words(seed, purpose, index, example, step)
        one = bit(word)
        inputs[0][step] = one
        ones += one
        targets[step] = ones & 1


rng_words = rng.words


@dataclass(frozen=True, kw_only=True)
class Parity(Task):
    cost = "class_at_each_step"
    draw_example = staticmethod(draw_example)

    @property
    def inputs(self):
        return 2

    @property
    def outputs(self):
        return 2
'''
HELPER = """
SHIFT = 3


def bit(word):
    return (word >> SHIFT) & 1
"""
TRAIN = """
import json
import pickle
from parity import Parity
from rnnlab import Trial
from rnnlab.engines import ENGINES, choose
from rnnlab.train import train

one = Trial(task=Parity(length=12), hidden=8, batch=4, check_every=5, lr=0.1)
assert pickle.loads(pickle.dumps(one)) == one
found = {"trial_id": one.trial_id}
for name in ENGINES:
    result = train(one, budget=10, engine=choose(name))
    found[name] = [result.numerics_id, result.updates, *(each.loss for each in result.checks)]
    found[f"{name} on others"] = choose(name).numerics_id(Trial())
print(json.dumps(found))
"""


def trained(folder: Path, *command: str) -> dict[str, Any]:
    """Train in a process of its own."""
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, *(command or ("-c", TRAIN))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), root])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parity.py").write_text(TASK)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


@pytest.mark.slow
def test_a_task_from_a_users_file_is_trained_and_an_edit_of_its_helper_is_noticed(
    folder: Path,
) -> None:
    first, again = trained(folder), trained(folder)
    assert first == again
    (folder / "helper.py").write_text(HELPER.replace("SHIFT = 3", "SHIFT = 5"))
    other = trained(folder)
    assert other["trial_id"] == first["trial_id"]
    for engine in ("plain", "fused_cpu"):
        numerics_id, updates, *losses = first[engine]
        assert updates == 10
        assert other[engine][0] != numerics_id
        assert all(a != b for a, b in zip(losses, other[engine][2:], strict=True))
        assert other[f"{engine} on others"] == first[f"{engine} on others"]


@pytest.mark.slow
def test_a_task_has_one_id_as_a_script_and_imported_and_wherever_it_lies(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = trained(folder)
    (folder / "parity.py").write_text(TASK)
    script = TRAIN.replace("from parity import Parity\n", "")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("parity.py", "helper.py"):
        (elsewhere / name).write_text((folder / name).read_text())
    assert trained(elsewhere)["plain"] == first["plain"]
    guarded = "".join(f"    {line}\n" for line in script.splitlines())
    both = f"{TASK}\n\nif __name__ == '__main__':\n{guarded}"
    (elsewhere / "parity.py").write_text(both)
    as_script = trained(elsewhere, "parity.py")
    assert as_script["plain"] == trained(elsewhere)["plain"]
    assert as_script["fused_cpu"] == trained(elsewhere)["fused_cpu"]
