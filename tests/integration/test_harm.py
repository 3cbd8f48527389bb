"""Files that somebody has harmed: a rebuilt answer, or one line and exit code 2."""

import io
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import Folder, write_experiment
from small import path_of, result, store, trial

from rnnlab import TemporalOrder, Trial

READING = ("plan", "status")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A sweep of four trials, two of them done."""
    made = write_experiment(tmp_path, budget=1000, seeds=2)
    trials = [
        Trial(task=TemporalOrder(length=10), hidden=8, check_every=200, seed=seed)
        for seed in range(2)
    ]
    kept = store(made.results)
    kept.commit([(each, result(each, 1000)) for each in trials])
    kept.compact()
    return made


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "5", "{", '{"parts": null}', '{"parts": {}}', '{"event": "ended"}'],
)
@pytest.mark.parametrize("name", ["manifest.json", "progress.json", "attempts/x.jsonl"])
def test_a_harmed_derived_file_changes_no_answer(
    folder: Folder, name: str, text: str
) -> None:
    path = folder.results / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    shown: list[dict[str, Any]] = []
    for verb in READING:
        done = folder.sweep(verb, "small.py", "--json")
        assert done.returncode == 0, done.stderr
        shown.append(json.loads(done.stdout))
    assert [each["trials"] for each in shown] == [4] * len(READING)
    assert shown[-1]["unsolved"] == 2


def test_folders_in_the_place_of_files_change_no_answer(folder: Folder) -> None:
    (folder.results / "table.parquet").unlink()
    for name in ("table.parquet", "parts/x.parquet", "parts/y"):
        (folder.results / name).mkdir()
    done = folder.sweep("status", "small.py", "--json")
    assert json.loads(done.stdout)["unsolved"] == 2


@pytest.mark.parametrize("harm", ["stranger", "garbage", "empty"])
def test_a_file_that_is_no_part_is_named_and_passed_over(folder: Folder, harm: str) -> None:
    path = folder.results / "parts" / "x.parquet"
    if harm == "stranger":
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        path.write_bytes(b"garbage" if harm == "garbage" else b"")
    for verb in READING:
        done = folder.sweep(verb, "small.py")
        assert done.returncode == 0
        (said,) = done.stderr.splitlines()
        assert said.startswith("sweep: results/small/parts/x.parquet is damaged")
        assert "`sweep run` sets it aside" in said
    assert path.exists()


def test_a_run_sets_harmed_files_aside_and_trains_only_their_trials(
    tmp_path: Path,
) -> None:
    folder = write_experiment(tmp_path, budget=1000, rates=(1e-4, 2e-4))
    first = folder.sweep("run", "small.py", "--in-process", "--pack", "1")
    assert first.returncode == 0, first.stderr
    table = folder.table.read_bytes()
    part, other, *_ = sorted((folder.results / "parts").glob("*.parquet"))
    (harmed,) = pd.read_parquet(part)["trial_id"]
    (swapped,) = pd.read_parquet(other)["trial_id"]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 8
    part.write_bytes(data)
    checkpoints = folder.results / "checkpoints"
    shutil.copy(checkpoints / f"{swapped}.npz", checkpoints / f"{harmed}.npz")
    second = folder.sweep("run", "small.py", "--in-process")
    assert second.returncode == 0, second.stderr
    assert f"results/small/parts/{part.name} is damaged" in second.stderr
    assert f"parts/damaged/{part.name}; its trials are retrained" in second.stderr
    assert "4 trials, 3 done, 1 to run" in second.stderr
    assert f"1 trials restarted from update 0, first {harmed[:12]}" in (second.stderr)
    assert folder.table.read_bytes() == table
    restarts = [
        json.loads(line)
        for path in (folder.results / "attempts").iterdir()
        for line in path.read_text().splitlines()
        if '"restarted"' in line
    ]
    assert [each["trial_id"] for each in restarts] == [harmed]
    assert f"of another trial, {swapped}" in restarts[0]["reason"]


def test_a_table_can_be_read_where_nothing_can_be_written(folder: Folder) -> None:
    done = folder.sweep("run", "small.py", "--where", "lr < 1")
    assert "nothing to train" in done.stderr
    before = (folder.results / "table.parquet").stat().st_mtime_ns
    folder.sweep("run", "small.py", "--where", "lr < 1")
    assert (folder.results / "table.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("more", "verb", "message"),
    [
        ("def draw(results):\n    return results['colour']", "draw", "KeyError: 'colour'"),
        ("import sys; sys.exit(3)", "plan", "SystemExit: 3"),
        ("raise ValueError('a\\nb')", "plan", "a b"),
        ("sweep = 5", "plan", "defines no `sweep`"),
        ("def f(:", "plan", "invalid syntax"),
    ],
)
def test_what_an_experiment_file_does_wrong_is_one_line(
    folder: Folder, more: str, verb: str, message: str
) -> None:
    path = folder.path / "small.py"
    path.write_text(f"{path.read_text()}\n{more}\n")
    done = folder.sweep(verb, "small.py")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_an_experiment_prints_is_no_answer(folder: Folder) -> None:
    path = folder.path / "small.py"
    path.write_text("print('hello')\n" + path.read_text())
    done = folder.sweep("plan", "small.py", "--json")
    assert json.loads(done.stdout)["trials"] == 4
    assert "hello" in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "garbage", "localhost:x"])
def test_an_address_where_no_ray_answers_is_named(folder: Folder, address: str) -> None:
    done = folder.sweep("run", "small.py", "--address", address)
    assert done.returncode == 2
    assert f"No Ray answers at --address '{address}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nan_is_written_as_a_word_in_json(folder: Folder) -> None:
    one = trial(7)
    other = store(folder.path / "results" / "other")
    other.commit([(one, result(one, loss=float("nan")))])
    shown = json.loads(folder.sweep("show", one.trial_id, "--json").stdout)
    assert shown["results"][0]["result"]["loss"] == "nan"
    shutil.rmtree(path_of(other))


class Touches:
    """Makes a folder where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.path,))


def test_a_results_folder_from_a_stranger_runs_no_code(
    folder: Folder, tmp_path: Path
) -> None:
    """A pickle in the place of each file, and in an npz: no verb that reads unpickles it."""
    touched = tmp_path / "touched"
    pickled = pickle.dumps(Touches(str(touched)))
    arrays = io.BytesIO()
    np.savez(arrays, sha256=np.array([Touches(str(touched))], dtype=object))
    for name in (
        "attempts/x.jsonl",
        "progress.json",
        "checkpoints/a.npz",
        "parts/x.parquet",
    ):
        (folder.results / name).parent.mkdir(exist_ok=True)
        (folder.results / name).write_bytes(pickled)
    (folder.results / "checkpoints" / "b.npz").write_bytes(arrays.getvalue())
    for name in ("history", "."):
        for path in (folder.results / name).iterdir():
            if path.is_file():
                path.write_bytes(pickled)
    for words in (("plan",), ("status",), ("draw",), ("verify", "--cpus", "1"), ("clean",)):
        done = folder.sweep(words[0], "small.py", *words[1:])
        assert "Traceback" not in done.stderr, done.stderr
    folder.sweep("show", "0")
    folder.sweep("merge", str(folder.results), "elsewhere")
    assert not touched.exists()
    pickle.loads(pickled)
    assert touched.exists()
