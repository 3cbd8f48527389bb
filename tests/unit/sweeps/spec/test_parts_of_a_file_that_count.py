"""Which changes of a user's file change the numerics id of its trials."""

from pathlib import Path

import pytest

from sweeps.spec.experiment_file import load_experiment
from sweeps.spec.own_numerics import own_numerics_id

FILE = '''"""A question?"""

from dataclasses import dataclass
from sweeps import Sweep

STEP = 0.5


@dataclass(frozen=True)
class Walk:
    seed: int = 0
    check_every: int = 1

    def start(self, device):
        return 0.0

    def advance(self, state, updates):
        return state + STEP * updates

    def check(self, state):
        return {"place": state}


SEEDS = 2
sweep = Sweep(name="walk", budget=4, trials=[Walk(seed=seed) for seed in range(SEEDS)])


def draw(results):
    return results.plot()
'''


def numerics_of(folder: Path, text: str) -> str:
    file = folder / "walk.py"
    file.write_text(text)
    return own_numerics_id(load_experiment(str(file)).sweep.trials[0], "cpu")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SEEDS = 2", "SEEDS = 3"),
        ("budget=4", "budget=8"),
        ("results.plot()", "results.plot().figure"),
        ("A question?", "Another?"),
    ],
)
def test_more_trials_or_another_figure_change_no_number(
    tmp_path: Path, before: str, after: str
) -> None:
    first = numerics_of(tmp_path, FILE)
    assert numerics_of(tmp_path, FILE.replace(before, after)) == first


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("STEP = 0.5", "STEP = 0.25"),
        ("state + STEP", "state - STEP"),
        ("import Sweep", "import Sweep\nimport numpy"),
    ],
)
def test_what_the_class_uses_changes_numbers(
    tmp_path: Path, before: str, after: str
) -> None:
    first = numerics_of(tmp_path, FILE)
    assert numerics_of(tmp_path, FILE.replace(before, after)) != first


def test_all_of_a_file_counts_that_a_module_beside_it_imports(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("from walk import SEEDS\n")
    text = FILE + "\n\ndef later():\n    import beside\n"
    first = numerics_of(tmp_path, text)
    assert numerics_of(tmp_path, text.replace("SEEDS = 2", "SEEDS = 3")) != first
