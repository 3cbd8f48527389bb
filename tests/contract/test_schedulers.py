"""What every scheduler promises: all is trained, once; what dies is tried again, not for ever.

The runs are those of tests/support/scheduling.py, all under one start of each scheduler.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scheduling
from commands import URGENT
from scheduling import BUDGET, Heard, ids, walks
from small import table_bytes

from sweeps.store.attempts import failed_trials, read_events
from sweeps.store.store import Store
from sweeps.worker.in_process import MAX_FAILURES, in_process


class Runs:
    """What a scheduler did, and what was heard of it."""

    def __init__(self, folder: Path, heard: dict[str, Heard], refusal: str) -> None:
        self.folder, self.heard, self.refusal = folder, heard, refusal

    def store(self, name: str) -> Store:
        return scheduling.store(self.folder, name)

    def trained(self, name: str) -> set[str]:
        return set(self.store(name).standings())

    def happened(self, name: str) -> list[str]:
        return [each.kind for each in read_events(self.store(name).attempts)]


@functools.cache
def runs_of(scheduler: str, folder: Path) -> Runs:
    if scheduler == "in process":
        heard = scheduling.every_run(in_process, folder)
        return Runs(folder, heard, scheduling.refusal(in_process))
    here = Path(scheduling.__file__).parent
    path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **URGENT, "PYTHONPATH": path}
    words = [sys.executable, "-c", "import scheduling; scheduling.main()", str(folder)]
    refused = folder.with_name("refused")
    for more in ([], [str(refused)]):
        done = subprocess.run(
            [*words, *more], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Runs(folder, scheduling.read(folder), refused.read_text())


@pytest.fixture(
    params=["in process", pytest.param("on Ray", marks=pytest.mark.ray)], scope="module"
)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return runs_of(request.param, tmp_path_factory.mktemp("runs") / "of walks")


def test_all_trials_of_all_packs_are_trained_and_none_is_left_in_a_checkpoint(
    runs: Runs,
) -> None:
    assert runs.trained("all") == ids(walks(runs.folder, seeds=5))
    standings = runs.store("all").standings().values()
    assert {(each.outcome, each.updates) for each in standings} == {("unsolved", BUDGET)}
    assert runs.heard["all"].given_up == []
    assert runs.happened("all").count("started") == 5


def test_each_pack_reports_in_order_and_at_last_that_all_of_it_ended(runs: Runs) -> None:
    for number, trials in ((1, 2), (2, 2), (3, 1)):
        reports = runs.heard["all"].of(number)
        made = [each.made for each in reports]
        ended = [each.ended for each in reports]
        assert made == sorted(made)
        assert ended == sorted(ended)
        assert (made[-1], ended[-1]) == (trials * BUDGET, trials)
        assert reports[-1].unsolved == trials
        assert {each.measurement for each in reports if each.update} == {"distance"}


def in_one_pack(runs: Runs, seeds: int) -> Store:
    """Train some trials in this process, one after the other."""
    with in_process(scheduling.setup(1)) as scheduler:
        trials, name = walks(runs.folder, seeds=seeds), f"alone {seeds}"
        scheduling.one_run(scheduler, runs.folder, name, trials, seeds)
    return runs.store(name)


def test_the_table_is_the_same_whatever_trained_it(runs: Runs) -> None:
    alone = in_one_pack(runs, 5)
    assert table_bytes(runs.store("all")) == table_bytes(alone)
    assert runs.store("all").history().equals(alone.history())


def test_a_trial_that_raises_costs_itself_alone(runs: Runs) -> None:
    assert runs.trained("raises") == ids(walks(runs.folder, seeds=2))
    (failed,) = failed_trials(runs.store("raises").attempts).values()
    assert failed.last.error == "RuntimeError: the walk is on fire"
    assert "in advance" in failed.last.traceback
    assert failed.times == 1
    assert runs.heard["raises"].given_up == []
    last = runs.heard["raises"].of(1)[-1]
    assert (last.failed, last.unsolved) == (1, 2)


def test_a_pack_whose_worker_dies_is_tried_again_and_what_was_done_is_kept(
    runs: Runs,
) -> None:
    assert runs.trained("dies once") == ids(walks(runs.folder, seeds=2, fate="dies once"))
    assert runs.heard["dies once"].given_up == []
    last = runs.heard["dies once"].of(1)[-1]
    assert (last.ended, last.failed) == (3, 0)


def test_a_pack_whose_worker_dies_again_and_again_is_given_up_and_the_others_are_not(
    runs: Runs,
) -> None:
    assert runs.trained("dies") == ids(walks(runs.folder, seeds=2))
    ((number, error, traceback),) = runs.heard["dies"].given_up
    assert number == 3
    assert error
    assert error in traceback
    begun = runs.happened("dies").count("started")
    assert begun == 2 + 1 + MAX_FAILURES


def test_a_pack_for_which_no_worker_can_be_made_is_given_up(runs: Runs) -> None:
    ((number, error, traceback),) = runs.heard["no worker"].given_up
    assert number == 1
    assert "no such library here" in error
    assert "no such library here" in traceback
    assert runs.trained("no worker") == set()


def test_asked_to_stop_it_stops_in_the_middle_and_keeps_checkpoints(runs: Runs) -> None:
    reports = runs.heard["stopped"].reports
    under_way = {each.trial_id for _, each in reports if each.trial_id}
    assert under_way
    assert max(each.update for _, each in reports) < BUDGET
    assert len({number for number, _ in reports}) <= 2  # as many as there are workers


def test_a_stopped_run_resumes_and_gives_the_same_bytes(
    runs: Runs,
) -> None:
    stopped = max(each.made for _, each in runs.heard["stopped"].reports)
    resumed = sum(runs.heard["resumed"].of(n)[-1].made for n in (1, 2, 3))
    assert resumed <= 3 * BUDGET - stopped
    assert table_bytes(runs.store("stopped")) == table_bytes(in_one_pack(runs, 3))


def test_resources_that_are_not_there_are_refused_at_the_start(runs: Runs) -> None:
    assert "A worker needs 1000 GPUs, but" in runs.refusal
    assert "Reduce the trials' `gpus`" in runs.refusal
