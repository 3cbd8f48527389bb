"""Killed at any call that changes the disk, and after a power failure: old or new, never
between; and the same thing done again ends as if nothing had happened.
"""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from crashing import LOSSES, CrashingSystem, Flaky, Loss, crash_points
from small import RECURRENT, checkpoints, path_of, result, table_bytes, trial

from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.storage.folder import Folder
from sweeps.storage.retrying import Patient
from sweeps.store.attempts import Attempts, read_events
from sweeps.store.checkpoints import CheckpointFolder, Position, name_of
from sweeps.store.committed import Done
from sweeps.store.compaction import merge_small
from sweeps.store.events import Finished
from sweeps.store.repair import repair
from sweeps.store.store import CHECK, TRIAL, Store
from sweeps.worker.worker import Worker

COLUMNS = RECURRENT.columns
MORE = [(trial(seed), result(trial(seed), 20)) for seed in (7, 8)]
FURTHER = [(trial(0), result(trial(0), 40))]


def before(path: Path, harmed: str | None = None) -> None:
    """Make a store of three small parts, first, middle and last, and a table without the last."""
    kept = Store(Folder(path), COLUMNS)
    for seed in range(3):
        kept.commit([(trial(seed), result(trial(seed), 20))])
        if seed == 1:
            kept.compact()
    if harmed:
        victim = path / harmed / (kept.place / harmed).names()[1]
        victim.write_bytes(victim.read_bytes()[:-7])


def commit(kept: Store) -> None:
    kept.commit(
        [*MORE, *FURTHER],
        committed={trial(0).trial_id: kept.standings()[trial(0).trial_id]},
    )


def derive(kept: Store) -> None:
    kept.compact()


def merge(kept: Store) -> None:
    merge_small(kept.history_parts, CHECK, above=1)
    merge_small(kept.parts, TRIAL, above=1)


def set_aside_damage(kept: Store) -> None:
    repair(kept)


ACTS: list[tuple[Callable[[Store], None], str | None]] = [
    (commit, None),
    (derive, None),
    (merge, None),
    (set_aside_damage, "parts"),
    (set_aside_damage, "history"),
]


def seen_in(kept: Store) -> tuple[list[object], list[object]]:
    """Return what a reader sees: rows, and rows of the history."""
    return kept.read().to_pylist(), kept.history().to_pylist()


@pytest.mark.parametrize("loss", ["nothing", "everything"])
@pytest.mark.parametrize(("act", "harmed"), ACTS)
def test_a_reader_sees_the_old_or_the_new_whenever_the_writer_dies(
    tmp_path: Path, act: Callable[[Store], None], harmed: str | None, loss: Loss
) -> None:
    prepared, whole = tmp_path / "before", tmp_path / "whole"
    before(prepared, harmed)
    shutil.copytree(prepared, whole)
    old = seen_in(Store(Folder(whole), COLUMNS))
    act(Store(Folder(whole), COLUMNS))
    new = seen_in(Store(Folder(whole), COLUMNS))
    table = table_bytes(Store(Folder(whole), COLUMNS))
    turns, path = count(), tmp_path

    def attempt(system: CrashingSystem) -> None:
        nonlocal path
        path = tmp_path / str(next(turns))
        shutil.copytree(prepared, path)
        act(Store(Folder(path, system), COLUMNS))

    for system in crash_points(attempt):
        system.lose_power(loss)
        kept = Store(Folder(path), COLUMNS)
        seen = seen_in(kept)
        assert seen[0] in (
            [new[0]] if system.returned and act is commit else [old[0], new[0]]
        )
        assert harmed or not {**kept.parts.damaged(), **kept.history_parts.damaged()}
        act(kept)
        assert seen_in(kept) == new
        assert table_bytes(kept) == table
        shutil.rmtree(path)
    assert next(turns) > 8


@pytest.mark.parametrize("loss", LOSSES)
def test_a_checkpoint_is_the_old_or_the_new_whenever_the_writer_dies(
    tmp_path: Path, loss: Loss
) -> None:
    name, state = "0123456789abcdef", {"x": np.arange(50.0), "seed": 7}
    old, new = (Position(update, state) for update in (10, 20))
    turns, path = count(), tmp_path

    def attempt(system: CrashingSystem) -> None:
        nonlocal path
        path = tmp_path / str(next(turns))
        checkpoints(path).save(name, "plain-1", old)
        CheckpointFolder(Folder(path, system)).save(name, "plain-1", new)

    for system in crash_points(attempt):
        system.lose_power(loss)
        found = checkpoints(path).load(name, "plain-1")
        assert found is not None
        assert found.update in ({20} if system.returned else {10, 20})
        assert (path / name_of(name)).exists()


@pytest.mark.parametrize("seed", range(6))
def test_a_disk_that_errs_now_and_then_costs_time_and_nothing_else(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call in twenty fails, before or after its effect."""
    monkeypatch.setattr("sweeps.worker.worker.COMMIT_EVERY_S", 0.0)
    trials = [trial(0), trial(1, lr=1e38), trial(2)]
    trainer = RECURRENT.described.trainer("plain", "cpu")
    tables = []
    for name, system in (("whole", None), ("erring", Flaky(seed, 1 / 20))):
        disk = Folder(tmp_path / name, system) if system else Folder(tmp_path / name)
        kept = Store(Patient(disk, (0.0,) * 6), COLUMNS)
        (pack,) = packs(plan(trials, {}, 40), 3)
        attempts, done = Attempts(kept.attempts), Done.since(kept, [])
        worker = Worker(kept, trainer, attempts, done, chunk_s=0.0)
        assert list(worker.train(pack))[-1].halted == ""
        tables.append(table_bytes(kept))
        ended = [e for e in read_events(kept.attempts) if isinstance(e, Finished)]
        assert {each.trial_id for each in ended} == {each.trial_id for each in trials}
        assert path_of(kept).exists()
    assert tables[0] == tables[1]
    assert system is not None
    assert system.failures > 0
