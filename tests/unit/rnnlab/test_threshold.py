"""A threshold that is a multiple of a mean norm: measured on trials of their own, once."""

import math
from dataclasses import replace

import pytest
from small import trial

from rnnlab import Trial
from rnnlab.engines.plain import Plain
from rnnlab.threshold import MEASURED_CHECKS, SEEDS, references, threshold, unmeasured
from rnnlab.train import train

ENGINE = Plain()
RELATIVE = replace(trial(seed=4), clip_norm=0.3, clip_multiple=2.0, clip_by="value")


def mean_norm(one: Trial) -> float:
    """Train a trial for ten checks and average what they say of its norms."""
    found = train(one, budget=MEASURED_CHECKS * one.check_every, engine=ENGINE)
    return sum(check.grad_norm_mean for check in found.checks) / len(found.checks)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnlab.threshold._norms", {})


def test_it_is_measured_on_the_same_trial_clipped_by_norm_with_other_seeds() -> None:
    for seed, one in zip(SEEDS, references(RELATIVE), strict=True):
        assert one == replace(trial(seed=seed), clip_norm=0.3)
    assert references(trial()) == []


def test_the_threshold_is_the_multiple_of_their_mean() -> None:
    found = train(RELATIVE, budget=20, engine=ENGINE)
    means = [mean_norm(one) for one in references(RELATIVE)]
    assert found.clip_threshold == pytest.approx(2 * sum(means) / 3, rel=1e-12)
    assert threshold(RELATIVE, ENGINE) == found.clip_threshold


def test_it_trains_as_if_the_threshold_had_been_given() -> None:
    found = train(RELATIVE, budget=40, engine=ENGINE)
    given = replace(RELATIVE, clip_norm=found.clip_threshold, clip_multiple=None)
    expected = train(given, budget=40, engine=ENGINE)
    assert found == replace(expected, trial_id=RELATIVE.trial_id)
    assert given.trial_id != RELATIVE.trial_id


def test_it_is_measured_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unmeasured(RELATIVE, ENGINE) == references(RELATIVE)
    train(RELATIVE, budget=20, engine=ENGINE)
    assert unmeasured(replace(RELATIVE, seed=9, clip_multiple=5.0), ENGINE) == []


def test_without_a_multiple_the_threshold_is_the_one_given() -> None:
    assert threshold(trial(), ENGINE) == 1.0
    assert threshold(replace(trial(), clip_norm=None), ENGINE) is None
    assert train(trial(), budget=10, engine=ENGINE).clip_threshold == 1.0


def test_where_the_references_diverge_at_once_it_says_so() -> None:
    with pytest.raises(ValueError, match="No threshold can be measured"):
        train(replace(RELATIVE, lr=1e38), budget=20, engine=ENGINE)


@pytest.mark.parametrize(
    "fields", [{"clip_multiple": 0.0}, {"clip_multiple": 2.0, "clip_norm": None}]
)
def test_a_multiple_of_nothing_is_refused(fields: dict[str, float | None]) -> None:
    with pytest.raises(ValueError, match="It must be positive, and clip_norm a threshold"):
        Trial(**fields)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="must be finite"):
        Trial(clip_multiple=math.nan)
