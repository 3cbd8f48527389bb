"""A numerics id changes with what decides the numbers of its engine on its task, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codehash import code_hash
from rnnlab import Trial, numerics
from rnnlab.engines import ENGINES, choose
from rnnlab.engines.fused_cpu import FusedCpu
from rnnlab.engines.fused_gpu import FusedGpu
from rnnlab.engines.plain import Plain
from rnnlab.numerics import NEUTRAL, ROOT, file_of, sources
from rnnlab.tasks import TASKS, Addition, Task

SHARED = {
    "rnnlab.bounds",
    "rnnlab.compiled",
    "rnnlab.data",
    "rnnlab.diagnostics",
    "rnnlab.engines.engine",
    "rnnlab.init",
    "rnnlab.result",
    "rnnlab.rng",
    "rnnlab.spec",
    "rnnlab.state",
    "rnnlab.tasks.task",
    "rnnlab.tasks.temporal_order",  # the default of `Trial.task`
    "rnnlab.threshold",
    "rnnlab.train",
}
CLASSES: dict[str, type] = {
    "plain": Plain,
    "fused_cpu": FusedCpu,
    "fused_gpu": FusedGpu,
}
OF_AN_ENGINE = {
    "plain": {"rnnlab.clip", "rnnlab.costs", "rnnlab.engines.plain", "rnnlab.omega"},
    "fused_cpu": {
        "rnnlab.engines.fused_cpu.batches",
        "rnnlab.engines.fused_cpu.costs",
        "rnnlab.engines.fused_cpu.engine",
        "rnnlab.engines.fused_cpu.inputs",
        "rnnlab.engines.fused_cpu.kernel",
        "rnnlab.engines.fused_cpu.microkernel",
        "rnnlab.engines.fused_cpu.network",
        "rnnlab.engines.fused_cpu.operations",
        "rnnlab.engines.fused_cpu.parameters",
        "rnnlab.engines.fused_cpu.products",
        "rnnlab.engines.fused_cpu.steps",
        "rnnlab.engines.fused_cpu.units",
    },
    "fused_gpu": {
        "rnnlab.engines.fused_gpu.block",
        "rnnlab.engines.fused_gpu.card",
        "rnnlab.engines.fused_gpu.engine",
        "rnnlab.engines.fused_gpu.inputs",
        "rnnlab.engines.fused_gpu.intrinsics",
        "rnnlab.engines.fused_gpu.kernel",
        "rnnlab.engines.fused_gpu.layout",
        "rnnlab.engines.fused_gpu.omega",
        "rnnlab.engines.fused_gpu.outputs",
        "rnnlab.engines.fused_gpu.recurrence",
        "rnnlab.engines.fused_gpu.rooms",
        "rnnlab.engines.fused_gpu.simulator",
        "rnnlab.engines.fused_gpu.tiles",
    },
}
OF_A_TASK = {
    "Addition": {"addition"},
    "Memorisation": {"memorisation"},
    "Multiplication": {"addition", "multiplication"},
    "RandomPermutation": {"random_permutation"},
    "TemporalOrder": set[str](),
    "ThreeBitOrder": {"three_bit_order"},
}
PACKAGES = {
    "rnnlab",
    "rnnlab.tasks",
    "rnnlab.engines.fused_cpu",
    "rnnlab.engines.fused_gpu",
}
"""Files that only import names for others."""
TOOLS = {"rnnlab.engines.fused_gpu.machine_code"}
"""Files that only developers run: no engine imports them."""

PRINT_IDS = """
import json
from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.tasks import TASKS
import rnnlab.numerics
from rnnlab.engines import ENGINES
from rnnlab.engines.fused_cpu.engine import FusedCpu
FusedCpu.__init__ = lambda self: None  # the kernel need not be compiled for its name
print(json.dumps({
    f"{name} {task.__name__}": choose(name).numerics_id(Trial(task=task()))
    for name in ENGINES
    for task in TASKS
} | {"file": rnnlab.__file__}))
"""


def closure_of(engine: str, task: type[Task]) -> set[str]:
    files = [file_of(CLASSES[engine]), file_of(task), ROOT / "train.py"]
    return set(sources([file for file in files if file]))


@pytest.mark.parametrize("engine", OF_AN_ENGINE)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_the_sources_that_decide_numbers_are_these(engine: str, task: type[Task]) -> None:
    own = {f"rnnlab.tasks.{name}" for name in OF_A_TASK[task.__name__]}
    assert closure_of(engine, task) == SHARED | OF_AN_ENGINE[engine] | own


def test_every_source_either_decides_numbers_or_is_known_not_to() -> None:
    """A new module is seen here: it decides numbers of something, or is `NEUTRAL`."""
    paths = {path.relative_to(ROOT.parent) for path in ROOT.rglob("*.py")}
    names = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths
    }
    decides = {
        name
        for engine in OF_AN_ENGINE
        for task in TASKS
        for name in closure_of(engine, task)
    }
    assert decides.isdisjoint(NEUTRAL)
    assert names - decides - set(NEUTRAL) == PACKAGES | TOOLS


class Copy:
    """A copy of the package that may be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rnnlab", "codehash"):
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT.parent / name, folder / name, ignore=unwanted)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that is in a file of `rnnlab` once."""
        path = self.folder / "rnnlab" / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def ids(self) -> dict[str, str]:
        """Return the ids of all engines and tasks, as a process that runs the copy has them."""
        found = run(PRINT_IDS, self.folder)
        assert Path(found.pop("file")).is_relative_to(self.folder)
        return found

    def hashes(self) -> dict[str, str]:
        """Return the hashes of their sources: quicker, and all of the ids that an edit changes."""
        root = self.folder / "rnnlab"
        files = {
            (engine, task.__name__): [
                root / each.relative_to(ROOT)
                for each in (
                    file_of(CLASSES[engine]),
                    file_of(task),
                    ROOT / "train.py",
                )
                if each
            ]
            for engine in OF_AN_ENGINE
            for task in TASKS
        }
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(numerics, "ROOT", root)
            return {" ".join(name): code_hash(sources(files[name])) for name in files}


def run(program: str, folder: Path) -> dict[str, str]:
    """Run a program that prints JSON, with a folder first on its path."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the engines and tasks that are not named as before."""
    assert set(before) <= set(after)
    return {each for each in before if before[each] != after[each]}


@pytest.fixture(scope="module")
def ids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The ids of a copy that nobody has edited."""
    return Copy(tmp_path_factory.mktemp("as it is")).ids()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


ALL = {f"{engine} {task.__name__}" for engine in OF_AN_ENGINE for task in TASKS}
OF_PLAIN = {each for each in ALL if each.startswith("plain")}
OF_FUSED_CPU = {each for each in ALL if each.startswith("fused_cpu")}


def test_where_a_package_is_installed_changes_no_id(ids: dict[str, str]) -> None:
    here = {
        f"{engine} {task.__name__}": choose(engine).numerics_id(Trial(task=task()))
        for engine in ENGINES  # the others need a GPU
        for task in TASKS
    }
    assert ids == here


def test_a_new_task_and_a_new_engine_change_no_id(ids: dict[str, str], copy: Copy) -> None:
    package = copy.folder / "rnnlab"
    task = (package / "tasks/memorisation.py").read_text()
    (package / "tasks/recall.py").write_text(task.replace("Memorisation", "Recall"))
    line = "from rnnlab.tasks.memorisation import Memorisation as Memorisation\n"
    new = line.replace("memorisation", "recall").replace("Memorisation", "Recall")
    copy.edit("tasks/__init__.py", line, line + new)
    engine = (package / "engines/plain.py").read_text()
    (package / "engines/new.py").write_text(engine.replace("Plain", "New"))
    copy.edit("engines/__init__.py", '"plain": _plain}', '"plain": _plain, "new": _new}')
    copy.edit(
        "engines/__init__.py",
        "def _fused_cpu(",
        "def _new() -> Engine:\n    from rnnlab.engines.new import New\n\n"
        "    return New()\n\n\ndef _fused_cpu(",
    )
    now = copy.ids()
    assert changed(ids, now) == set()
    assert {"plain Recall", "new Addition"} <= set(now)


def test_a_constant_of_a_product_changes_the_ids_of_its_engine(
    ids: dict[str, str], copy: Copy
) -> None:
    copy.edit("engines/fused_cpu/products.py", "FLOAT_BYTES = 4", "FLOAT_BYTES = 8")
    assert changed(ids, copy.ids()) == OF_FUSED_CPU


EDITS = {
    "an instruction": (
        "engines/fused_cpu/microkernel.py",
        "LANES = 16",
        "LANES = 8",
        OF_FUSED_CPU,
    ),
    "a formula": ("omega.py", "squared >= VALID_BOUND", "squared > VALID_BOUND", OF_PLAIN),
    "random numbers": ("rng.py", "ROUNDS = 10", "ROUNDS = 9", ALL),
    "the loop": ("train.py", "SUCCESS_BELOW = 100", "SUCCESS_BELOW = 200", ALL),
    "the rule of a stop": ("train.py", "each.errors == 0", "each.errors <= 0", ALL),
    "what tasks share": ("tasks/task.py", "LONGEST = 100_000", "LONGEST = 100", ALL),
    "a task that others import": (
        "tasks/addition.py",
        "NUMBERS_A_BLOCK = 4",
        "NUMBERS_A_BLOCK = 2",
        {each for each in ALL if each.endswith(("Addition", "Multiplication"))},
    ),
    "a task": (
        "tasks/memorisation.py",
        "PATTERNS_COUNTED = 1000",
        "PATTERNS_COUNTED = 999",
        {each for each in ALL if each.endswith("Memorisation")},
    ),
    "what only describes": (
        "trainer.py",
        'headline = "error_rate"',
        'headline = "loss"',
        set[str](),
    ),
    "words": (
        "rng.py",
        "ROUNDS = 10",
        '# Philox\nROUNDS = 10  # of 10\n"""Of Philox."""',
        set[str](),
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_the_ids_of_what_imports_it(copy: Copy, edit: str) -> None:
    name, old, new, expected = EDITS[edit]
    before = copy.hashes()
    copy.edit(name, old, new)
    assert changed(before, copy.hashes()) == expected


def test_an_id_is_of_an_engine_and_a_kind_of_task() -> None:
    engine = choose("plain")
    one = engine.numerics_id(Trial(task=Addition(length=10)))
    assert one == engine.numerics_id(Trial(task=Addition(length=20), hidden=3))
    assert one != engine.numerics_id(Trial())


def test_what_else_bits_depend_on_changes_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(**circumstances: str) -> str:
        return numerics.numerics_id("one", type(choose("plain")), Addition, **circumstances)

    found = {named(), named(torch="2.0"), named(torch="2.1")}
    monkeypatch.setattr(numerics.np, "__version__", "0")
    found.add(named())
    monkeypatch.setattr(numerics.platform, "machine", lambda: "pdp11")
    found.add(named())
    assert len(found) == 5
    assert all(each.startswith("one-") and len(each) == 16 for each in found)


def test_a_class_that_its_module_does_not_have_is_refused() -> None:
    here = type("Made", (), {"__module__": __name__})
    with pytest.raises(ValueError, match="Made says that it is from the module"):
        file_of(here)
    nowhere = type("Made", (), {"__module__": "nowhere"})
    with pytest.raises(ValueError, match="'nowhere', which is not loaded from"):
        file_of(nowhere)


TYPED = """
import json
from dataclasses import dataclass
from rnnlab import TemporalOrder, Trial
from rnnlab.engines import choose
from rnnlab.train import train

class Typed(TemporalOrder): ...
class Another(TemporalOrder): ...

def trained(task):
    one = Trial(task=task(length=10), hidden=3, check_every=2)
    return train(one, budget=2, engine=choose("plain")).numerics_id

print(json.dumps({"one": trained(Typed), "same": trained(Typed), "other": trained(Another)}))
"""


def test_a_task_typed_at_a_prompt_has_an_id_that_no_other_process_has() -> None:
    first, second = run(TYPED, ROOT.parent), run(TYPED, ROOT.parent)
    assert first["one"] == first["same"]
    assert len({first["one"], first["other"], second["one"], second["other"]}) == 4


def test_files_beside_a_users_file_and_in_its_package_count(tmp_path: Path) -> None:
    package = tmp_path / "hers"
    (package / "deep").mkdir(parents=True)
    for each in (package, package / "deep"):
        (each / "__init__.py").touch()
    (tmp_path / "beside.py").write_text("import numpy, sweeps, other, rnnlab.rng as rng\n")
    (tmp_path / "other.py").touch()
    (tmp_path / "sweeps.py").write_text("import unseen\n")
    (package / "helper.py").write_text("from beside import x\n")
    file = package / "deep" / "task.py"
    file.write_text("from ..helper import y\nfrom rnnlab import Task\n")
    names = {
        "beside",
        "other",
        "hers.helper",
        "hers.deep.task",
        "rnnlab.rng",
        "rnnlab.tasks.task",
    }
    assert set(sources([file])) == names
    link = tmp_path / "linked" / "task.py"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "beside.py")
    assert set(sources([link])) == {"task", "other", "rnnlab.rng"}


def test_of_an_installed_task_its_own_package_alone_counts(tmp_path: Path) -> None:
    libraries = tmp_path / "site-packages"
    (libraries / "hers").mkdir(parents=True)
    (libraries / "library.py").touch()
    (libraries / "hers/__init__.py").touch()
    (libraries / "hers/helper.py").touch()
    in_package = libraries / "hers/task.py"
    in_package.write_text("import library\nfrom hers import helper\n")
    assert set(sources([in_package])) == {"hers.helper", "hers.task"}
    alone = libraries / "alone.py"
    alone.write_text("import library\n")
    assert set(sources([alone])) == {"alone"}
