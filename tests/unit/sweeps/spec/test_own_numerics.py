"""The numerics of a user's trials: her code, what it imports, the libraries, the processor."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sweeps.spec import own_numerics
from sweeps.spec.experiment_file import load_experiment
from sweeps.spec.own_numerics import own_numerics_id

MINE = '''"""Does it work?"""

from dataclasses import dataclass

import numpy as np

from steps_N import step
from sweeps.spec.sweep import Sweep


@dataclass(frozen=True)
class Mine:
    """A trial."""

    seed: int = 0
    check_every: int = 10

    def start(self, device):
        return {"x": np.ones(3)}

    def advance(self, state, updates):
        return {"x": step(state["x"])}

    def check(self, state):
        return {"x": 1.0}


sweep = Sweep(name="mine", trials=[Mine()], budget=20)
'''
STEPS = '''"""Steps."""


def step(x):
    return x * 0.5
'''
_numbers = count()

Write = Callable[..., str]


@pytest.fixture
def numerics(tmp_path: Path) -> Write:
    """Write the two files, and return the numerics id that their trial has."""
    name = f"steps_{next(_numbers)}"

    def written(mine: str = MINE, steps: str = STEPS, device: str = "cpu") -> str:
        (tmp_path / f"{name}.py").write_text(steps)
        path = tmp_path / "mine.py"
        path.write_text(mine.replace("steps_N", name))
        (one,) = load_experiment(str(path)).sweep.trials
        return own_numerics_id(one, device)

    return written


def test_it_is_the_name_of_the_type_and_twelve_digits(numerics: Write) -> None:
    kind, _, digits = numerics().partition("-")
    assert (kind, len(digits)) == ("Mine", 12)
    assert int(digits, 16) >= 0


def test_it_changes_with_the_code_and_not_with_words(numerics: Write) -> None:
    before = numerics()
    assert numerics() == before
    assert numerics(MINE.replace('"""A trial."""', '"""Other words."""')) == before
    assert (
        numerics(MINE.replace("    def check", "    # a comment\n    def check")) == before
    )
    assert numerics(steps=STEPS.replace('"""Steps."""', '"""More."""\n# so')) == before
    assert numerics(MINE.replace("np.ones(3)", "np.ones(4)")) != before


def test_it_changes_with_the_code_of_a_module_beside(numerics: Write) -> None:
    before = numerics()
    assert numerics(steps=STEPS.replace("0.5", "0.25")) != before
    assert numerics() == before


def test_it_changes_with_a_library_and_with_the_device(
    numerics: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = numerics()
    assert numerics(device="cuda") != before
    asked: list[str] = []

    def version(package: str) -> str:
        asked.append(package)
        return "numpy 99" if package == "numpy" else ""

    monkeypatch.setattr(own_numerics, "_version", version)
    assert numerics() != before
    assert "numpy" in asked
    assert not {"sweeps", "dataclasses", "mine"} & set(asked)


@pytest.mark.parametrize(
    "attribute",
    [
        "numerics = 'mine 1'",
        "@property\n    def numerics(self):\n        return 'mine 1'",
        "def numerics(self):\n        return 'mine 1'",
    ],
    ids=["attribute", "property", "method"],
)
def test_a_user_may_name_it_herself(numerics: Write, attribute: str) -> None:
    named = MINE.replace("    def start", f"    {attribute}\n\n    def start")
    before = numerics(named)
    assert before.startswith("Mine-")
    assert numerics(named.replace("ones(3)", "ones(4)")) == before
    assert numerics(named, STEPS.replace("0.5", "0.25"), "cuda") == before
    assert numerics(named.replace("mine 1", "mine 2")) != before


def test_a_class_without_a_file_needs_a_name_of_its_own() -> None:
    found: dict[str, Any] = {"__name__": "nowhere"}
    exec("class Mine:\n    pass", found)
    with pytest.raises(
        ValueError, match=r"Mine is defined in no file, .* an attribute `num"
    ):
        own_numerics_id(found["Mine"](), "cpu")
