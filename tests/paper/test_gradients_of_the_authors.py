"""The gradients of `plain` in float64 against an independent NumPy implementation.

`reference.py` was written from the published formulas alone, without sight of ours.
"""

import numpy as np
import pytest
import reference
import torch

from rnnlab import Initialiser, TemporalOrder, Trial
from rnnlab.data import draw_batch
from rnnlab.engines.plain import Plain
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.state import Parameters

RELATIVE = 1e-10
"""Both sides are float64; what is left is the order of summation over 200 steps."""


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-300))


def trained_a_little(trial: Trial, parameters: Parameters) -> Parameters:
    """Move away from the special point at which biases are zero and outputs tiny."""
    noise = np.random.default_rng(trial.seed)
    return Parameters(
        *(each + 0.02 * noise.standard_normal(each.shape) for each in parameters)
    )


@pytest.mark.parametrize("moved", [False, True], ids=["at the start", "moved"])
@pytest.mark.parametrize("length", [10, 50, 200])
@pytest.mark.parametrize("init", ["sigmoid", "basic_tanh", "smart_tanh"])
def test_gradients_cost_and_omega_equal_the_formulas(
    init: Initialiser, length: int, moved: bool
) -> None:
    trial = Trial(
        task=TemporalOrder(length=length), init=init, batch=4, omega_weight=4.0, seed=5
    )
    parameters = initial_parameters(trial)
    if moved:
        parameters = trained_a_little(trial, parameters)
    batch = draw_batch(trial.task, seed=5, purpose=TRAIN, index=3, size=trial.batch)
    ours = Plain(dtype=torch.float64).gradients(trial, parameters, batch)
    theirs = reference.update_gradients(
        reference.Weights(
            parameters.w_in,
            parameters.w_rec,
            parameters.bias,
            parameters.w_out,
            parameters.bias_out,
        ),
        np.eye(6)[batch.inputs],
        batch.targets,
        trial.activation,
        trial.omega_weight,
    )
    assert ours.loss == pytest.approx(theirs.cost, rel=RELATIVE)
    assert ours.omega == pytest.approx(theirs.omega, rel=RELATIVE)
    assert ours.valid_share == theirs.valid_share
    assert ours.norm == pytest.approx(theirs.norm, rel=RELATIVE)
    for name in Parameters._fields:
        difference = relative_difference(
            getattr(ours.grads, name), getattr(theirs.gradients, name)
        )
        assert difference < RELATIVE, name
