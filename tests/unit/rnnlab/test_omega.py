"""Ω: its gradient is the derivative of the formula, with d and h held constant."""

import pytest
import torch
from torch import Tensor

from rnnlab.omega import omega, omega_gradient
from rnnlab.spec import Activation

ACTIVATIONS: list[Activation] = ["tanh", "logistic"]


def draw(activation: Activation, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    w_rec = 0.4 * torch.randn(6, 6, generator=noise, dtype=torch.float64)
    x = torch.randn(5, 3, 6, generator=noise, dtype=torch.float64)
    hidden = x.tanh() if activation == "tanh" else x.sigmoid()
    dhidden = scale * torch.randn(5, 3, 6, generator=noise, dtype=torch.float64)
    return w_rec, hidden, dhidden


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_immediate_gradient_is_the_derivative_of_omega(activation: Activation) -> None:
    w_rec, hidden, dhidden = draw(activation)
    w_rec.requires_grad_()

    def value(w: Tensor) -> Tensor:
        return omega(w, hidden=hidden, dhidden=dhidden, activation=activation).value

    assert torch.autograd.gradcheck(value, (w_rec,))
    (expected,) = torch.autograd.grad(value(w_rec), w_rec)
    ours, measured = omega_gradient(
        w_rec.detach(), hidden=hidden, dhidden=dhidden, activation=activation
    )
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(measured.value, value(w_rec).detach())


def test_scaling_the_cost_changes_omega_only_through_the_bound() -> None:
    w_rec, hidden, dhidden = draw("tanh")
    large = omega(w_rec, hidden=hidden, dhidden=dhidden, activation="tanh")
    small = omega(w_rec, hidden=hidden, dhidden=1e-8 * dhidden, activation="tanh")
    tiny = omega(w_rec, hidden=hidden, dhidden=1e-12 * dhidden, activation="tanh")
    torch.testing.assert_close(large.value, small.value)
    assert small.valid_share == 1
    assert tiny.valid_share == 0


def test_with_no_valid_pair_omega_and_its_gradient_are_zero() -> None:
    w_rec, hidden, dhidden = draw("tanh")
    for nothing in (torch.zeros_like(dhidden), 1e-11 * dhidden):
        gradient, measured = omega_gradient(
            w_rec, hidden=hidden, dhidden=nothing, activation="tanh"
        )
        assert measured.value == 0
        assert not gradient.any()


def test_pairs_below_the_bound_are_left_out_of_the_mean() -> None:
    w_rec, hidden, dhidden = draw("tanh")
    silent = dhidden.clone()
    silent[:2] = 1e-13
    part = omega(w_rec, hidden=hidden[2:], dhidden=dhidden[2:], activation="tanh")
    whole = omega(w_rec, hidden=hidden, dhidden=silent, activation="tanh")
    torch.testing.assert_close(whole.value, part.value)
    assert whole.valid_share == pytest.approx(0.6)
