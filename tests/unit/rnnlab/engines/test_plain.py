"""The reference engine's gradient is the derivative of its cost."""

import pytest
import torch
from torch import Tensor

from rnnlab import TemporalOrder, Trial
from rnnlab.data import draw_batch
from rnnlab.engines.plain import Plain, Weights, backward, cost, forward
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.spec import Activation, Initialiser


def small(init: Initialiser) -> tuple[Trial, Weights, Tensor, Tensor]:
    trial = Trial(task=TemporalOrder(length=12), init=init, hidden=5, batch=3)
    weights = Weights(
        *(torch.tensor(each) * 10 + 0.01 for each in initial_parameters(trial))
    )
    batch = draw_batch(trial.task, seed=0, purpose=TRAIN, index=0, size=3)
    return trial, weights, torch.from_numpy(batch.symbols), torch.from_numpy(batch.targets)


@pytest.mark.parametrize("init", ["sigmoid", "basic_tanh", "smart_tanh"])
def test_gradients_pass_gradcheck_in_float64(init: Initialiser) -> None:
    trial, weights, symbols, targets = small(init)

    def loss(*leaves: Tensor) -> Tensor:
        each = Weights(*leaves)
        return cost(each, forward(each, symbols, trial.activation)[-1], targets)

    leaves = [weight.clone().requires_grad_() for weight in weights]
    assert torch.autograd.gradcheck(loss, leaves)
    expected = torch.autograd.grad(loss(*leaves), leaves)
    ours = backward(weights, symbols, targets, trial.activation)
    for a, b in zip(ours.grads, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_dhidden_is_the_total_derivative_at_every_step(activation: Activation) -> None:
    """Moving h_k moves the cost through all later steps; finite differences see it."""
    _, weights, symbols, targets = small("basic_tanh")
    back = backward(weights, symbols, targets, activation)
    squash = torch.tanh if activation == "tanh" else torch.sigmoid
    for step in (0, 5, 11):
        for unit in (0, 3):
            costs = []
            for sign in (1, -1):
                h = back.hidden[step].clone()
                h[1, unit] += sign * 1e-6
                for later in range(step + 1, 12):
                    u = weights.w_in.T[symbols[later]]
                    h = squash(h @ weights.w_rec.T + u + weights.bias)
                costs.append(float(cost(weights, h, targets)))
            expected = (costs[0] - costs[1]) / 2e-6
            assert float(back.dhidden[step, 1, unit]) == pytest.approx(expected, rel=1e-5)


def test_the_share_of_valid_steps_is_not_one_over_t() -> None:
    """A port that differentiates a stacked tensor sees only the immediate derivative."""
    trial, weights, symbols, targets = small("smart_tanh")
    back = backward(weights, symbols, targets, trial.activation)
    assert bool((back.dhidden.square().sum(-1) > 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_computes_in_the_precision_asked_for(dtype: torch.dtype) -> None:
    trial = Trial(task=TemporalOrder(length=10), hidden=4, check_every=10)
    batch = draw_batch(trial.task, seed=0, purpose=TRAIN, index=0, size=2)
    found = Plain(dtype=dtype).gradients(trial, initial_parameters(trial), batch)
    assert str(found.grads.w_rec.dtype) == str(dtype).removeprefix("torch.")


def test_the_numerics_id_names_precision_and_engine() -> None:
    assert Plain().numerics_id.startswith("plain-")
    assert Plain().numerics_id == Plain().numerics_id
    assert Plain().numerics_id != Plain(dtype=torch.float64).numerics_id
