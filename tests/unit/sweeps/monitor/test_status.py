"""How trials stand: at which budget, and how far those have come that are not there yet."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from small import result, store

from sweeps.monitor.status import lines, status
from sweeps.spec.experiment_file import load_experiment
from sweeps.spec.selection import Selection, resolve
from sweeps.storage.folder import Folder

WHERE = "length == 50 and init == 'smart_tanh' and seed == 0"
"""Three trials of Figure 7."""


def facts(results: Path, budget: int | None = None) -> dict[str, Any]:
    selection = Selection(
        experiment="figure7", where=WHERE, budget=budget, results=str(results)
    )
    return status(resolve(selection))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One trial is solved at 20,000, one has had 300,000, one nothing."""
    trials = resolve(Selection(experiment="figure7", where=WHERE)).trials
    kept = store(tmp_path / "figure7")
    kept.commit([(trials[0], result(trials[0], 20_000, "solved"))])
    kept.commit([(trials[1], result(trials[1], 300_000))])
    return tmp_path


def run_goes(results: Path, budget: int) -> None:
    now = {"at": time.time(), "host": socket.gethostname(), "pid": os.getpid()}
    snapshot = json.dumps({**now, "budget": budget}).encode()
    Folder(results / "figure7").replace("progress.json", snapshot)


def test_the_budget_is_the_experiments_own(results: Path) -> None:
    found = facts(results)
    assert found["budget"] == load_experiment("figure7").sweep.budget
    assert (found["solved"], found["unsolved"], found["waiting"]) == (1, 0, 2)


def test_the_budget_is_that_of_the_run_that_goes(results: Path) -> None:
    run_goes(results, 300_000)
    found = facts(results)
    assert found["budget"] == 300_000
    assert (found["solved"], found["unsolved"], found["waiting"]) == (1, 1, 1)


def test_a_budget_that_is_asked_for_is_kept(results: Path) -> None:
    run_goes(results, 300_000)
    assert facts(results, budget=400_000)["budget"] == 400_000


def test_it_says_how_far_those_have_come_that_are_not_there_yet(results: Path) -> None:
    found = facts(results)
    assert (found["trained"], found["trained_to"]) == (1, [300_000, 300_000])
    second = lines(found)[1]
    assert second == "  1 of the others already have 300,000 updates"


def test_it_says_nothing_of_that_where_all_are_there(results: Path) -> None:
    found = facts(results, budget=300_000)
    assert found["trained_to"] is None
    assert len(lines(found)) == 1


def test_trials_that_are_trained_beside_the_one_that_is_named_are_running_too(
    results: Path,
) -> None:
    named = resolve(Selection(experiment="figure7", where=WHERE)).trials[2]
    running = {"about": "", "update": 5, "updates_per_s": 1.0, "together": 2}
    now = {"at": time.time(), "host": socket.gethostname(), "pid": os.getpid()}
    snapshot = {**now, "running": [{"trial_id": named.trial_id, **running}]}
    data = json.dumps(snapshot).encode()
    Folder(results / "figure7").replace("progress.json", data)
    found = facts(results)
    assert (found["solved"], found["running"], found["waiting"]) == (1, 2, 0)
