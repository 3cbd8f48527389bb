"""Cleaning says what takes space, and never removes what was found."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import write_experiment
from progress import snapshot_of
from small import checkpoints, path_of, result, table_bytes

from sweeps.cli import call
from sweeps.errors import SweepError
from sweeps.maintenance.clean import clean
from sweeps.monitor.snapshot import write_snapshot
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.store.attempts import Attempts
from sweeps.store.checkpoints import Position
from sweeps.store.events import Started


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Four trials: one solved, one unsolved, two running; and all kinds of leftovers."""
    monkeypatch.chdir(write_experiment(tmp_path, budget=400).path)
    found = resolve(Selection(experiment="./small.py"))
    kept = found.store
    solved, unsolved, *_ = found.trials
    kept.commit([(solved, result(solved, 400, "solved"))])
    kept.commit([(unsolved, result(unsolved, 400))])
    Attempts(kept.attempts).record(Started(trial_id="a"))
    folder = path_of(kept)
    for each in found.trials:
        position = Position(400, {"x": np.arange(9.0)})
        checkpoints(folder / "checkpoints").save(each.trial_id, "plain-1", position)
    last = folder / "checkpoints" / f"{found.trials[3].trial_id}.npz"
    last.write_bytes(last.read_bytes()[:-3])
    kept.compact()
    (folder / "small.svg").write_text("figure")
    (folder / "README.md").write_text("mine")
    (folder / "parts" / "damaged").mkdir()
    (folder / "parts" / "damaged" / "x.parquet").write_bytes(b"harmed")
    for age_s in (10, 7200):
        path = folder / "parts" / f".tmp-{age_s}"
        path.write_bytes(b"half")
        before = time.time() - age_s
        os.utime(path, (before, before))
    return found


def files(chosen: Chosen) -> set[str]:
    folder = path_of(chosen.store)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_looking_changes_nothing_and_counts_every_kind(chosen: Chosen) -> None:
    before = files(chosen)
    facts = clean(chosen, remove=False)
    assert files(chosen) == before
    counts = {(e["what"], e["kind"]): e["files"] for e in facts["items"] if e["files"]}
    assert counts == {
        ("results (parts)", "kept"): 2,
        ("history of the checks", "kept"): 2,
        ("log of attempts", "kept"): 1,
        ("partial files", "abandoned"): 1,
        ("set aside as damaged", "abandoned"): 1,
        ("checkpoints of unsolved trials", "kept"): 2,
        ("checkpoints of ended trials", "abandoned"): 2,
        ("table and manifest", "derived"): 2,
        ("figures", "derived"): 1,
    }


def test_what_is_removed_is_derived_or_abandoned(chosen: Chosen) -> None:
    kept = chosen.store
    table, standings, before = table_bytes(kept), kept.standings(), files(chosen)
    removed = clean(chosen, remove=True)
    gone = before - files(chosen)
    names = {chosen.trials[0].trial_id, chosen.trials[3].trial_id}
    assert gone == {
        "table.parquet",
        "manifest.json",
        "small.svg",
        "parts/.tmp-7200",
        "parts/damaged/x.parquet",
        *(f"checkpoints/{name}.npz" for name in names),
    }
    freed = [each for each in removed["items"] if each["kind"] != "kept"]
    assert sum(each["files"] for each in freed) == len(gone)
    assert kept.standings() == standings
    assert table_bytes(kept) == table


def test_nothing_is_removed_while_a_run_is_going_on(chosen: Chosen) -> None:
    write_snapshot(replace(snapshot_of(1), pid=os.getpid()), chosen.place)
    before = files(chosen)
    with pytest.raises(SweepError, match="is training in"):
        clean(chosen, remove=True)
    assert clean(chosen, remove=False)["items"]
    assert files(chosen) == before


def test_the_command_says_how_to_remove_and_what_was(
    chosen: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["clean", "./small.py"]) == 0
    assert "--remove frees" in capsys.readouterr().out
    assert call(["clean", "./small.py", "--remove"]) == 0
    assert "removed" in capsys.readouterr().out.splitlines()[-1]
    assert call(["clean", "./small.py", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {e["kind"] for e in facts["items"] if e["files"]} == {"kept"}


def test_pictures_of_the_user_are_neither_counted_nor_removed(chosen: Chosen) -> None:
    folder = path_of(chosen.store)
    own = ("photo.png", "small_by_hand.svg", "notes.md")
    for name in own:
        (folder / name).write_bytes(b"mine")
    clean(chosen, remove=True)
    assert [(folder / name).read_bytes() for name in own] == [b"mine"] * 3
    assert not (folder / "small.svg").exists()
