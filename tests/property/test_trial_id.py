"""The law a == b ⇔ a.trial_id == b.trial_id, and ids that never change."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import Walk

from rnnlab import TemporalOrder, Trial
from sweeps.store.trial_id import id_of

GOLDEN = Path(__file__).parent / "trial_ids.json"

positive = st.one_of(
    st.integers(1, 5).map(float), st.integers(1, 5), st.sampled_from([0.01, 0.1, 1e38])
)
trials = st.builds(
    Trial,
    task=st.builds(TemporalOrder, length=st.sampled_from([10, 100, 101])),
    init=st.sampled_from(["sigmoid", "basic_tanh", "smart_tanh"]),
    hidden=st.sampled_from([50, 51]),
    batch=st.sampled_from([20, 21]),
    lr=positive,
    clip_norm=st.one_of(st.none(), positive),
    omega_weight=st.one_of(positive, st.just(0), st.just(-0.0)),
    check_every=st.sampled_from([2000, 10]),
    stop=st.sampled_from(["below_1_percent", "zero_errors"]),
    seed=st.integers(0, 2),
)


@given(trials, trials)
def test_trials_are_equal_exactly_where_their_ids_are(a: Trial, b: Trial) -> None:
    assert (a == b) == (a.trial_id == b.trial_id)


@given(trials)
def test_a_copy_has_the_same_id_and_a_changed_field_another(trial: Trial) -> None:
    assert dataclasses.replace(trial).trial_id == trial.trial_id
    other = dataclasses.replace(trial, seed=trial.seed + 1)
    assert other.trial_id != trial.trial_id


@given(trials)
def test_numbers_are_hashed_by_the_type_of_their_field(trial: Trial) -> None:
    as_floats = dataclasses.replace(
        trial, lr=float(trial.lr), omega_weight=float(trial.omega_weight)
    )
    assert as_floats.trial_id == trial.trial_id


walks = st.builds(
    Walk,
    seed=st.integers(0, 2),
    width=st.sampled_from([4, 5]),
    lr=st.sampled_from([0.1, 1, 1.0, 2]),
    noise=st.sampled_from([0.5, 0, -0.0]),
)


@given(walks, walks)
def test_own_trials_are_equal_exactly_where_their_ids_are(a: Walk, b: Walk) -> None:
    assert (a == b) == (id_of(a) == id_of(b))
    assert id_of(dataclasses.replace(a)) == id_of(a)


@given(trials)
def test_a_trial_that_names_itself_is_asked(trial: Trial) -> None:
    assert id_of(trial) == trial.trial_id


def test_ids_of_own_trials_never_change() -> None:
    """Results are kept under them; other classes of the same fields have others."""
    assert id_of(Walk()) == "0cc1c54224d3e21d83ee5f5c10cb1572"
    assert id_of(Walk(lr=1, seed=3)) == "d5969caff22a4f91392e9cdabae555e4"

    @dataclasses.dataclass(frozen=True)
    class Run:
        seed: int = 0

    assert id_of(Run()) != id_of(Walk())


def test_published_ids_never_change() -> None:
    written = json.loads(GOLDEN.read_text())
    made = {
        "Trial()": Trial(),
        "Trial(seed=1)": Trial(seed=1),
        "Trial(lr=1)": Trial(lr=1),
        "Trial(clip_norm=None)": Trial(clip_norm=None),
        "Trial(task=TemporalOrder(length=50), init='sigmoid', omega_weight=4.0)": Trial(
            task=TemporalOrder(length=50), init="sigmoid", omega_weight=4.0
        ),
        "Trial(clip_norm=2, repair_nonfinite=True, stop='zero_errors')": Trial(
            clip_norm=2, repair_nonfinite=True, stop="zero_errors"
        ),
        "Trial(hidden=100, batch=10, check_every=20)": Trial(
            hidden=100, batch=10, check_every=20
        ),
    }
    assert {name: trial.trial_id for name, trial in made.items()} == written


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400])
def test_infinity_and_nan_are_refused_before_they_reach_a_hash(value: float) -> None:
    with pytest.raises(ValueError, match="lr must be finite"):
        Trial(lr=value)
