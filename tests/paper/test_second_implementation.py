"""The gradients of `plain` against `benchmarks/independent.py`, whose success rates we compare with."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnlab import Initialiser, TemporalOrder, Trial
from rnnlab.data import draw_batch
from rnnlab.engines.plain import Plain
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.state import Parameters

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import independent

RELATIVE = 1e-10


def its_parameters(ours: Parameters) -> list[torch.Tensor]:
    """Turn ours round: its vectors are rows, its biases rows, and trials are stacked."""
    w_in = np.vstack([ours.w_in.T, ours.bias])
    arrays = (ours.w_rec.T, w_in, ours.w_out.T, ours.bias_out[None])
    return [torch.tensor(each, dtype=torch.float64)[None] for each in arrays]


def turned_round(grads: list[torch.Tensor]) -> Parameters:
    w_rec, w_in, w_out, bias_out = (each[0].numpy() for each in grads)
    return Parameters(w_in[:-1].T, w_rec.T, w_in[-1], w_out.T, bias_out[0])


@pytest.mark.parametrize("alpha", [0.0, 4.0], ids=["MSGD", "MSGD-CR"])
@pytest.mark.parametrize("init", ["basic_tanh", "smart_tanh"])
def test_gradients_are_those_of_the_second_implementation(
    init: Initialiser, alpha: float
) -> None:
    task = TemporalOrder(length=50)
    trial = Trial(task=task, init=init, batch=4, omega_weight=alpha, seed=5)
    parameters = initial_parameters(trial)
    batch = draw_batch(task, seed=5, purpose=TRAIN, index=3, size=trial.batch)
    ours = Plain(dtype=torch.float64).gradients(trial, parameters, batch)
    symbols, targets = (
        torch.tensor(each, dtype=torch.int64) for each in (batch.inputs, batch.targets)
    )
    grads, loss, omega, _ = independent.find_gradients(
        its_parameters(parameters), symbols[:, None], targets[None], alpha
    )
    assert ours.loss == pytest.approx(loss.item(), rel=RELATIVE)
    if alpha:
        assert ours.omega == pytest.approx(omega.item(), rel=RELATIVE)
    for name, theirs in turned_round(grads)._asdict().items():
        mine = np.asarray(getattr(ours.grads, name))
        assert np.linalg.norm(mine - theirs) <= RELATIVE * np.linalg.norm(theirs), name
