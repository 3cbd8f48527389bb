"""What is committed in `results` is whole, and its figures and pages are what its tables give."""

import subprocess
from pathlib import Path

import pytest
from commands import Folder

from sweeps.spec.experiment_file import load_experiment, names
from sweeps.storage.address import place
from sweeps.store.repair import repair
from sweeps.store.store import MANIFEST, TABLE, Store

REPOSITORY = Path(__file__).parents[2]
DERIVED = (".svg", ".md")
"""Endings of what `sweep draw` writes in one form; PNG bytes are another zlib's elsewhere."""


def committed() -> list[str]:
    """Give the addresses of the committed results; none where this is no clone."""
    listing = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "HEAD", "results"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return listing.stdout.split()


def sweeps_with(ending: str) -> list[str]:
    """Name the sweeps of which such a file is committed."""
    return [name for name in names() if f"results/{name}/{ending}" in committed()]


pytestmark = pytest.mark.skipif(not committed(), reason="no results are committed here")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Give a folder with the results as they are committed, whatever runs here since."""
    folder = tmp_path_factory.mktemp("clone")
    archive = subprocess.run(
        ["git", "archive", "HEAD", "results"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return Folder(folder)


@pytest.mark.parametrize("sweep", sweeps_with(TABLE))
def test_tables_are_those_of_their_parts(clone: Folder, sweep: str) -> None:
    columns = load_experiment(sweep).sweep.type.columns
    store = Store(place(str(clone.path / "results" / sweep)), columns)
    assert repair(store) == []
    before = {name: store.place.read(name) for name in (TABLE, MANIFEST)}
    for name in before:
        store.place.remove(name)
    store.compact()
    assert {name: store.place.read(name) for name in before} == before


@pytest.mark.parametrize("sweep", sweeps_with(TABLE))
def test_every_unsolved_trial_can_resume(clone: Folder, sweep: str) -> None:
    store = Store(place(str(clone.path / "results" / sweep)))
    for trial_id, standing in store.standings().items():
        if standing.outcome == "unsolved":
            assert (store.place / "checkpoints").read(f"{trial_id}.npz")


@pytest.mark.parametrize("sweep", [n for n in names() if n in sweeps_with(f"{n}.svg")])
def test_figures_are_drawn_again_from_the_tables_alone(clone: Folder, sweep: str) -> None:
    folder = clone.path / "results" / sweep
    before = drawn(folder, sweep)
    finished = clone.sweep("draw", sweep)
    assert finished.returncode == 0, finished.stderr
    assert drawn(folder, sweep) == before


def test_the_claims_are_judged_again_from_the_tables_alone(clone: Folder) -> None:
    page = clone.path / "results" / "claims.md"
    before = page.read_text()
    finished = clone.sweep("claims")
    assert finished.returncode == 0, finished.stderr
    assert page.read_text() == before


def drawn(folder: Path, sweep: str) -> dict[str, bytes]:
    """Give the bytes of what `sweep draw` wrote in one form."""
    files = sorted(folder.glob(f"{sweep}*"))
    return {each.name: each.read_bytes() for each in files if each.suffix in DERIVED}
