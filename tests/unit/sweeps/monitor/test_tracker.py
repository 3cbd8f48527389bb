"""The tracker adds up the reports of packs, including a pack that restarts."""

import json
import os
import pickle
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from progress import TRIALS, snapshot_of, tracker
from small import Walk, trial

from sweeps.monitor.efficiency import Efficiency
from sweeps.monitor.snapshot import (
    STALE_S,
    drop_snapshot,
    read_snapshot,
    write_snapshot,
)
from sweeps.monitor.tracker import Tracker
from sweeps.plan.cost import cost
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.storage.folder import Folder
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of
from sweeps.worker.progress import Progress


def test_reports_are_added_up() -> None:
    found = tracker()
    first, second = (pack.trials[0].trial_id for pack in found.packs)
    found.report(1, Progress(first, 30, "error_rate", 0.5, made=30, update_s=1.0))
    found.report(2, Progress(second, update=40, made=40, check_s=2.0))
    snapshot = found.snapshot()
    used = snapshot.efficiency
    assert (snapshot.updates, used.update_s, used.check_s) == (70, 1.0, 2.0)
    assert [each.trial_id for each in snapshot.running] == [first, second]
    seen = [(each.measurement, each.value) for each in snapshot.running]
    assert seen == [("error_rate", 0.5), ("", None)]
    found.report(2, Progress(second, update=100, made=100, unsolved=1))
    snapshot = found.snapshot()
    assert (snapshot.updates, snapshot.unsolved, snapshot.ended) == (130, 1, 1)
    assert [each.trial_id for each in snapshot.running] == [first]


def test_what_was_done_before_is_counted_separately() -> None:
    done = {trial(1).trial_id: Standing("solved", 10)}
    work = plan(TRIALS, done, 100)
    snapshot = Tracker(work, packs(work, 1), "small", cpus=2).snapshot()
    assert (snapshot.trials, snapshot.done_before, snapshot.ended) == (3, 1, 0)
    assert (snapshot.running, snapshot.updates_per_s, snapshot.eta_s) == ([], 0, None)


def test_every_ending_is_counted_under_its_name() -> None:
    found = tracker()
    name = found.packs[0].trials[1].trial_id
    found.report(1, Progress(name, update=3, made=103, unsolved=1, diverged=1))
    last = found.packs[1].trials[0].trial_id
    found.report(2, Progress(last, update=40, made=40, failed=1))
    snapshot = found.snapshot()
    assert (snapshot.solved, snapshot.unsolved) == (0, 1)
    assert (snapshot.diverged, snapshot.failed) == (1, 1)
    assert (snapshot.ended, snapshot.running) == (3, [])
    assert snapshot.updates_per_s == 0


def test_a_tracker_can_be_pickled_as_tune_does_with_its_callbacks() -> None:
    found = tracker()
    found.report(1, Progress(found.packs[0].trials[0].trial_id, update=5, made=5))
    copied = pickle.loads(pickle.dumps(found))
    assert copied.snapshot().updates == 5
    copied.report(1, Progress(found.packs[0].trials[0].trial_id, update=9, made=9))
    assert (copied.updates, found.updates) == (9, 5)


def test_a_pack_that_restarts_is_counted_from_zero() -> None:
    found = tracker()
    (name, *_) = (t.trial_id for t in found.packs[0].trials)
    found.report(1, Progress(name, update=50, made=50, update_s=5.0, check_s=0.5))
    found.report(1, Progress(name, update=60, made=10, update_s=1.0, check_s=0.1))
    used = found.efficiency()
    assert (found.updates, used.update_s, used.check_s) == (60, 6.0, 0.6)


def test_efficiency_is_of_the_time_between_the_first_report_and_the_last() -> None:
    found = tracker()
    assert found.efficiency() == Efficiency()
    names = [pack.trials[0].trial_id for pack in found.packs]
    began = time.monotonic()
    found.report(1, Progress(names[0]))
    time.sleep(0.2)
    found.report(2, Progress(names[1], update=10, made=10, update_s=0.1, check_s=0.1))
    ended = time.monotonic()
    time.sleep(0.2)
    used = found.efficiency()
    assert 0.4 <= used.worker_s <= 2 * (ended - began)  # two workers
    assert used.efficiency == 0.2 / used.worker_s


def test_what_the_first_report_says_was_done_before_it() -> None:
    found = tracker()
    name = found.packs[0].trials[0].trial_id
    found.report(1, Progress(name, update=10, made=10, update_s=5.0, check_s=1.0))
    used = found.efficiency()
    assert used.worker_s >= 6.0
    assert used.efficiency is not None
    assert used.efficiency <= 1.0


def test_the_speed_is_of_late_and_counts_packs_that_have_ended() -> None:
    found = tracker()
    names = [pack.trials[0].trial_id for pack in found.packs]
    began = time.monotonic()
    found.report(1, Progress(names[0]))
    time.sleep(0.1)
    found.report(1, Progress(names[0], update=60, made=60))
    found.report(2, Progress(names[1], update=40, made=40, unsolved=1))
    assert 0 < found.snapshot().updates_per_s <= 100 / 0.1
    assert found.snapshot().updates_per_s > 50 / (time.monotonic() - began)
    found.report(1, Progress(names[0], update=100, made=160, unsolved=2))
    assert found.snapshot().updates_per_s == 0


def test_the_time_left_shrinks_to_nothing() -> None:
    found = tracker()
    assert found.snapshot().eta_s is None
    names = [t.trial_id for t in found.packs[0].trials]
    found.report(1, Progress(names[0], update=10, made=10))
    found.report(1, Progress(names[0], update=20, made=20))
    early = found.snapshot().eta_s
    found.report(1, Progress(names[1], update=90, made=190, unsolved=1))
    late = found.snapshot().eta_s
    assert early is not None
    assert late is not None
    assert early > late > 0
    found.report(1, Progress(names[1], update=100, made=200, unsolved=2))
    last = found.packs[1].trials[0].trial_id
    found.report(2, Progress(last, update=100, made=100, unsolved=1))
    assert found.snapshot().eta_s == 0


def test_the_time_left_is_what_is_left_at_the_speed_so_far() -> None:
    work = plan([trial(0)], {}, 100)
    found = Tracker(work, packs(work, 1), "small", cpus=1)
    found.report(1, Progress(trial(0).trial_id))
    began = time.monotonic()
    time.sleep(0.5)
    found.report(1, Progress(trial(0).trial_id, update=80, made=80))
    eta = found.snapshot().eta_s
    assert eta is not None
    assert 1 / 2 < 4 * eta / (time.monotonic() - began) < 2


def test_trials_of_a_pack_that_starts_again_are_counted_once() -> None:
    found = tracker()
    name = found.packs[0].trials[1].trial_id
    found.report(1, Progress(name, update=10, made=50, solved=1))
    found.report(1, Progress(name, update=5, made=5))
    assert found.snapshot().solved == 0
    found.report(1, Progress(name, update=15, made=15, solved=1))
    found.report(1, Progress(name, update=40, made=40, solved=1, unsolved=1))
    snapshot = found.snapshot()
    assert (snapshot.solved, snapshot.unsolved, snapshot.running) == (1, 1, [])


def test_what_was_committed_at_a_smaller_budget_is_not_left_to_do() -> None:
    trials = [trial(0), trial(1)]
    done = {trials[0].trial_id: Standing("unsolved", 30)}
    found = Tracker(plan(trials, done, 40), packs(plan(trials, done, 40), 2), "s", cpus=1)
    whole = cost(trials[0]) * 40
    assert found.total_left == pytest.approx(whole * 1.25)
    found.report(1, Progress(trials[1].trial_id, update=20, made=20))
    assert found.total_left == pytest.approx(whole * 0.75)


def test_snapshots_of_ten_thousand_packs_are_cheap() -> None:
    trials = [trial(seed) for seed in range(100_000)]
    work = plan(trials, {}, 40)
    found = Tracker(work, packs(work, 10), "many", cpus=2)
    for number in range(1, 5001):
        name = found.packs[number - 1].trials[-1].trial_id
        found.report(number, Progress(name, made=400, unsolved=10))
    began = time.process_time()
    for _ in range(10):
        found.snapshot()
    assert time.process_time() - began < 0.05


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    snapshot = snapshot_of(1)
    write_snapshot(snapshot, Folder(tmp_path))
    assert read_snapshot(Folder(tmp_path)) == json.loads(json.dumps(asdict(snapshot)))
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_snapshot_of_another_machine_is_believed_until_it_is_stale(
    tmp_path: Path,
) -> None:
    there = replace(snapshot_of(1), host="elsewhere", pid=dead())
    write_snapshot(there, Folder(tmp_path))
    assert read_snapshot(Folder(tmp_path)) is not None
    write_snapshot(replace(there, at=time.time() - STALE_S - 1), Folder(tmp_path))
    assert read_snapshot(Folder(tmp_path)) is None


def test_a_snapshot_of_a_process_that_has_gone_is_not_shown(tmp_path: Path) -> None:
    write_snapshot(replace(snapshot_of(1), pid=dead()), Folder(tmp_path))
    assert read_snapshot(Folder(tmp_path)) is None


@pytest.mark.parametrize(
    "change",
    [{"at": 0.0}, {"at": None}, {"pid": "x"}, {"pid": None}, {"pid": 10**30}],
    ids=str,
)
def test_a_snapshot_that_cannot_be_meant_is_not_shown(
    tmp_path: Path, change: dict[str, float]
) -> None:
    write_snapshot(replace(snapshot_of(1), **change), Folder(tmp_path))
    assert read_snapshot(Folder(tmp_path)) is None


@pytest.mark.parametrize("text", ['{"at": ', "[]", "null", "{}", "", '{"at": 1e999}'])
def test_a_torn_snapshot_is_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)
    assert read_snapshot(Folder(tmp_path)) is None


@pytest.mark.parametrize("ours", [True, False])
def test_only_ones_own_snapshot_is_removed(tmp_path: Path, ours: bool) -> None:
    other = os.getppid()
    write_snapshot(
        replace(snapshot_of(1), pid=os.getpid() if ours else other), Folder(tmp_path)
    )
    drop_snapshot(Folder(tmp_path))
    assert (tmp_path / "progress.json").exists() != ours
    drop_snapshot(Folder(tmp_path / "none"))


def test_a_trial_is_described_by_the_fields_in_which_trials_differ() -> None:
    free = replace(trial(3), clip_norm=None, omega_weight=4.0)
    trials = [trial(3), trial(4), free]
    work = plan(trials, {}, 100)
    found = Tracker(work, packs(work, 1), "small", cpus=3)
    for pack in found.packs:
        found.report(pack.number, Progress(pack.trials[0].trial_id, update=1, made=1))
    about = {each.trial_id: each.about for each in found.snapshot().running}
    assert about == {
        trial(3).trial_id: "clip_norm 1, omega_weight 0, seed 3",
        trial(4).trial_id: "clip_norm 1, omega_weight 0, seed 4",
        free.trial_id: "clip_norm None, omega_weight 4, seed 3",
    }


def test_a_trial_under_way_is_described_though_the_run_has_it_alone_left() -> None:
    """What varies is asked of all that were chosen, not of what is left to train."""
    trials = [trial(0), trial(1)]
    work = plan(trials, {trials[0].trial_id: Standing("unsolved", 100)}, 100)
    found = Tracker(work, packs(work, 1), "small", cpus=1)
    found.report(1, Progress(trials[1].trial_id, update=1, made=1))
    assert found.snapshot().running[0].about == "seed 1"


def test_trials_of_a_users_own_type_are_described_and_costed() -> None:
    trials = [Walk(width=width, seed=3) for width in (4, 8)]
    work = plan(trials, {}, 100)
    found = Tracker(work, packs(work, 1), "walks", cpus=2)
    for pack, trial_ in zip(found.packs, trials, strict=True):
        progress = Progress(id_of(trial_), 50, "distance", 0.25, made=50)
        found.report(pack.number, progress)
    running = found.snapshot().running
    assert [each.about for each in running] == ["width 4", "width 8"]
    assert {(each.measurement, each.value) for each in running} == {("distance", 0.25)}
    assert found.total_left == 100


def dead() -> int:
    """Give the id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_pack_of_many_at_once_says_itself_what_is_done_and_left() -> None:
    found = tracker()
    name = found.packs[0].trials[0].trial_id
    report = Progress(name, 30, made=50, together=2, cost_made=500.0, cost_left=700.0)
    found.report(1, report)
    assert (found.cost_done, found.left[1]) == (500.0, 700.0)
    found.report(1, replace(report, made=60, cost_made=650.0, cost_left=550.0))
    assert (found.cost_done, found.left[1]) == (650.0, 550.0)
    snapshot = found.snapshot()
    assert (snapshot.in_training, [each.together for each in snapshot.running]) == (2, [2])
