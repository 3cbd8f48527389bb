"""The training loop, over any trainer: interrupted or not, the same numbers."""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import Walk, checkpoints, trial

from rnnlab import Trial
from rnnlab.engines import choose
from rnnlab.train import train
from rnnlab.trainer import RecurrentTrainer
from sweeps.spec.trainer import Trainer
from sweeps.spec.trial_type import TrialType
from sweeps.store.checkpoints import CheckpointFolder, Checkpoints, Position
from sweeps.store.result import Result
from sweeps.store.trial_id import id_of
from sweeps.worker.training import result_of, training

PLAIN = choose("plain")
RECURRENT = replace(trial(), omega_weight=2.0)
BOTH = [RECURRENT, Walk(seed=3)]
both = pytest.mark.parametrize("one", BOTH, ids=["rnnlab", "own"])


def trainer_of(one: Any) -> Trainer:
    return TrialType.of(one).described.trainer("plain", "cpu")


def position_of(one: Any, budget: int, kept: Checkpoints | None = None) -> Position:
    *_, last = training(one, budget=budget, trainer=trainer_of(one), checkpoints=kept)
    return last


def trained(one: Any, budget: int, kept: Checkpoints | None = None) -> Result:
    return result_of(one, position_of(one, budget, kept), trainer_of(one), budget)


def stopped(one: Any, at_least: int, kept: Checkpoints, budget: int = 60) -> int:
    """Train up to an update, and close; return the update."""
    positions = training(
        one, budget=budget, trainer=trainer_of(one), checkpoints=kept, chunk_s=0.0
    )
    while (update := next(positions).update) < at_least:
        pass
    positions.close()
    return update


def load(one: Any, kept: CheckpointFolder) -> Position:
    found = kept.load(id_of(one), trainer_of(one).numerics_id(one))
    assert found is not None
    return found


@both
def test_there_is_a_check_at_every_multiple_and_nowhere_else(one: Any) -> None:
    found = trained(one, 40)
    assert [check["update"] for check in found.checks] == [10, 20, 30, 40]
    assert (found.updates, found.outcome) == (40, "unsolved")


def test_a_sweep_gives_the_numbers_of_the_plain_loop() -> None:
    alone, swept = train(RECURRENT, budget=40, engine=PLAIN), trained(RECURRENT, 40)
    assert swept.row()["loss"] == alone.checks[-1].loss
    for check, seen in zip(swept.checks, alone.checks, strict=True):
        assert check == {**dataclasses.asdict(seen), "error_rate": seen.error_rate}
    assert (swept.trial_id, swept.numerics_id) == (alone.trial_id, alone.numerics_id)


@both
@pytest.mark.parametrize("budget", [0, -10, 15])
def test_a_budget_between_checks_is_refused(one: Any, budget: int) -> None:
    with pytest.raises(ValueError, match="positive multiple of 10"):
        position_of(one, budget)


@both
@pytest.mark.parametrize("budget", [40.0, True, "40"])
def test_a_budget_that_is_no_whole_number_is_refused(one: Any, budget: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number of updates"):
        position_of(one, budget)


@both
@pytest.mark.parametrize("size", [1, 3, 7, 10, 1000])
@pytest.mark.parametrize("chunk_s", [0.0, 3600.0])
def test_where_chunks_are_cut_changes_no_number(
    one: Any, size: int, chunk_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(one, 30)
    monkeypatch.setattr("sweeps.worker.training.FIRST_CHUNK", size)
    *_, last = training(one, budget=30, trainer=trainer_of(one), chunk_s=chunk_s)
    assert result_of(one, last, trainer_of(one), 30) == whole


@both
@pytest.mark.parametrize("at_least", [0, 1, 10, 13, 47])
def test_interrupted_anywhere_and_resumed_is_the_same(
    tmp_path: Path, one: Any, at_least: int
) -> None:
    kept = checkpoints(tmp_path)
    stopped_at = stopped(one, at_least, kept)
    assert load(one, kept).update == stopped_at
    assert trained(one, 60, kept) == trained(one, 60)


VARIANTS = [
    *BOTH,
    replace(trial(1), init="sigmoid", clip_norm=None),
    replace(trial(2), init="basic_tanh", repair_nonfinite=True),
    trial(3, lr=1e38),
    Walk(lr=1.5, solved_below=0.5),
]


@settings(max_examples=10)
@given(st.sampled_from(VARIANTS), st.lists(st.integers(1, 8), max_size=4))
def test_interrupted_again_and_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: Any, steps: list[int]
) -> None:
    kept = checkpoints(tmp_path_factory.mktemp("kept"))
    for step in steps:
        positions = training(
            one, budget=30, trainer=trainer_of(one), checkpoints=kept, chunk_s=0.0
        )
        for _ in zip(range(step), positions, strict=False):
            pass
        positions.close()
    assert trained(one, 30, kept) == trained(one, 30)


@both
def test_a_position_comes_now_and_then_and_at_the_end_however_often_one_checks(
    one: Any,
) -> None:
    seldom = list(training(one, budget=60, trainer=trainer_of(one), chunk_s=3600.0))
    assert [position.update for position in seldom] == [0, 60]
    assert [c["update"] for c in seldom[-1].checks] == [10, 20, 30, 40, 50, 60]
    often = list(training(one, budget=60, trainer=trainer_of(one), chunk_s=0.0))
    assert len(often) > 20
    assert often[-1].checks == seldom[-1].checks


@both
def test_killed_between_two_checkpoints_is_the_same(tmp_path: Path, one: Any) -> None:
    kept, copied = checkpoints(tmp_path / "kept"), tmp_path / "copied"
    positions = training(
        one,
        budget=40,
        trainer=trainer_of(one),
        checkpoints=kept,
        chunk_s=0.0,
        checkpoint_every_s=0.0,
    )
    while next(positions).update < 17:
        pass
    shutil.copytree(tmp_path / "kept", copied)
    list(positions)
    assert load(one, checkpoints(copied)).update == 17
    assert trained(one, 40, checkpoints(copied)) == trained(one, 40)


class Recording(Checkpoints):
    """Keeps one position, and whether it had to be durable."""

    def __init__(self, position: Position | None = None) -> None:
        self.position, self.durable = position, list[bool]()

    def load(self, trial_id: str, numerics_id: str, device: str = "cpu") -> Position | None:
        return self.position

    def save(
        self, trial_id: str, numerics_id: str, position: Position, *, durable: bool = True
    ) -> None:
        self.position = position
        self.durable.append(durable)


@both
def test_only_what_took_long_must_outlive_a_power_failure(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = Recording(), Recording()
    resumed = Recording(Position(0, trainer_of(one).start(one)))
    trained(one, 20, short)
    trained(one, 20, resumed)
    trained(one, 20, resumed)  # where nothing was trained, nothing is saved
    monkeypatch.setattr("sweeps.worker.training.CHEAP_S", 0.0)
    trained(one, 20, long)
    assert (short.durable, long.durable) == ([False], [True])
    assert resumed.durable == [True]


@both
def test_what_was_saved_now_and_then_outlives_a_power_failure(one: Any) -> None:
    kept = Recording()
    trainer = trainer_of(one)
    positions = training(
        one, budget=20, trainer=trainer, checkpoints=kept, checkpoint_every_s=0.0
    )
    list(positions)
    assert kept.durable
    assert all(kept.durable)


@both
def test_extending_a_budget_equals_asking_for_it_at_once(tmp_path: Path, one: Any) -> None:
    kept = checkpoints(tmp_path)
    trained(one, 20, kept)
    assert load(one, kept).update == 20
    assert trained(one, 50, kept) == trained(one, 50)


@both
@pytest.mark.parametrize("further", [27, 30])
def test_a_checkpoint_beyond_the_budget_gives_the_result_at_the_budget(
    tmp_path: Path, one: Any, further: int
) -> None:
    kept = checkpoints(tmp_path)
    stopped(one, further, kept)
    assert trained(one, 20, kept) == trained(one, 20)
    assert load(one, kept).update >= further


def test_an_ending_beyond_the_budget_has_not_come(tmp_path: Path) -> None:
    """The trial is solved at 20 or later, so at 10 it was not."""
    one, kept = Walk(solved_below=0.2), checkpoints(tmp_path)
    solved = trained(one, 60, kept)
    assert (solved.outcome, solved.updates >= 20) == ("solved", True)
    before = trained(one, 10, kept)
    assert (before.outcome, before.updates, len(before.checks)) == ("unsolved", 10, 1)


def test_a_solved_trial_is_not_trained_again(tmp_path: Path) -> None:
    one, kept = Walk(solved_below=0.2), checkpoints(tmp_path)
    solved = trained(one, 60, kept)
    again = Counting(one)
    *_, last = training(one, budget=600, trainer=again, checkpoints=kept)
    assert result_of(one, last, again, 600) == solved
    assert again.made == []


@dataclass
class Counting:
    """A trainer that notes the updates it makes."""

    one: Any
    engine = None
    device = "cpu"
    in_place = True

    def __post_init__(self) -> None:
        self.within, self.made = trainer_of(self.one), list[int]()

    def numerics_id(self, trial: Any) -> str:
        return self.within.numerics_id(trial)

    def start(self, trial: Any) -> Any:
        return self.within.start(trial)

    def advance(
        self, trial: Any, state: Any, update: int, updates: int
    ) -> tuple[Any, int, bool]:
        self.made.append(updates)
        return self.within.advance(trial, state, update, updates)

    def check(self, trial: Any, state: Any, update: int) -> Mapping[str, Any]:
        return self.within.check(trial, state, update)

    def outcome(self, trial: Any, checks: Sequence[Mapping[str, Any]]) -> Any:
        return self.within.outcome(trial, checks)

    def summary(self, trial: Any, state: Any, checks: Any, outcome: Any) -> Any:
        return self.within.summary(trial, state, checks, outcome)


@both
def test_a_trainer_is_never_asked_to_go_past_a_check(one: Any) -> None:
    trainer = Counting(one)
    list(training(one, budget=60, trainer=trainer, chunk_s=3600.0))
    assert trainer.made == [10] * 6


def test_numbers_that_are_not_finite_end_a_trial_as_diverged() -> None:
    found = trained(trial(lr=1e38), 100)
    assert (found.outcome, found.checks) == ("diverged", ())
    assert found.updates < 10
    with np.errstate(all="ignore"):
        far = trained(Walk(lr=1e200), 100)
    assert (far.outcome, far.updates, len(far.checks)) == ("diverged", 10, 1)


def test_where_every_update_was_repaired_there_is_no_mean(tmp_path: Path) -> None:
    """The averages are NaN, and still the same however training was interrupted."""
    one = replace(trial(), repair_nonfinite=True)
    trainer = trainer_of(one)
    tree: dict[str, Any] = trainer.start(one)
    signs = np.array([[1], [-1], [1], [-1]], dtype=np.float32)
    tree = {**tree, "w_out": np.full_like(tree["w_out"], 3e38) * signs}
    results: list[Result] = []
    for stops in ([], [3, 14]):
        kept = checkpoints(tmp_path / f"{len(stops)}")
        kept.save(id_of(one), trainer.numerics_id(one), Position(0, tree))
        for stop in stops:
            stopped(one, stop, kept, budget=20)
        results.append(trained(one, 20, kept))
    assert repr(results[0]) == repr(results[1])
    for check in results[0].checks:
        assert check["repaired_share"] == 1
        assert np.isnan([check["loss"], check["grad_norm_mean"]]).all()


class CrashesAt(RecurrentTrainer):
    """Raises where a trial has made so many updates."""

    def __init__(self, update: int) -> None:
        super().__init__(PLAIN)
        self.update = update

    def advance(
        self, trial: Trial, state: dict[str, Any], update: int, updates: int
    ) -> tuple[dict[str, Any], int, bool]:
        if update == self.update:
            raise KeyError("twenty")
        return super().advance(trial, state, update, updates)


def test_a_trainer_that_crashes_leaves_the_last_sound_state(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    with pytest.raises(KeyError, match="twenty"):
        list(training(RECURRENT, budget=40, trainer=CrashesAt(20), checkpoints=kept))
    found = load(RECURRENT, kept)
    assert (found.update, len(found.checks)) == (20, 2)
    assert trained(RECURRENT, 40, kept) == trained(RECURRENT, 40)


@dataclass(frozen=True, kw_only=True)
class Stumbling(Walk):
    """A walk that crashes in the middle of a chunk, or in a check, after update 20."""

    where: str = "advance"
    crashing: ClassVar[list[bool]] = [True]

    def advance(self, state: dict[str, Any], updates: int) -> dict[str, Any]:
        if self.where == "advance" and state.get("made", 0) >= 20 and self.crashing[0]:
            super().advance(state, 1)
            raise RuntimeError("stumbled")
        after = super().advance(state, updates)
        return {**after, "made": state.get("made", 0) + updates}

    def check(self, state: dict[str, Any]) -> dict[str, float]:
        if self.where == "check" and state["made"] > 20 and self.crashing[0]:
            raise RuntimeError("stumbled")
        return super().check(state)


@pytest.mark.parametrize("where", ["advance", "check"])
@pytest.mark.parametrize("every_s", [0.0, 3600.0])
def test_a_crash_of_what_works_in_place_leaves_no_state_that_was_changed_in_part(
    tmp_path: Path, where: str, every_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, kept = Stumbling(where=where), checkpoints(tmp_path)
    with pytest.raises(RuntimeError, match="stumbled"):
        list(
            training(
                one,
                budget=60,
                trainer=trainer_of(one),
                checkpoints=kept,
                checkpoint_every_s=every_s,
            )
        )
    assert (len(kept.files.names()) == 1) == (every_s == 0.0)
    monkeypatch.setattr(Stumbling, "crashing", [False])
    assert trained(one, 60, kept) == trained(one, 60)


def test_seeds_give_other_trials() -> None:
    for kind in (trial, cast(Any, Walk)):
        first, second = (trained(kind(seed=seed), 10) for seed in (0, 1))
        assert first.checks != second.checks
