"""Many trials at once: the bytes of one after another, whatever happens to a neighbour."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from device import SLOTS, Walker, WalkTrainer
from hypothesis import given
from hypothesis import strategies as st
from small import path_of, store, table_bytes

from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.store.attempts import Attempts, failed_trials, read_events
from sweeps.store.committed import Done
from sweeps.store.events import Failed, Finished, Started
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.progress import Progress
from sweeps.worker.together import Pace, best_work
from sweeps.worker.worker import Worker

BUDGET = 40
WALKERS = [
    *(Walker(seed=seed, length=1 + seed % 3) for seed in range(5)),
    Walker(seed=5, fate="diverges"),
    *(Walker(seed=seed, solved_below=1.2, noise=0.3) for seed in range(6, 10)),
]


def training(
    kept: Store,
    trainer: WalkTrainer,
    trials: list[Walker],
    budget: int = BUDGET,
    chunk_s: float = 0.0,
) -> Generator[Progress]:
    """Train trials in one pack."""
    work = plan(trials, kept.standings(), budget)
    done = Done.since(kept, kept.parts.names())
    worker = Worker(kept, trainer, Attempts(kept.attempts), done, chunk_s=chunk_s)
    for pack in packs(work, max(1, len(work.to_run))):
        yield from worker.train(pack)


def run(
    folder: Path, slots: int, trials: list[Walker] = WALKERS, **more: Any
) -> tuple[Store, WalkTrainer, list[Progress]]:
    kept, trainer = store(folder, Walker), WalkTrainer(slots)
    return kept, trainer, list(training(kept, trainer, trials, **more))


def files(kept: Store) -> dict[str, bytes]:
    """Everything that a run has kept, but for the log of attempts."""
    folder = path_of(kept)
    Path(kept.compact())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "attempts" not in path.parts
    }


@pytest.mark.parametrize("chunk_s", [0.0, 3600.0])
@pytest.mark.parametrize("slots", [2, SLOTS, 64])
def test_slots_change_no_byte_of_parts_history_table_and_checkpoints(
    tmp_path: Path, slots: int, chunk_s: float
) -> None:
    alone, _, one_by_one = run(tmp_path / "alone", 1)
    together, trainer, at_once = run(tmp_path / "together", slots, chunk_s=chunk_s)
    assert files(together) == files(alone)
    last = [(p.made, p.checks, p.solved, p.unsolved, p.diverged) for p in at_once]
    assert last[-1] == (one_by_one[-1].made, one_by_one[-1].checks, 4, 5, 1)
    assert {s.outcome for s in alone.standings().values()} == {
        "solved",
        "unsolved",
        "diverged",
    }
    assert trainer.calls


def test_the_place_of_a_trial_that_has_ended_is_taken_by_the_next(tmp_path: Path) -> None:
    _, trainer, _ = run(tmp_path, SLOTS)
    sizes = [len(call) for call in trainer.calls]
    first = next(place for place, size in enumerate(sizes) if size < SLOTS)
    started = {seed for call in trainer.calls[: first + 1] for seed, _, _ in call}
    assert len(started) == len(WALKERS)  # the card is full until none is left to start
    assert max(sizes) == SLOTS


def test_no_call_passes_a_check_and_costs_are_balanced(tmp_path: Path) -> None:
    trials = [Walker(seed=seed, length=1 + seed) for seed in range(SLOTS)]
    _, trainer, _ = run(tmp_path, SLOTS, trials, budget=400, chunk_s=3600.0)
    for call in trainer.calls:
        for _, made, updates in call:
            assert 1 <= updates <= 10 - made % 10


def test_reports_count_every_update_and_check_once(tmp_path: Path) -> None:
    trials = [Walker(seed=seed) for seed in range(6)]
    _, _, reports = run(tmp_path, SLOTS, trials)
    made = [each.made for each in reports]
    assert made == sorted(made)
    assert [each.ended for each in reports] == sorted(each.ended for each in reports)
    last = reports[-1]
    assert (last.made, last.checks, last.unsolved) == (6 * BUDGET, 6 * 4, 6)
    assert (last.cost_made, last.cost_left, last.together) == (6.0 * BUDGET, 0.0, 0)
    assert reports[0].together == SLOTS
    assert reports[0].cost_left == 6.0 * BUDGET
    assert last.update_s > 0
    assert last.check_s > 0


def test_one_that_raises_costs_itself_alone(tmp_path: Path) -> None:
    culprits = ["raises", "no check", "bad check", "cannot start"]
    bad = [Walker(seed=20 + n, fate=fate) for n, fate in enumerate(culprits)]
    kept, _, reports = run(tmp_path / "bad", SLOTS, [*WALKERS[:5], *bad, *WALKERS[5:]])
    failed = failed_trials(kept.attempts)
    assert set(failed) == {id_of(each) for each in bad}
    assert failed[id_of(bad[0])].last.error == "RuntimeError: the walk is on fire"
    assert "in advance" in failed[id_of(bad[0])].last.traceback
    assert reports[-1].failed == len(bad)
    assert reports[-1].ended == len(WALKERS) + len(bad)
    good, _, _ = run(tmp_path / "good", SLOTS)
    assert table_bytes(kept) == table_bytes(good)
    assert kept.history().equals(good.history())


def test_where_all_raise_the_device_is_at_fault_and_no_trial(tmp_path: Path) -> None:
    kept, trainer = store(tmp_path / "kept", Walker), WalkTrainer()
    reports = training(kept, trainer, WALKERS)
    while next(reports).made < 100:
        pass
    trainer.broken = True
    with pytest.raises(RuntimeError, match="the device is lost"):
        list(reports)
    assert failed_trials(kept.attempts) == {}
    list(training(kept, WalkTrainer(), WALKERS))
    whole, _, _ = run(tmp_path / "whole", SLOTS)
    assert table_bytes(kept) == table_bytes(whole)
    assert not [e for e in read_events(kept.attempts) if isinstance(e, Failed)]


@pytest.mark.parametrize("after", [1, 2, 5, 9, 14, 30])
def test_stopped_in_the_middle_and_resumed_it_gives_the_same_bytes(
    tmp_path: Path, after: int
) -> None:
    kept = store(tmp_path / "stopped", Walker)
    reports = training(kept, WalkTrainer(), WALKERS)
    made = [next(reports).made for _ in range(after)][-1]
    reports.close()
    again = list(training(kept, WalkTrainer(SLOTS - 1), WALKERS))[-1].made
    whole, _, all_at_once = run(tmp_path / "whole", SLOTS)
    assert table_bytes(kept) == table_bytes(whole)
    assert kept.history().equals(whole.history())
    assert made + again <= all_at_once[-1].made  # nothing is made twice


def test_a_check_under_way_is_not_lost_when_the_run_stops(tmp_path: Path) -> None:
    kept, trainer = store(tmp_path, Walker), WalkTrainer()
    reports = training(kept, trainer, [Walker(seed=seed) for seed in range(SLOTS)])
    next(reports)
    assert next(reports).made == 0  # ten updates are made, and their checks under way
    reports.close()
    for seed in range(SLOTS):
        found = kept.checkpoints.load(id_of(Walker(seed=seed)), "walk-1")
        assert found is not None
        assert (found.update, len(found.checks)) == (10, 1)


def test_a_larger_budget_continues_what_a_smaller_one_left(tmp_path: Path) -> None:
    kept, _, _ = run(tmp_path / "kept", SLOTS, budget=20)
    list(training(kept, WalkTrainer(), WALKERS))
    whole, _, _ = run(tmp_path / "whole", 1)
    assert table_bytes(kept) == table_bytes(whole)


def test_an_attempt_is_charged_its_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow").write_text("0.002")
    monkeypatch.setenv("SLOW_WALKS", str(tmp_path / "slow"))
    began = time.monotonic()
    kept, _, _ = run(tmp_path / "kept", SLOTS, [Walker(seed=seed) for seed in range(SLOTS)])
    took = time.monotonic() - began
    ends = [e for e in read_events(kept.attempts) if isinstance(e, Finished)]
    assert [each.made for each in ends] == [BUDGET] * SLOTS
    shares = sorted(each.seconds for each in ends)
    assert 0 < shares[0] <= shares[-1] < 2 * shares[0]
    assert sum(shares) < took
    started = [e for e in read_events(kept.attempts) if isinstance(e, Started)]
    assert len(started) == SLOTS


def test_checkpoints_are_saved_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.worker.together.CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setattr("sweeps.worker.together.SAVING_SHARE", 1e9)
    kept = store(tmp_path, Walker)
    reports = training(kept, WalkTrainer(), WALKERS)
    while next(reports).made < 20:
        pass
    names = set((kept.place / "checkpoints").names())
    assert len(names) == SLOTS
    reports.close()


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=20),
    st.floats(1, 1e6),
    st.floats(0, 1e3),
)
def test_a_call_is_as_long_as_wastes_the_least(
    work: list[float], most: float, overhead: float
) -> None:
    def used(w: float) -> float:
        return sum(min(each, w) for each in work) / (w + overhead)

    found = best_work(work, most, overhead)
    assert 0 < found <= most
    assert used(found) >= max(used(min(each, most)) for each in work) * (1 - 1e-9)


def test_trials_of_other_cost_end_a_call_together() -> None:
    pace = Pace(call_s=1.0)
    assert pace.updates([2000, 2000], [1.0, 4.0]) == [40, 10]
    pace.took(40.0, 0.004)
    assert pace.updates([2000, 2000], [1.0, 4.0]) == [80, 20]  # at most twice as many
    pace.took(2000.0, 0.4)
    assert pace.updates([2000, 2000], [1.0, 4.0]) == [2000, 500]
    pace.took(2000.0, 4.0)
    assert pace.updates([2000, 2000], [1.0, 4.0]) == [500, 125]  # a second at most
