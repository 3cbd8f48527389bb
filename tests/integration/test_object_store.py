"""A sweep whose results are kept in an object store: every verb, and a stop in between."""

import json
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
from commands import Folder, wait_until, write_experiment

from sweeps.storage.address import place


def experiment(path: Path) -> Folder:
    """Six trials of some seconds each that nothing solves, and three that diverge."""
    return write_experiment(path, budget=8000, seeds=3, rates=(1e-4, 2e-4, 1e38), slow=True)


def running(folder: Folder, where: tuple[str, ...]) -> int:
    """Count the running trials by the output of `status`, which lags a little behind."""
    status = folder.sweep("status", "small.py", "--json", *where).stdout
    return int(json.loads(status)["running"])


def test_a_sweep_lives_in_an_object_store_as_in_a_folder(
    bucket_url: str, tmp_path: Path
) -> None:
    folder, whole = experiment(tmp_path / "here"), experiment(tmp_path / "whole")
    there = place(bucket_url) / "small"
    where = ("--results", bucket_url)
    run = folder.start("run", "small.py", "--in-process", *where)
    wait_until(lambda: len((there / "parts").names()) >= 2, timeout_s=600)
    wait_until(lambda: running(folder, where) > 0, timeout_s=600)
    os.kill(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 130
    assert f"sweep run small.py --results {bucket_url}" in said
    assert (there / "checkpoints").names()
    committed = len((there / "parts").names())
    done = folder.sweep("run", "small.py", "--in-process", *where)
    assert done.returncode == 0, done.stderr
    assert f"table in {bucket_url}/small/table.parquet" in done.stderr
    assert len((there / "parts").names()) > committed

    assert whole.sweep("run", "small.py", "--in-process").returncode == 0
    assert there.read("table.parquet") == whole.table.read_bytes()
    plan = json.loads(folder.sweep("plan", "small.py", "--json", *where).stdout)
    assert (plan["done"], plan["to_run"]) == (9, 0)
    name = place(bucket_url) / "small" / "checkpoints"
    (trial_id, *_) = (each.removesuffix(".npz") for each in name.names())
    shown = json.loads(folder.sweep("show", trial_id, "--json", *where).stdout)
    assert shown["results"][0]["folder"] == f"{bucket_url}/small"
    assert [e["event"] for e in shown["results"][0]["attempts"]][-1] == "finished"
    again = folder.sweep("verify", "small.py", "--sample", "1", *where)
    assert again.returncode == 0, again.stderr
    assert (
        "checkpoints of unsolved trials" in folder.sweep("clean", "small.py", *where).stdout
    )
    merged = folder.sweep("merge", f"{bucket_url}/small", "copied/small", "--json")
    assert json.loads(merged.stdout)["trials"] == 9
    copied = folder.path / "copied" / "small" / "table.parquet"
    # A merge does not load a user's file, and orders columns by name; a run writes them as usual.
    expected = pq.read_table(whole.table)
    found = pq.read_table(copied).select(expected.column_names)
    assert found.to_pylist() == expected.to_pylist()
    again = folder.sweep("run", "small.py", "--in-process", "--results", "copied")
    assert "nothing to train" in again.stderr
    assert copied.read_bytes() == whole.table.read_bytes()


def test_a_bucket_that_is_not_there_is_one_line(bucket_url: str, tmp_path: Path) -> None:
    folder = experiment(tmp_path)
    for verb in ("plan", "status", "run"):
        done = folder.sweep(verb, "small.py", "--results", "s3://none-of-that-name/x")
        assert done.returncode == 2
        assert "s3://none-of-that-name/x" in done.stderr
        assert "Create the bucket, or correct its name" in done.stderr
        assert "Traceback" not in done.stderr
