"""A user's code travels with the work: a process that never saw it can train her trials."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small import RECURRENT

from sweeps.errors import ExperimentError
from sweeps.spec.experiment_file import load_experiment
from sweeps.spec.user_code import UserCode

MINE = '''"""Does it work?"""

from dataclasses import dataclass

from own_models.nets import WIDTH
from own_steps import step
from sweeps.spec.sweep import Sweep


@dataclass(frozen=True)
class Mine:
    seed: int = 0
    check_every: int = 10

    def start(self, device):
        return {"x": 1.0 * WIDTH}

    def advance(self, state, updates):
        return {"x": step(state["x"])}

    def check(self, state):
        return {"x": state["x"]}


sweep = Sweep(name="mine", trials=[Mine(seed) for seed in range(3)], budget=20)
'''
FILES = {
    "mine.py": MINE,
    "own_steps.py": "def step(x):\n    return x * 0.5\n",
    "own_models/__init__.py": "",
    "own_models/nets.py": "from own_models.deep.sizes import WIDTH\n",
    "own_models/deep/__init__.py": "",
    "own_models/deep/sizes.py": "WIDTH = 3\n",
    "unused.py": "raise RuntimeError\n",
}
WORKER = """
import pickle, sys
code, trials = pickle.loads(open(sys.argv[1], "rb").read())
experiment = code.install()
trials = pickle.loads(trials)
from sweeps.spec.trial_type import TrialType
trainer = TrialType.of(trials[0]).described.trainer(None, "cpu")
state = trainer.start(trials[0])
state, *_ = trainer.advance(trials[0], state, 0, 10)
assert type(trials[0]) is type(experiment.sweep.trials[0])
print(experiment.path)
print(trainer.numerics_id(trials[0]), trainer.check(trials[0], state, 10))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An experiment with modules and packages beside it."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def code_of(folder: Path) -> UserCode:
    found = UserCode.of(load_experiment(str(folder / "mine.py")))
    assert found is not None
    return found


def in_a_fresh_process(folder: Path, temporary: Path, *, gone: bool = False) -> list[str]:
    """Send code and trials to another process; return what it prints."""
    experiment = load_experiment(str(folder / "mine.py"))
    trials, parcel = pickle.dumps(experiment.sweep.trials), folder.parent / "parcel"
    parcel.write_bytes(pickle.dumps((UserCode.of(experiment), trials)))
    if gone:
        shutil.rmtree(folder)
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-P", "-c", WORKER, str(parcel)],
        cwd=temporary,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(root())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def root() -> Path:
    return Path(__file__).parents[4]


def test_the_modules_and_packages_beside_that_are_imported_come_along(folder: Path) -> None:
    found = code_of(folder)
    assert set(found.files) == set(FILES) - {"unused.py"}
    assert found.files["mine.py"] == MINE.encode()
    assert pickle.loads(pickle.dumps(found)) == found


def test_an_experiment_of_the_package_needs_no_code() -> None:
    assert UserCode.of(load_experiment("figure7")) is None
    assert RECURRENT.kind.__module__ == "rnnlab.spec"


def test_where_the_folder_is_gone_a_copy_is_imported(folder: Path, tmp_path: Path) -> None:
    here = in_a_fresh_process(folder, tmp_path / "there")
    assert here[0] == str(folder / "mine.py")
    there = in_a_fresh_process(folder, tmp_path / "there", gone=True)
    assert Path(there[0]).is_relative_to(tmp_path / "there")
    assert there[1] == here[1]
    assert there[1].endswith("{'x': 1.5}")


def test_the_users_own_folder_is_used_where_its_code_is_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    found = code_of(folder)
    assert found.install().path == folder / "mine.py"
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("name", ["mine.py", "own_models/deep/sizes.py"])
def test_where_its_code_has_changed_since_a_copy_is_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    found = code_of(folder)
    with (folder / name).open("a") as file:
        file.write("\n# changed\n")
    copied = found.install().path
    assert copied.parent.parent == tmp_path / "there"
    for each in found.files:
        assert (copied.parent / each).read_bytes() == found.files[each]
    assert copied.parent.stat().st_mode & 0o077 == 0
    assert found.install().path == copied


def test_a_folder_that_another_user_may_have_made_is_not_imported_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    found = code_of(folder)
    shutil.rmtree(folder)
    copied = found.install().path.parent
    copied.rename(tmp_path / "elsewhere")
    copied.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExperimentError, match=r"belongs to another user.* set TMPDIR"):
        found.install()


def test_other_code_of_the_same_name_has_another_copy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    first = code_of(folder)
    (folder / "mine.py").write_text(MINE.replace("range(3)", "range(4)"))
    second = code_of(folder)
    shutil.rmtree(folder)
    paths = {first.install().path, second.install().path}
    assert len(paths) == 2
    assert len(second.install().sweep.trials) == 4
