"""A solved trial is tested at lengths that it may not have been trained on."""

from dataclasses import replace

import numpy as np
import pytest
from small import trial

from rnnlab import Addition, Memorisation, TemporalOrder, Trial
from rnnlab.data import GROUP, draw_batch
from rnnlab.engines.plain import Plain
from rnnlab.rng import TEST
from rnnlab.state import State
from rnnlab.train import Training, errors_by_length, train

ENGINE = Plain()
EASY = Trial(
    task=TemporalOrder(length=10),
    hidden=10,
    lr=0.1,
    check_every=100,
    stop="zero_errors",
    test_lengths=(10, 12, 40),
)
"""Solved within some hundreds of updates."""


def test_a_solved_trial_is_tested_at_each_length_on_fresh_sequences() -> None:
    found = train(EASY, budget=20_000, engine=ENGINE)
    assert found.outcome == "solved"
    assert found.test_errors is not None
    assert len(found.test_errors) == 3
    assert found.test_errors[0] < 100 < found.test_errors[2]


def counted_slowly(one: Trial, state: State, length: int) -> int:
    """Run the network over the sequences of a test, group after group."""
    errors = 0
    for first in range(0, 10_000, GROUP):
        batch = draw_batch(
            one.task.of_length(length),
            seed=one.seed,
            purpose=TEST,
            index=length,
            size=min(GROUP, 10_000 - first),
            first=first,
        )
        w_in, w_rec, bias, w_out, bias_out = state.parameters
        h = np.zeros((batch.inputs.shape[1], one.hidden))
        for symbols in batch.inputs:
            h = np.tanh(h @ w_rec.T + w_in.T[symbols] + bias)
        errors += int(((h @ w_out.T + bias_out).argmax(-1) != batch.targets).sum())
    return errors


def test_a_test_counts_every_wrong_sequence() -> None:
    one = replace(EASY, stop="below_1_percent")
    training = Training.fresh(one)
    while not training.ended(20_000):
        training = training.advanced(ENGINE, 100)
    found, state = errors_by_length(one, training.state, ENGINE), training.state
    assert found == tuple(counted_slowly(one, state, n) for n in one.test_lengths)
    assert training.result(ENGINE).test_errors == found


def test_what_is_not_solved_is_not_tested() -> None:
    assert train(EASY, budget=100, engine=ENGINE).test_errors is None
    assert train(trial(), budget=10, engine=ENGINE).test_errors is None


def test_a_test_changes_nothing_else() -> None:
    untested = replace(EASY, test_lengths=())
    a = train(EASY, budget=20_000, engine=ENGINE)
    b = train(untested, budget=20_000, engine=ENGINE)
    assert replace(a, trial_id=b.trial_id, test_errors=None) == b


@pytest.mark.parametrize(
    ("task", "lengths", "message"),
    [
        (TemporalOrder(length=20), (20, 5), "TemporalOrder.length is 5"),
        (Addition(length=20), (20, 2.5), "Addition.length must be a whole number"),
        (Memorisation(length=20), [20, 30], "test_lengths must be a tuple such as"),
    ],
)
def test_lengths_that_cannot_be_drawn_are_refused(
    task: TemporalOrder, lengths: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Trial(task=task, test_lengths=lengths)
