"""The plain loop: checks, stopping, divergence; in calls of any size, the same numbers."""

import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import trial

from rnnlab import Result, TemporalOrder, Trial, rng
from rnnlab.data import Batch, draw_batch
from rnnlab.diagnostics import largest_singular_value, spectral_radius
from rnnlab.engines import Engine, Gradients, choose
from rnnlab.engines.plain import Plain
from rnnlab.rng import CHECK
from rnnlab.state import Parameters, State
from rnnlab.train import Training, fresh, train

ENGINE = choose("plain")
SMALL = dataclasses.replace(trial(), omega_weight=2.0)


@dataclasses.dataclass(frozen=True)
class Scripted:
    """An engine that trains as `plain` does and finds the errors of a script."""

    errors: dict[int, int]
    name: str = "scripted"
    within: Plain = dataclasses.field(default_factory=Plain)

    def numerics_id(self, trial: Trial) -> str:
        return "scripted-0"

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
    training = Training.fresh(SMALL).advanced(ENGINE, 10)
    w_rec = training.state.parameters.w_rec
    (seen,) = training.checks
    assert seen.spectral_radius == spectral_radius(w_rec)
    assert seen.largest_singular_value == largest_singular_value(w_rec)
    assert seen.largest_singular_value > seen.spectral_radius


@pytest.mark.parametrize("budget", [0, -10, 15])
def test_a_budget_between_checks_is_refused(budget: int) -> None:
    with pytest.raises(ValueError, match="positive multiple of 10"):
        train(SMALL, budget=budget, engine=ENGINE)


def cut_into(sizes: Iterable[int], one: Trial, budget: int) -> Result:
    """Advance in calls of given sizes; the last size repeats."""
    training, rest = Training.fresh(one), itertools.chain(sizes, itertools.repeat(10))
    while not training.ended(budget):
        training = training.advanced(ENGINE, next(rest))
    return training.result(ENGINE)


@pytest.mark.parametrize("size", [1, 3, 7, 10, 1000])
def test_where_calls_are_cut_changes_no_number(size: int) -> None:
    whole = train(SMALL, budget=30, engine=ENGINE)
    assert cut_into([size] * 100, SMALL, 30) == whole


VARIANTS = [
    SMALL,
    dataclasses.replace(trial(1), init="sigmoid", clip_norm=None),
    dataclasses.replace(trial(2), init="basic_tanh", repair_nonfinite=True),
    trial(3, lr=1e38),
]


@settings(max_examples=8)
@given(st.sampled_from(VARIANTS), st.lists(st.integers(1, 12), max_size=6))
def test_where_calls_are_cut_changes_no_number_of_any_variant(
    one: Trial, sizes: list[int]
) -> None:
    assert cut_into(sizes, one, 30) == train(one, budget=30, engine=ENGINE)


def test_a_call_never_goes_past_a_check() -> None:
    training = Training.fresh(SMALL).advanced(ENGINE, 7)
    assert (training.state.update, training.checks) == (7, ())
    training = training.advanced(ENGINE, 1000)
    assert training.state.update == 10
    assert [check.update for check in training.checks] == [10]


def test_a_longer_budget_resumes_from_a_shorter_one() -> None:
    training = Training.fresh(SMALL)
    while not training.ended(20):
        training = training.advanced(ENGINE, 10)
    assert training.result(ENGINE) == train(SMALL, budget=20, engine=ENGINE)
    while not training.ended(50):
        training = training.advanced(ENGINE, 10)
    assert training.result(ENGINE) == train(SMALL, budget=50, engine=ENGINE)


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

    def numerics_id(self, trial: Trial) -> str:
        return ENGINE.numerics_id(trial)

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


def with_huge_errors(one: Trial) -> Training:
    """Start where every norm is infinite, so that every update is repaired."""
    start = fresh(one).parameters
    signs = np.array([[1], [-1], [1], [-1]], dtype=np.float32)
    broken = start._replace(w_out=np.full_like(start.w_out, 3e38) * signs)
    return Training(one, State(broken))


def test_where_every_update_was_repaired_there_is_no_mean() -> None:
    """The averages are NaN, and still the same however training was cut."""
    one = dataclasses.replace(trial(), repair_nonfinite=True)
    results: list[Result] = []
    for size in (10, 3):
        training = with_huge_errors(one)
        while not training.ended(20):
            training = training.advanced(ENGINE, size)
        results.append(training.result(ENGINE))
    assert repr(results[0]) == repr(results[1])
    assert len(results[0].checks) == 2
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
