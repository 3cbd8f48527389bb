"""The tracker adds up what packs report, also of a pack that starts again."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from small import trial

from sweeps.plan import packs, plan
from sweeps.progress import Progress
from sweeps.tracker import Tracker, read_snapshot, write_snapshot

TRIALS = [trial(0), trial(1), trial(2)]


def tracker() -> Tracker:
    work = plan(TRIALS, {}, 100)
    return Tracker(work, packs(work, 2), "small", cpus=2)


def test_reports_are_added_up() -> None:
    found = tracker()
    first, second = (pack.trials[0].trial_id for pack in found.packs)
    found.report(1, Progress(first, update=30, error_rate=0.5, made=30, train_s=1.0))
    found.report(2, Progress(second, update=40, made=40, train_s=2.0))
    snapshot = found.snapshot()
    assert (snapshot.updates, snapshot.train_s) == (70, 3.0)
    assert [each.trial_id for each in snapshot.running] == [first, second]
    assert [each.error_rate for each in snapshot.running] == [0.5, None]
    found.report(2, Progress(second, update=100, made=100, unsolved=1))
    snapshot = found.snapshot()
    assert (snapshot.updates, snapshot.unsolved, snapshot.ended) == (130, 1, 1)
    assert [each.trial_id for each in snapshot.running] == [first]


def test_a_pack_that_starts_again_is_counted_anew() -> None:
    found = tracker()
    (name, *_) = (t.trial_id for t in found.packs[0].trials)
    found.report(1, Progress(name, update=50, made=50))
    found.report(1, Progress(name, update=60, made=10))
    assert found.updates == 60


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


@pytest.mark.parametrize(
    "change", [{"at": 0.0}, {"pid": 2**22 + 1}, None], ids=["stale", "dead", "torn"]
)
def test_a_snapshot_of_a_run_that_has_gone_is_not_shown(
    tmp_path: Path, change: dict[str, float] | None
) -> None:
    snapshot = tracker().snapshot()
    write_snapshot(snapshot, tmp_path)
    found = read_snapshot(tmp_path)
    assert found == json.loads(json.dumps(asdict(snapshot)))
    if change is None:
        (tmp_path / "progress.json").write_text('{"at": ')
    else:
        write_snapshot(replace(snapshot, **change), tmp_path)
    assert read_snapshot(tmp_path) is None
