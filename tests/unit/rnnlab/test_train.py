"""The loop: checks, stopping, divergence; interrupted or not, the same numbers."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import checkpoints, trial

from rnnlab import Result, TemporalOrder, Trial, rng
from rnnlab.checkpoint import Checkpoints
from rnnlab.data import Batch, draw_batch
from rnnlab.diagnostics import largest_singular_value, spectral_radius
from rnnlab.engines import Engine, Gradients, choose
from rnnlab.engines.plain import Plain
from rnnlab.rng import CHECK
from rnnlab.state import Parameters, State
from rnnlab.train import fresh, result_of, train, training

ENGINE = choose("plain")
SMALL = dataclasses.replace(trial(), omega_weight=2.0)


@dataclasses.dataclass(frozen=True)
class Scripted:
    """An engine that trains as `plain` does and finds the errors of a script."""

    errors: dict[int, int]
    name: str = "scripted"
    numerics_id: str = "scripted-0"
    within: Plain = dataclasses.field(default_factory=Plain)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        return self.within.advance(trial, state, updates)

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        found = self.errors.get(index)
        return (stop_at, 130) if found is None else (found, 10_000)

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        return self.within.gradients(trial, parameters, batch)


def test_the_engines_of_these_tests_are_engines() -> None:
    assert isinstance(ENGINE, Engine)
    assert isinstance(Scripted({}), Engine)


@pytest.mark.parametrize(
    ("stop", "outcome", "updates", "solved_at", "zero_errors_at"),
    [("below_1_percent", "solved", 30, 30, None), ("zero_errors", "solved", 50, 30, 50)],
)
def test_stop_says_which_check_ends_a_trial(
    stop: str, outcome: str, updates: int, solved_at: int, zero_errors_at: int | None
) -> None:
    one = dataclasses.replace(trial(), stop=stop)
    found = train(one, budget=60, engine=Scripted({3: 99, 4: 100, 5: 0}))
    assert (found.outcome, found.updates) == (outcome, updates)
    assert (found.solved_at, found.zero_errors_at) == (solved_at, zero_errors_at)


def test_a_trial_that_waits_for_zero_errors_is_unsolved_until_then() -> None:
    one = dataclasses.replace(trial(), stop="zero_errors")
    found = train(one, budget=30, engine=Scripted({2: 5}))
    assert (found.outcome, found.updates) == ("unsolved", 30)
    assert (found.solved_at, found.zero_errors_at) == (20, None)


def test_exactly_one_percent_wrong_is_no_success() -> None:
    assert train(trial(), budget=10, engine=Scripted({1: 100})).outcome == "unsolved"
    assert train(trial(), budget=10, engine=Scripted({1: 99})).outcome == "solved"


def test_there_is_a_check_at_every_multiple_and_nowhere_else() -> None:
    found = train(SMALL, budget=40, engine=ENGINE)
    assert [check.update for check in found.checks] == [10, 20, 30, 40]
    assert found.updates == 40


def test_a_checks_averages_run_over_the_updates_since_the_last() -> None:
    first, second = train(SMALL, budget=20, engine=ENGINE).checks
    halfway = ENGINE.advance(SMALL, fresh(SMALL), 10)
    whole = ENGINE.advance(SMALL, halfway, 10).totals
    half = halfway.totals
    assert first.loss == pytest.approx(half.loss / 10)
    assert second.loss == pytest.approx((whole.loss - half.loss) / 10)
    assert second.grad_norm_mean == pytest.approx((whole.grad_norm - half.grad_norm) / 10)
    assert max(first.grad_norm_max, second.grad_norm_max) == whole.grad_norm_max


def test_a_check_looks_at_the_weights_of_its_update() -> None:
    (state,) = list(training(SMALL, budget=10, engine=ENGINE))[-1:]
    w_rec = state.parameters.w_rec
    (seen,) = state.checks
    assert seen.spectral_radius == spectral_radius(w_rec)
    assert seen.largest_singular_value == largest_singular_value(w_rec)
    assert seen.largest_singular_value > seen.spectral_radius


@pytest.mark.parametrize("budget", [0, -10, 15])
def test_a_budget_between_checks_is_refused(budget: int) -> None:
    with pytest.raises(ValueError, match="positive multiple of 10"):
        train(SMALL, budget=budget, engine=ENGINE)


def cut_into(chunks: Iterator[int], one: Trial, budget: int) -> Result:
    """Advance by chunks of given sizes, checking where training would."""
    from rnnlab.train import checked

    state = fresh(one)
    while state.update < budget:
        to_check = one.check_every - state.update % one.check_every
        state = ENGINE.advance(one, state, min(next(chunks), to_check))
        if state.update % one.check_every == 0:
            state = checked(one, state, ENGINE)
    return result_of(one, state, ENGINE, budget)


@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_where_chunks_are_cut_changes_no_number(size: int) -> None:
    whole = train(SMALL, budget=30, engine=ENGINE)
    assert cut_into(iter([size] * 100), SMALL, 30) == whole


@pytest.mark.parametrize("after", [0, 1, 2, 4, 5])
def test_interrupted_anywhere_and_resumed_is_the_same(tmp_path: Path, after: int) -> None:
    kept = checkpoints(tmp_path)
    states = training(SMALL, budget=60, engine=ENGINE, checkpoint=kept, chunk_s=0.0)
    stopped_at = [next(states).update for _ in range(after + 1)][-1]
    states.close()
    resumed = kept.load(SMALL, ENGINE.numerics_id)
    assert resumed is not None
    assert resumed.update == stopped_at
    found = train(SMALL, budget=60, engine=ENGINE, checkpoint=kept)
    assert found == train(SMALL, budget=60, engine=ENGINE)


VARIANTS = [
    SMALL,
    dataclasses.replace(trial(1), init="sigmoid", clip_norm=None),
    dataclasses.replace(trial(2), init="basic_tanh", repair_nonfinite=True),
    trial(3, lr=1e38),
]


@settings(max_examples=8)
@given(st.sampled_from(VARIANTS), st.lists(st.integers(1, 8), max_size=4))
def test_interrupted_again_and_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: Trial, steps: list[int]
) -> None:
    kept = checkpoints(tmp_path_factory.mktemp("kept"))
    for step in steps:
        states = training(one, budget=30, engine=ENGINE, checkpoint=kept, chunk_s=0.0)
        for _ in zip(range(step), states, strict=False):
            pass
        states.close()
    found = train(one, budget=30, engine=ENGINE, checkpoint=kept)
    assert found == train(one, budget=30, engine=ENGINE)


def test_a_state_is_given_now_and_then_and_at_the_end_however_often_one_checks() -> None:
    given = list(training(SMALL, budget=60, engine=ENGINE, chunk_s=3600.0))
    assert [state.update for state in given] == [0, 60]
    assert [check.update for check in given[-1].checks] == [10, 20, 30, 40, 50, 60]
    often = list(training(SMALL, budget=60, engine=ENGINE, chunk_s=0.0))
    assert len(often) > 20
    assert often[-1].checks == given[-1].checks


def test_killed_between_two_checkpoints_is_the_same(tmp_path: Path) -> None:
    kept, copied = checkpoints(tmp_path / "kept"), tmp_path / "copied"
    states = training(
        SMALL,
        budget=40,
        engine=ENGINE,
        checkpoint=kept,
        chunk_s=0.0,
        checkpoint_every_s=0.0,
    )
    while next(states).update < 17:
        pass
    shutil.copytree(tmp_path / "kept", copied)
    list(states)
    found = checkpoints(copied).load(SMALL, ENGINE.numerics_id)
    assert found is not None
    assert found.update == 17
    resumed = train(SMALL, budget=40, engine=ENGINE, checkpoint=checkpoints(copied))
    assert resumed == train(SMALL, budget=40, engine=ENGINE)


class Recording(Checkpoints):
    """Keeps one state, and whether it had to be durable."""

    def __init__(self, state: State | None = None) -> None:
        self.state, self.durable = state, list[bool]()

    def load(self, trial: Trial, numerics_id: str) -> State | None:
        return self.state

    def save(
        self, trial: Trial, numerics_id: str, state: State, *, durable: bool = True
    ) -> None:
        self.state = state
        self.durable.append(durable)


def test_only_what_took_long_must_outlive_a_power_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short, long, resumed = Recording(), Recording(), Recording(fresh(SMALL))
    train(SMALL, budget=20, engine=ENGINE, checkpoint=short)
    train(SMALL, budget=20, engine=ENGINE, checkpoint=resumed)
    train(SMALL, budget=20, engine=ENGINE, checkpoint=resumed)
    monkeypatch.setattr("rnnlab.train.CHEAP_S", 0.0)
    train(SMALL, budget=20, engine=ENGINE, checkpoint=long)
    assert (short.durable, long.durable) == ([False], [True])
    assert resumed.durable == [True]


def test_an_engine_that_crashes_leaves_the_last_sound_state(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    with pytest.raises(KeyError, match="twenty"):
        train(SMALL, budget=40, engine=CrashesAt(20), checkpoint=kept)
    found = kept.load(SMALL, ENGINE.numerics_id)
    assert found is not None
    assert (found.update, len(found.checks)) == (20, 2)
    resumed = train(SMALL, budget=40, engine=ENGINE, checkpoint=kept)
    assert resumed == train(SMALL, budget=40, engine=ENGINE)


@dataclasses.dataclass(frozen=True)
class CrashesAt(Plain):
    update: int = 0

    def __init__(self, update: int) -> None:
        super().__init__()
        object.__setattr__(self, "update", update)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        if state.update == self.update:
            raise KeyError("twenty")
        return super().advance(trial, state, updates)


def test_a_solved_trial_is_not_trained_again(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    solved = train(trial(), budget=40, engine=Scripted({2: 0}), checkpoint=kept)
    again = train(trial(), budget=400, engine=Scripted({}), checkpoint=kept)
    assert (solved.updates, again) == (20, solved)


def test_extending_a_budget_equals_asking_for_it_at_once(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    train(SMALL, budget=20, engine=ENGINE, checkpoint=kept)
    stands = kept.load(SMALL, ENGINE.numerics_id)
    assert stands is not None
    assert stands.update == 20
    extended = train(SMALL, budget=50, engine=ENGINE, checkpoint=kept)
    assert extended == train(SMALL, budget=50, engine=ENGINE)


@pytest.mark.parametrize("further", [27, 30])
def test_a_checkpoint_beyond_the_budget_gives_the_result_at_the_budget(
    tmp_path: Path, further: int
) -> None:
    kept = checkpoints(tmp_path)
    states = training(SMALL, budget=60, engine=ENGINE, checkpoint=kept, chunk_s=0.0)
    while next(states).update < further:
        pass
    states.close()
    found = train(SMALL, budget=20, engine=ENGINE, checkpoint=kept)
    assert found == train(SMALL, budget=20, engine=ENGINE)
    resumed = kept.load(SMALL, ENGINE.numerics_id)
    assert resumed is not None
    assert resumed.update >= further


def test_numbers_that_are_not_finite_end_a_trial_as_diverged() -> None:
    found = train(trial(lr=1e38), budget=100, engine=ENGINE)
    assert found.outcome == "diverged"
    assert found.updates < 10
    assert found.checks == ()
    state = fresh(trial(lr=1e38))
    for _ in range(found.updates - 1):
        state = ENGINE.advance(trial(lr=1e38), state, 1)
    assert not state.diverged
    assert all(np.isfinite(each).all() for each in state.parameters)
    assert ENGINE.advance(trial(lr=1e38), state, 1).diverged


def test_a_trial_that_diverges_later_keeps_its_checks() -> None:
    engine = BreaksAt(23)
    found = train(trial(), budget=40, engine=engine)
    assert (found.outcome, found.updates) == ("diverged", 24)
    assert [check.update for check in found.checks] == [10, 20]
    assert found.last_check == found.checks[-1]
    assert (found.solved_at, found.zero_errors_at) == (None, None)


def test_a_trial_that_diverges_on_the_update_of_a_check_has_no_such_check() -> None:
    found = train(trial(), budget=40, engine=BreaksAt(19))
    assert (found.outcome, found.updates) == ("diverged", 20)
    assert [check.update for check in found.checks] == [10]


@dataclasses.dataclass(frozen=True)
class BreaksAt(Plain):
    """Makes a weight infinite just before the update with this index."""

    update: int = 0

    def __init__(self, update: int) -> None:
        super().__init__()
        object.__setattr__(self, "update", update)

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        before = self.update - state.update
        if not 0 <= before < updates:
            return super().advance(trial, state, updates)
        state = super().advance(trial, state, before)
        state.parameters.w_in[:] = np.inf
        return super().advance(trial, state, updates - before)


def test_the_authors_repair_keeps_a_trial_going() -> None:
    one = dataclasses.replace(trial(), repair_nonfinite=True)
    start = fresh(one)
    broken = start.parameters._replace(
        w_out=np.full_like(start.parameters.w_out, 3e38) * np.array([[1], [-1], [1], [-1]])
    )
    state = ENGINE.advance(one, State(broken), 3)
    assert not state.diverged
    assert state.totals.repaired == 3
    np.testing.assert_allclose(
        state.parameters.w_rec, broken.w_rec * (1 - 0.02 * 0.01) ** 3, rtol=1e-6
    )
    np.testing.assert_array_equal(state.parameters.w_in, broken.w_in.astype(np.float32))
    unrepaired = dataclasses.replace(one, repair_nonfinite=False)
    assert ENGINE.advance(unrepaired, State(broken), 3).diverged


def test_where_every_update_was_repaired_there_is_no_mean(tmp_path: Path) -> None:
    """The averages are NaN, and still the same however training was interrupted."""
    one = dataclasses.replace(trial(), repair_nonfinite=True)
    start = fresh(one).parameters
    signs = np.array([[1], [-1], [1], [-1]], dtype=np.float32)
    start = start._replace(w_out=np.full_like(start.w_out, 3e38) * signs)
    results = []
    for stops in ([], [3, 14]):
        kept = checkpoints(tmp_path / f"{len(stops)}")
        kept.save(one, ENGINE.numerics_id, State(start))
        for stop in stops:
            states = training(one, budget=20, engine=ENGINE, checkpoint=kept, chunk_s=0.0)
            while next(states).update < stop:
                pass
            states.close()
        results.append(train(one, budget=20, engine=ENGINE, checkpoint=kept))
    assert repr(results[0]) == repr(results[1])
    for check in results[0].checks:
        assert check.repaired_share == 1
        assert np.isnan([check.loss, check.grad_norm_mean, check.grad_norm_max]).all()


@pytest.mark.parametrize("stop_at", [100, 300])
def test_a_check_stops_at_exactly_the_last_error_that_matters(stop_at: int) -> None:
    """One sequence after the other, also where the engine takes several blocks."""
    one = Trial(task=TemporalOrder(length=12), hidden=6)
    parameters = fresh(one).parameters
    errors, sequences = ENGINE.count_errors(one, parameters, index=4, stop_at=stop_at)
    wrong = 0
    for number in range(sequences):
        batch = draw_batch(one.task, seed=0, purpose=CHECK, index=4, size=1, first=number)
        wrong += answer(one, parameters, batch) != batch.targets[0]
        assert wrong < stop_at or number == sequences - 1
    assert errors == wrong == stop_at
    assert sequences < 10_000


def answer(one: Trial, parameters: Parameters, batch: Batch) -> int:
    """Run the network step by step in float64."""
    h = np.zeros(one.hidden)
    for symbol in batch.inputs[:, 0]:
        h = np.tanh(parameters.w_rec @ h + parameters.w_in[:, symbol] + parameters.bias)
    return int((parameters.w_out @ h + parameters.bias_out).argmax())


def test_seeds_give_other_trials_and_variants_the_same_data() -> None:
    results = [train(trial(seed), budget=10, engine=ENGINE) for seed in (0, 1)]
    assert results[0].checks != results[1].checks
    clipped = dataclasses.replace(trial(), clip_norm=1e6)
    free = dataclasses.replace(trial(), clip_norm=None)
    assert (
        train(clipped, budget=10, engine=ENGINE).checks
        == train(free, budget=10, engine=ENGINE).checks
    )
