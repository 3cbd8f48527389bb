"""The scheduler in one process: packs take turns, stop when asked, and are given up at last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from small import Walk, store, table_bytes, trial

from cluster.processes import Offspring
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.spec.own_trials import OwnTrainer
from sweeps.spec.trial_type import Resources, TrialType
from sweeps.store.attempts import read_events
from sweeps.store.events import Started
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.in_process import MAX_FAILURES, in_process
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import Listener, Scheduler, Setup
from sweeps.worker.worker import Worker

BUDGET = 40
KINDS = pytest.mark.parametrize(
    "make", [trial, lambda seed: Walk(seed=seed)], ids=["rnnlab", "own"]
)


@dataclass
class Noting:
    """A listener that notes what it hears, and may ask to stop."""

    stop_after: int | None = None
    heard: list[tuple[int, Progress]] = field(default_factory=list[tuple[int, Progress]])
    lost: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])

    def report(self, number: int, progress: Progress) -> None:
        self.heard.append((number, progress))

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        self.lost.append((number, error, traceback))

    def asked(self) -> bool:
        return self.stop_after is not None and len(self.heard) >= self.stop_after


class Often(Assignment):
    """Workers report after every few updates."""

    def worker(self) -> Worker:
        return replace(super().worker(), chunk_s=0.0)


def _lost(why: str) -> NoReturn:
    raise AssertionError(why)


def scheduled(kept: Store, trials: list[Any], listener: Listener, workers: int = 2) -> None:
    """Train trials, one in each pack."""
    work = plan(trials, kept.standings(), BUDGET)
    type_ = TrialType.of(trials[0])
    engine = "plain" if type_.described.engines else None
    known = frozenset(kept.parts.names())
    assignment = Often("s", packs(work, 1), kept, engine, 1, known, Resources())
    setup = Setup(
        name="s",
        metadata={},
        workers=workers,
        limited=True,
        offspring=Offspring(),
        lost=_lost,
        not_started=_lost,
    )
    with in_process(setup) as found:
        scheduler: Scheduler = found
        assert (scheduler.workers, scheduler.dashboard) == (workers, None)
        scheduler.train(assignment, Parcel.of(assignment, None), listener)


@KINDS
def test_all_packs_are_trained(tmp_path: Path, make: Callable[[int], Any]) -> None:
    trials = [make(seed) for seed in range(4)]
    tables: list[bytes] = []
    for workers in (1, 2, 9):
        kept = store(tmp_path / str(workers), type(trials[0]))
        scheduled(kept, trials, listener := Noting(), workers)
        assert listener.lost == []
        assert {number for number, _ in listener.heard} == {1, 2, 3, 4}
        last = dict(listener.heard)
        assert all((p.unsolved, p.made) == (1, BUDGET) for p in last.values())
        tables.append(table_bytes(kept))
    assert len(set(tables)) == 1


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_packs_take_turns_one_report_each(tmp_path: Path, workers: int) -> None:
    trials = [Walk(seed=seed) for seed in range(3)]
    scheduled(store(tmp_path, Walk), trials, listener := Noting(), workers)
    turns = [number for number, _ in listener.heard]
    first = list(range(1, workers + 1))
    assert turns[: 3 * workers] == first * 3
    assert len(turns) > 12


@KINDS
def test_asked_to_stop_it_saves_checkpoints_and_resumes_later(
    tmp_path: Path, make: Callable[[int], Any]
) -> None:
    trials = [make(seed) for seed in range(3)]
    kept = store(tmp_path / "stopped", type(trials[0]))
    scheduled(kept, trials, listener := Noting(stop_after=5))
    assert len(listener.heard) == 5
    assert kept.standings() == {}
    under_way = {f"{id_of(trials[number - 1])}.npz" for number in (1, 2)}
    assert set((kept.place / "checkpoints").names()) == under_way
    scheduled(kept, trials, Noting())
    whole = store(tmp_path / "whole", type(trials[0]))
    scheduled(whole, trials, Noting())
    assert table_bytes(kept) == table_bytes(whole)


def test_asked_before_it_begins_it_trains_nothing(tmp_path: Path) -> None:
    kept = store(tmp_path, Walk)
    scheduled(kept, [Walk()], listener := Noting(stop_after=0))
    assert listener.heard == []
    assert read_events(kept.attempts) == []
    assert (kept.place / "checkpoints").names() == []


@dataclass(frozen=True, kw_only=True)
class Deadly(Walk):
    """A walk whose result no store takes: its worker dies where it is committed."""

    deadly: bool = False

    def check(self, state: dict[str, Any]) -> Mapping[str, Any]:  # type: ignore[override]
        return {"distance": 2**70 if self.deadly else 1}


def test_a_worker_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    kept = store(tmp_path, Deadly)
    trials = [Deadly(seed=1, deadly=True), Deadly(seed=2), Deadly(seed=3)]
    scheduled(kept, trials, listener := Noting())
    ((number, error, traceback),) = listener.lost
    assert number == 1
    assert error.startswith("StoreError: A result cannot be written")
    assert "Traceback" in traceback
    started = [e.trial_id for e in read_events(kept.attempts) if isinstance(e, Started)]
    assert started.count(id_of(trials[0])) == MAX_FAILURES + 1
    assert set(kept.standings()) == {id_of(trials[1]), id_of(trials[2])}


def test_a_worker_that_cannot_begin_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its engine cannot be compiled."""
    begun: list[str] = []

    def trainer(_: object, engine: str | None, device: str) -> OwnTrainer:
        begun.append(device)
        raise OSError("no compiler")

    monkeypatch.setattr("sweeps.spec.own_trials.OwnTrials.trainer", trainer)
    scheduled(store(tmp_path, Walk), [Walk()], listener := Noting())
    ((number, error, _),) = listener.lost
    assert (number, error) == (1, "OSError: no compiler")
    assert len(begun) == MAX_FAILURES + 1


@dataclass(frozen=True, kw_only=True)
class Faltering(Walk):
    """A walk whose result cannot be committed at first."""

    deaths: ClassVar[list[int]] = [0]

    def check(self, state: dict[str, Any]) -> Mapping[str, Any]:  # type: ignore[override]
        self.deaths[0] -= 1
        return {"distance": 2**70 if self.deaths[0] >= 0 else 1}


def test_a_worker_that_died_begins_its_pack_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faltering, "deaths", [BUDGET // 10 * MAX_FAILURES])
    kept = store(tmp_path, Faltering)
    monkeypatch.setattr("sweeps.store.checkpoints.CheckpointFolder.load", lambda *_: None)
    scheduled(kept, [Faltering()], listener := Noting())
    assert listener.lost == []
    assert len(kept.standings()) == 1
