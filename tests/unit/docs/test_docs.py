"""What the pages say can be checked, and is."""

import re
from pathlib import Path

import pytest

from sweeps.spec.experiment_file import names

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
VERBS = {
    "list",
    "plan",
    "run",
    "status",
    "show",
    "draw",
    "claims",
    "verify",
    "merge",
    "clean",
    "doctor",
}


def test_the_readme_is_short() -> None:
    assert README.count("\n") < 150


def test_the_experiment_in_the_readme_is_the_one_in_the_package() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert shown in (ROOT / "sweeps/experiments/figure7.py").read_text()


def test_every_file_on_the_map_exists() -> None:
    paths = set(
        re.findall(r"`((?:rnnlab|sweeps|cluster|examples)/[\w/]*(?:\.py)?)`", README)
    )
    assert len(paths) > 12
    for path in paths:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_pages_name_verbs_and_experiments_that_exist(page: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL)
    typed = re.findall(r"^(?:\$ )?sweep (\w+) ?(\S*)", "\n".join(blocks), re.MULTILINE)
    for verb, word in typed:
        assert verb in VERBS
        if verb in VERBS - {"list", "show", "merge", "claims", "doctor"}:
            assert word in names() or word.endswith(".py"), word


def test_make_knows_the_verbs_of_the_readme() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"setup", "figure7", "test", "check", "bench"} <= targets
    assert set(re.findall(r"`?make (\w+)", README)) <= targets


NAMED = sorted(
    {
        match
        for page in PAGES
        for match in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text())
    }
)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_tests_that_the_pages_name_exist(path: str, name: str) -> None:
    assert len(NAMED) > 15
    assert (ROOT / path).exists()
    if name:
        assert f"def {name}(" in (ROOT / path).read_text()
