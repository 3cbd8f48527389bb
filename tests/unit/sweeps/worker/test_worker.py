"""A pack: trials do not affect each other, crashes are contained, stopping loses nothing."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small import RECURRENT, path_of, store, table_bytes, trial

from rnnlab import Trial
from rnnlab.engines import Engine, choose
from rnnlab.engines.plain import Plain
from rnnlab.state import State
from rnnlab.trainer import RecurrentTrainer
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.storage.folder import Folder as DiskFolder
from sweeps.storage.folder import System
from sweeps.storage.retrying import Patient
from sweeps.store.attempts import Attempts, failed_trials, read_events, restarted_trials
from sweeps.store.committed import Done
from sweeps.store.events import Finished, Started
from sweeps.store.store import Store
from sweeps.worker.progress import Progress
from sweeps.worker.worker import Worker

ENGINE = choose("plain")
TRIALS = [trial(0), trial(1, lr=1e38), trial(2), trial(3)]
BUDGET = 40


@dataclass(frozen=True)
class Breaking(Plain):
    """Crashes on one seed, the first so many times, once it has made some updates."""

    seed: int = 2
    crashes: list[int] = field(default_factory=lambda: [1])
    after: int = 0
    error: BaseException = field(
        default_factory=lambda: RuntimeError("the machine is on fire")
    )

    def numerics_id(self, trial: Trial) -> str:
        return ENGINE.numerics_id(trial)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        if trial.seed == self.seed and self.crashes[0] > 0 and state.update >= self.after:
            self.crashes[0] -= 1
            raise self.error
        return super().advance(trial, state, updates)


def worker(kept: Store, engine: Engine = ENGINE, known: list[str] | None = None) -> Worker:
    done = Done.since(kept, kept.parts.names() if known is None else known)
    trainer, attempts = RecurrentTrainer(engine), Attempts(kept.attempts)
    return Worker(kept, trainer, attempts, done, chunk_s=0.0)


def checkpoints_in(kept: Store) -> set[str]:
    return {Path(name).stem for name in (kept.place / "checkpoints").names()}


def run(
    kept: Store, size: int, engine: Plain | None = None, budget: int = BUDGET
) -> list[Progress]:
    work = plan(TRIALS, kept.standings(), budget)
    return [
        progress
        for pack in packs(work, size)
        for progress in worker(kept, engine or ENGINE).train(pack)
    ]


def started_in(kept: Store) -> list[str]:
    """Return the ids of the trials whose training was begun, as often as it was."""
    found = read_events(kept.attempts)
    return [each.trial_id for each in found if isinstance(each, Started)]


def test_the_table_does_not_depend_on_packs_or_on_a_neighbour_that_diverges(
    tmp_path: Path,
) -> None:
    tables, histories = [], []
    for size, parts in ((1, 4), (3, 2), (4, 1)):
        kept = store(tmp_path / str(size))
        run(kept, size)
        assert len(kept.parts.names()) == parts
        tables.append(table_bytes(kept))
        histories.append(kept.history())
    assert tables[0] == tables[1] == tables[2]
    assert histories[0].equals(histories[1])
    assert histories[0].equals(histories[2])
    assert {s.outcome for s in kept.standings().values()} == {"unsolved", "diverged"}
    assert kept.standings()[TRIALS[1].trial_id].outcome == "diverged"


def test_a_raised_budget_gives_what_it_would_have_given_at_once(tmp_path: Path) -> None:
    raised, at_once = store(tmp_path / "raised"), store(tmp_path / "at once")
    run(raised, 2, budget=20)
    assert run(raised, 3)[-1].made == 60
    run(at_once, 4)
    assert table_bytes(raised) == table_bytes(at_once)
    assert raised.history().equals(at_once.history())
    written = raised.history_parts.read(raised.history_parts.names()).table
    assert len(written) == len(raised.history())


def test_a_crash_costs_its_own_trial_alone_and_is_tried_again(tmp_path: Path) -> None:
    kept, broken = store(tmp_path / "broken"), Breaking()
    last = run(kept, 4, broken)[-1]
    assert (last.failed, last.diverged, last.unsolved) == (1, 1, 2)
    assert set(kept.standings()) == {t.trial_id for t in TRIALS} - {trial(2).trial_id}
    failed = failed_trials(kept.attempts)[trial(2).trial_id].last
    assert failed.error == "RuntimeError: the machine is on fire"
    assert "in advance" in failed.traceback
    run(kept, 4, broken)
    whole = store(tmp_path / "whole")
    run(whole, 4)
    assert failed_trials(kept.attempts) == {}
    assert table_bytes(kept) == table_bytes(whole)


def test_what_a_trial_had_made_before_it_crashed_is_not_made_again(tmp_path: Path) -> None:
    kept = store(tmp_path)
    run(kept, 4, Breaking(after=20))
    assert run(kept, 4)[-1].made == 20
    assert set(kept.standings()) == {t.trial_id for t in TRIALS}


def test_updates_of_a_trial_that_crashes_stay_counted(tmp_path: Path) -> None:
    reports = run(store(tmp_path), 4, Breaking(after=20))
    made = [progress.made for progress in reports]
    # Counts that fall back are those of a pack that started again, to a tracker.
    assert made == sorted(made)
    assert made[-1] == 40 + reports[-1].diverged * 3 + 20 + 40


def test_a_checkpoint_that_cannot_be_used_is_reported_and_costs_only_time(
    tmp_path: Path,
) -> None:
    kept, whole = store(tmp_path / "kept"), store(tmp_path / "whole")
    run(kept, 4, budget=20)
    path = path_of(kept) / "checkpoints" / f"{trial(0).trial_id}.npz"
    path.write_bytes(path.read_bytes()[:100])
    run(kept, 4)
    run(whole, 4)
    assert restarted_trials(kept.attempts) == [trial(0).trial_id]
    assert table_bytes(kept) == table_bytes(whole)
    assert restarted_trials(whole.attempts) == []


def test_ctrl_c_is_not_taken_for_a_crash(tmp_path: Path) -> None:
    kept = store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(kept, 4, Breaking(after=20, error=KeyboardInterrupt()))
    assert set(kept.standings()) == {trial(0).trial_id, TRIALS[1].trial_id}
    assert failed_trials(kept.attempts) == {}
    assert run(kept, 4)[-1].made == 20 + 40


def test_stopping_in_the_middle_keeps_a_checkpoint_and_what_is_finished(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path / "stopped")
    (pack,) = packs(plan(TRIALS, {}, BUDGET), 4)
    running = worker(kept).train(pack)
    while next(running).trial_id != trial(2).trial_id:
        pass
    next(running)
    running.close()
    assert set(kept.standings()) == {trial(0).trial_id, TRIALS[1].trial_id}
    checkpoints = checkpoints_in(kept)
    assert checkpoints == {trial(0).trial_id, trial(2).trial_id}
    run(kept, 4)
    started = started_in(kept)
    assert started.count(trial(0).trial_id) == 1
    assert started.count(trial(2).trial_id) == 2
    whole = store(tmp_path / "whole")
    run(whole, 4)
    assert table_bytes(kept) == table_bytes(whole)


def test_closing_a_pack_that_never_started_writes_nothing(tmp_path: Path) -> None:
    kept = store(tmp_path)
    (pack,) = packs(plan(TRIALS, {}, BUDGET), 4)
    worker(kept).train(pack).close()
    assert kept.attempts.names() == []
    assert checkpoints_in(kept) == set()


def test_ended_trials_leave_no_checkpoint_and_unsolved_ones_do(tmp_path: Path) -> None:
    kept = store(tmp_path)
    run(kept, 2)
    left = checkpoints_in(kept)
    assert left == {trial(seed).trial_id for seed in (0, 2, 3)}


def test_progress_counts_every_update_once(tmp_path: Path) -> None:
    kept = store(tmp_path)
    work = packs(plan([trial(0), trial(3)], {}, BUDGET), 2)
    last = list(worker(kept).train(work[0]))[-1]
    assert (last.made, last.checks, last.ended) == (80, 8, 2)
    assert last.update_s > 0
    assert last.check_s > 0


def test_a_pack_that_starts_again_after_a_kill_trains_no_committed_trial_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.worker.worker.COMMIT_EVERY_S", 0.0)
    kept = store(tmp_path / "killed")
    (pack,) = packs(plan(TRIALS, {}, BUDGET), 4)
    running = worker(kept).train(pack)
    while next(running).trial_id != trial(3).trial_id:
        pass
    at_the_kill = store(Path(shutil.copytree(path_of(kept), tmp_path / "disk")))
    assert len(at_the_kill.standings()) == 3
    again = list(worker(at_the_kill, known=[]).train(pack))
    assert again[-1].made == BUDGET
    assert again[-1].ended == 4
    running.close()
    whole = store(tmp_path / "whole")
    run(whole, 4)
    assert table_bytes(at_the_kill) == table_bytes(whole)


def test_a_trial_that_must_start_again_says_so(tmp_path: Path) -> None:
    kept = store(tmp_path)
    run(kept, 4)
    path = path_of(kept) / "checkpoints" / f"{trial(0).trial_id}.npz"
    path.write_bytes(path.read_bytes()[:-5])
    work = plan([trial(0), trial(2)], kept.standings(), 2 * BUDGET)
    for pack in packs(work, 1):
        list(worker(kept).train(pack))
    assert restarted_trials(kept.attempts) == [trial(0).trial_id]
    assert {s.updates for s in kept.standings().values() if s.outcome == "unsolved"} == {
        BUDGET,
        2 * BUDGET,
    }


def test_what_another_run_has_committed_since_the_plan_is_not_trained_again(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path / "kept")
    mine = packs(plan(TRIALS, {}, BUDGET), 2)
    at_work = worker(kept)
    list(at_work.train(mine[0]))
    list(worker(kept).train(packs(plan(TRIALS[2:], {}, BUDGET), 1)[0]))
    last = list(at_work.train(mine[1]))[-1]
    assert (last.ended, last.made) == (2, BUDGET)
    started = started_in(kept)
    assert sorted(started) == sorted(t.trial_id for t in TRIALS)
    whole = store(tmp_path / "whole")
    run(whole, 4)
    assert table_bytes(kept) == table_bytes(whole)


def test_a_result_at_a_smaller_budget_is_no_reason_to_leave_a_trial_out(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path)
    (pack,) = packs(plan([trial(0)], {}, BUDGET), 1)
    at_work = worker(kept)
    run(kept, 1, budget=20)
    assert list(at_work.train(pack))[-1].made == BUDGET - 20
    assert kept.standings()[trial(0).trial_id].updates == BUDGET


@dataclass
class Full(System):
    """A disk that is full from the n-th file on, until there is room."""

    files: int

    def __post_init__(self) -> None:
        super().__init__()

    def write(self, path: Path, data: bytes) -> None:
        self.files -= 1
        if self.files < 0:
            raise OSError(28, "No space left on device", str(path))
        super().write(path, data)


@pytest.mark.parametrize("files", range(14))
def test_a_full_disk_halts_the_pack_and_costs_no_committed_trial(
    tmp_path: Path, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.worker.worker.COMMIT_EVERY_S", 0.0)
    disk = Full(files)
    kept = Store(Patient(DiskFolder(tmp_path / "full", disk), (0.0,)), RECURRENT.columns)
    (pack,) = packs(plan(TRIALS, {}, BUDGET), 4)
    last = list(worker(kept).train(pack))[-1]
    assert ("No space left on device" in last.halted) == (files < 12)
    before = kept.standings()
    started = len(started_in(kept))
    disk.files = 10**6
    run(kept, 4)
    assert not set(started_in(kept)[started:]) & set(before)
    assert failed_trials(kept.attempts) == {}
    whole = store(tmp_path / "whole")
    run(whole, 4)
    assert table_bytes(kept) == table_bytes(whole)


def test_a_disk_that_is_full_when_the_run_stops_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Full(10**6)
    kept = Store(Patient(DiskFolder(tmp_path, disk), (0.0,)), RECURRENT.columns)
    (pack,) = packs(plan(TRIALS, {}, BUDGET), 4)
    running = worker(kept).train(pack)
    while next(running).trial_id != trial(2).trial_id:
        pass
    disk.files = 0
    running.close()
    assert "No space left on device" in caplog.text


def test_an_attempt_says_how_long_it_took_and_how_many_updates_it_made(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path)
    run(kept, 4, budget=20)
    run(kept, 4)
    ends = [e for e in read_events(kept.attempts) if isinstance(e, Finished)]
    made = [e.made for e in ends if e.trial_id == trial(0).trial_id]
    assert made == [20, 20]
    assert all(0 < e.seconds < 10 for e in ends)
    assert all(e.pack for e in ends)
