"""Numbers that the authors' code and the paper state."""

import pytest

from rnnlab import Initialiser, TemporalOrder, Trial
from rnnlab.data import draw_batch
from rnnlab.engines import Gradients, choose
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN


def at_the_start(init: Initialiser, length: int, seed: int = 0) -> Gradients:
    trial = Trial(task=TemporalOrder(length=length), init=init, seed=seed, omega_weight=4)
    batch = draw_batch(trial.task, seed=seed, purpose=TRAIN, index=0, size=trial.batch)
    return choose("plain").gradients(trial, initial_parameters(trial), batch)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("length", [10, 50, 100, 150, 200])
def test_smart_tanh_starts_with_nearly_all_steps_valid(length: int, seed: int) -> None:
    assert at_the_start("smart_tanh", length, seed).valid_share >= 0.99


@pytest.mark.parametrize("length", [50, 100, 200])
def test_sigmoid_starts_with_five_valid_steps(length: int) -> None:
    assert at_the_start("sigmoid", length).valid_share * length == pytest.approx(5, abs=1)


def test_basic_tanh_loses_its_valid_steps_as_sequences_grow() -> None:
    shares = [
        sum(at_the_start("basic_tanh", length, seed).valid_share for seed in range(5)) / 5
        for length in (50, 100, 200)
    ]
    assert shares[0] > 0.9
    assert 0.2 < shares[2] < 0.45
    assert shares[0] > shares[1] > shares[2]
