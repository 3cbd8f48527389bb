"""The page on the architecture names files, functions and wings that exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/explanation/architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
FILE = r"`((?:sweeps|rnnlab|cluster)/[\w/]+\.py)`"
STEPS = re.findall(rf"\| {FILE} \| `(\w+)` \|$", PAGE, re.MULTILINE)
MENTIONED = re.findall(rf"`(\w+)` in\s{FILE}", PAGE)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def defined(file: Path) -> set[str]:
    """Return the names that a module binds by its statements."""
    found = set[str]()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return found


def contract(beginning: str) -> dict[str, list[str]]:
    (found,) = (each for each in CONTRACTS if each["name"].startswith(beginning))
    return found


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_each_step_happens_where_the_page_says(file: str, name: str) -> None:
    assert name in defined(ROOT / file)


def test_each_name_in_the_text_is_in_its_file() -> None:
    assert len(MENTIONED) >= 3
    for name, file in MENTIONED:
        assert name in defined(ROOT / file), (name, file)


def test_every_file_that_is_named_exists() -> None:
    files = set(re.findall(FILE, PAGE))
    assert len(files) > 30
    assert all((ROOT / file).is_file() for file in files)


def test_no_row_of_the_walk_is_left_unchecked() -> None:
    walk = SECTIONS["From the file to the table"] + SECTIONS["From the table to people"]
    rows = [row for row in walk.splitlines() if row.startswith("|") and ".py" in row]
    assert len(rows) == len(STEPS)
    numbers = re.findall(r"^\| (\d+)\. ", walk, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_the_wings_are_those_of_the_contract_in_their_order() -> None:
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS["The wings of sweeps"], re.MULTILINE)
    shown = [re.findall(r"`(\w+)`", row) for row in rows]
    layers = contract("The wings of sweeps")["layers"]
    assert shown == [layer.split(" | ") for layer in layers]


def test_all_wings_but_the_experiments_are_forbidden_to_know_rnnlab() -> None:
    wings = {
        f"sweeps.{name}"
        for layer in contract("The wings of sweeps")["layers"]
        for name in layer.split(" | ")
    }
    sources = set(contract("Sweeps train trials of any type")["source_modules"])
    assert sources == wings - {"sweeps.experiments"}
