"""The reference engine's gradient is the derivative of its cost."""

import pytest
import torch
from torch import Tensor

from rnnlab import Addition, Memorisation, RandomPermutation, Task, TemporalOrder, Trial
from rnnlab.costs import cost
from rnnlab.data import draw_batch
from rnnlab.engines import choose
from rnnlab.engines.plain import Plain, Weights, backward, forward, read_out
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.spec import Activation, Initialiser

TASKS = [
    TemporalOrder(length=12),
    Addition(length=12),
    RandomPermutation(length=4),
    Memorisation(length=3, positions=2),
]
"""Of all kinds: symbols and numbers go in; a class, a class a step, a number comes out."""


def small(
    init: Initialiser, task: Task = TASKS[0]
) -> tuple[Trial, Weights, Tensor, Tensor]:
    trial = Trial(task=task, init=init, hidden=5, batch=3)
    weights = Weights(
        *(torch.tensor(each) * 10 + 0.01 for each in initial_parameters(trial))
    )
    batch = draw_batch(trial.task, seed=0, purpose=TRAIN, index=0, size=3)
    return trial, weights, torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("init", ["sigmoid", "basic_tanh", "smart_tanh"])
def test_gradients_pass_gradcheck_in_float64(init: Initialiser, task: Task) -> None:
    trial, weights, inputs, targets = small(init, task)

    def loss(*leaves: Tensor) -> Tensor:
        each = Weights(*leaves)
        hidden = forward(each, inputs, trial.activation)
        return cost(task.cost, read_out(each, hidden, task.cost), targets)

    leaves = [weight.clone().requires_grad_() for weight in weights]
    assert torch.autograd.gradcheck(loss, leaves)
    expected = torch.autograd.grad(loss(*leaves), leaves)
    ours = backward(weights, inputs, targets, trial.activation, task.cost)
    for a, b in zip(ours.grads, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_dhidden_is_the_total_derivative_at_every_step(
    activation: Activation, task: Task
) -> None:
    """Moving h_k moves the cost now and through all later steps; finite differences see it."""
    _, weights, inputs, targets = small("basic_tanh", task)
    back = backward(weights, inputs, targets, activation, task.cost)
    squash = torch.tanh if activation == "tanh" else torch.sigmoid
    steps = len(inputs)
    for step in (0, steps // 2, steps - 1):
        for unit in (0, 3):
            costs: list[float] = []
            for sign in (1, -1):
                hidden = list(back.hidden.clone())
                hidden[step][1, unit] += sign * 1e-6
                for later in range(step + 1, steps):
                    here = inputs[later]
                    u = here @ weights.w_in.T if here.dim() > 1 else weights.w_in.T[here]
                    x = hidden[later - 1] @ weights.w_rec.T + u + weights.bias
                    hidden[later] = squash(x)
                outputs = read_out(weights, hidden, task.cost)
                costs.append(float(cost(task.cost, outputs, targets)))
            expected = (costs[0] - costs[1]) / 2e-6
            assert float(back.dhidden[step, 1, unit]) == pytest.approx(
                expected, rel=1e-5, abs=1e-9
            )


def test_the_share_of_valid_steps_is_not_one_over_t() -> None:
    """A port that differentiates a stacked tensor sees only the immediate derivative."""
    trial, weights, inputs, targets = small("smart_tanh")
    back = backward(weights, inputs, targets, trial.activation, trial.task.cost)
    assert bool((back.dhidden.square().sum(-1) > 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_computes_in_the_precision_asked_for(dtype: torch.dtype) -> None:
    trial = Trial(task=TemporalOrder(length=10), hidden=4, check_every=10)
    batch = draw_batch(trial.task, seed=0, purpose=TRAIN, index=0, size=2)
    found = Plain(dtype=dtype).gradients(trial, initial_parameters(trial), batch)
    assert str(found.grads.w_rec.dtype) == str(dtype).removeprefix("torch.")


def test_the_numerics_id_names_precision_and_engine() -> None:
    found = Plain().numerics_id(Trial())
    assert found.startswith("plain-")
    assert found == Plain().numerics_id(Trial())
    assert found != Plain(dtype=torch.float64).numerics_id(Trial())


def test_the_numerics_id_names_the_device() -> None:
    on_cpu = Plain().numerics_id(Trial())
    assert choose("plain", "cpu").numerics_id(Trial()) == on_cpu
    assert Plain(device="mps").numerics_id(Trial()) != on_cpu


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RuntimeError, match="cannot compute on 'hpu' here"):
        choose("plain", "hpu")
    assert choose("plain", "meta").name == "plain"
