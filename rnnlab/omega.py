"""The regulariser Ω that keeps gradients from vanishing, and its immediate gradient.

ICML 2013, Eq. 9 and 10, in the form of Eq. 10 and of the authors' code: squared norms,
and a mean over valid pairs where Eq. 9 writes a sum. With d_k = ∂C/∂h_k, the total
derivative of the cost for k = 1..T, and σ' the slope of the unit,

    v_k   = (d_k ∘ σ'(h_k)) W_rec
    valid = ‖d_k‖² ≥ 1e-20
    Ω     = mean over valid (k, example) of (‖v_k‖² / ‖d_k‖² − 1)²

Only the immediate derivative with respect to W_rec is used: d_k and h_k are constants.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnnlab.bounds import VALID_BOUND
from rnnlab.spec import Activation


class Omega(NamedTuple):
    """The regulariser on one batch."""

    value: Float[Tensor, ""]
    """Ω; 0 if no pair is valid."""
    valid_share: Float[Tensor, ""]
    """Share of (step, example) pairs with ‖d_k‖² ≥ 1e-20."""


class _Terms(NamedTuple):
    local: Float[Tensor, "time batch hidden"]
    arriving: Float[Tensor, "time batch hidden"]
    excess: Float[Tensor, "time batch"]
    squared: Float[Tensor, "time batch"]
    valid: Bool[Tensor, "time batch"]


def slope(
    hidden: Float[Tensor, "time batch hidden"], activation: Activation
) -> Float[Tensor, "time batch hidden"]:
    """Compute σ' at each hidden value h = σ(x): 1 − h² for tanh, h (1 − h) for logistic."""
    return 1 - hidden.square() if activation == "tanh" else hidden * (1 - hidden)


def omega(
    w_rec: Float[Tensor, "hidden hidden"],
    *,
    hidden: Float[Tensor, "time batch hidden"],
    dhidden: Float[Tensor, "time batch hidden"],
    activation: Activation,
) -> Omega:
    """Compute Ω: how far the recurrence is from preserving gradient norms (Eq. 9).

    Args:
        w_rec: W_rec.
        hidden: h_k for k = 1..T.
        dhidden: d_k = ∂C/∂h_k for k = 1..T, total derivatives, with the 1/batch of C.
        activation: The hidden unit.

    Returns:
        Ω and the share of valid pairs.
    """
    return _mean_square_excess(_terms(w_rec, hidden, dhidden, activation))


def omega_gradient(
    w_rec: Float[Tensor, "hidden hidden"],
    *,
    hidden: Float[Tensor, "time batch hidden"],
    dhidden: Float[Tensor, "time batch hidden"],
    activation: Activation,
) -> tuple[Float[Tensor, "hidden hidden"], Omega]:
    """Compute the immediate derivative of Ω with respect to W_rec (Eq. 10).

    With ∂⁺Ω/∂v_k = 4 (‖v_k‖²/‖d_k‖² − 1) / ‖d_k‖² · v_k / (number of valid pairs),

        ∂⁺Ω/∂W_rec = Σ over valid (k, example) of (d_k ∘ σ'(h_k))ᵀ ∂⁺Ω/∂v_k.

    Args:
        w_rec: W_rec.
        hidden: h_k for k = 1..T.
        dhidden: d_k = ∂C/∂h_k for k = 1..T, total derivatives.
        activation: The hidden unit.

    Returns:
        ∂⁺Ω/∂W_rec (zero if no pair is valid), and Ω.
    """
    terms = _terms(w_rec, hidden, dhidden, activation)
    count = terms.valid.sum().clamp(min=1)
    factor = 4 * terms.excess / terms.squared * terms.valid / count
    domega_darriving = factor.unsqueeze(-1) * terms.arriving
    gradient = terms.local.flatten(0, 1).T @ domega_darriving.flatten(0, 1)
    return gradient, _mean_square_excess(terms)


def _mean_square_excess(terms: _Terms) -> Omega:
    total = (terms.excess.square() * terms.valid).sum()
    share = terms.valid.to(total.dtype).mean()
    return Omega(total / terms.valid.sum().clamp(min=1), share)


def _terms(
    w_rec: Float[Tensor, "hidden hidden"],
    hidden: Float[Tensor, "time batch hidden"],
    dhidden: Float[Tensor, "time batch hidden"],
    activation: Activation,
) -> _Terms:
    """Compute d∘σ', v, ‖v‖²/‖d‖² − 1, ‖d‖² (1 where not valid), and which pairs are valid."""
    local = dhidden * slope(hidden, activation)
    arriving = local @ w_rec
    squared = dhidden.square().sum(-1)
    valid = squared >= VALID_BOUND
    squared = torch.where(valid, squared, torch.ones_like(squared))
    excess = arriving.square().sum(-1) / squared - 1
    return _Terms(local, arriving, excess, squared, valid)
