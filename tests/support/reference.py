"""A slow, explicit NumPy reference of the recurrent network's gradients.

Everything follows R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of
training recurrent neural networks" (ICML 2013), in the form the authors' public
code gives it: the non-linearity is applied last (ICML 2013, Eq. 2 and footnote 1),
the cost is a softmax at the last step, and the regulariser uses squared norms and a
mean over valid pairs (ICML 2013, Eqs. 9 and 10; authors' code).

The code walks over time steps and examples one at a time, in float64. It is meant
to be read and compared against, not to be fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Activation = Literal["logistic", "tanh"]
Targets = Sequence[int] | NDArray[np.int64]


class Weights(NamedTuple):
    """The five parameters, or one gradient for each of them.

    The matrices multiply column vectors (ICML 2013, Eq. 2); the authors' row-vector
    code holds the transpose of ``w_rec``.
    """

    w_in: Array  # (hidden, inputs)
    w_rec: Array  # (hidden, hidden)
    bias: Array  # (hidden,)
    w_out: Array  # (outputs, hidden)
    bias_out: Array  # (outputs,)


class LastStepCost(NamedTuple):
    """The last-step cost and its gradients where it touches the network."""

    cost: float
    w_out: Array  # (outputs, hidden)
    bias_out: Array  # (outputs,)
    d_last: Array  # (batch, hidden), ∂C/∂h_T


class Backward(NamedTuple):
    """Gradients of the cost alone, and the total derivatives d_1 … d_T."""

    gradients: Weights
    d: Array  # (time, batch, hidden); d[k - 1] is d_k = ∂C/∂h_k


class Omega(NamedTuple):
    """The regulariser, its immediate gradient and the share of valid pairs."""

    value: float
    w_rec: Array  # (hidden, hidden), ∂⁺Ω/∂W_rec
    valid_share: float


class Update(NamedTuple):
    """What one update of the parameters is made from, before any clipping."""

    cost: float
    omega: float
    valid_share: float
    gradients: Weights
    norm: float


def activate(pre_activation: Array, activation: Activation) -> Array:
    """Return σ(a), the logistic function or tanh (ICML 2013, Eq. 2)."""
    if activation == "tanh":
        return np.tanh(pre_activation)
    if activation == "logistic":
        # 1 / (1 + e^{-a}), written so that no exponential overflows.
        return np.exp(-np.logaddexp(0.0, -pre_activation))
    raise ValueError(f"unknown activation: {activation!r}")


def slope(unit_values: Array, activation: Activation) -> Array:
    """Return σ' as a function of the unit's value h = σ(a).

    tanh' = 1 − h² and logistic' = h (1 − h): the derivative of ICML 2013, Eq. 2, at
    its weighted sum, in the form of footnote 1.
    """
    if activation == "tanh":
        return 1.0 - unit_values * unit_values
    if activation == "logistic":
        return unit_values * (1.0 - unit_values)
    raise ValueError(f"unknown activation: {activation!r}")


def forward(weights: Weights, inputs: Array, activation: Activation) -> Array:
    """Run h_t = σ(W_rec h_{t−1} + W_in u_t + b) from h_0 = 0.

    (ICML 2013, Eq. 2 in the equivalent form of footnote 1; h_0 fixed at zero:
    authors' code.) ``inputs`` is (time, batch, inputs); the result is
    (time + 1, batch, hidden) and begins with h_0.
    """
    steps, batch, _ = inputs.shape
    units = weights.bias.shape[0]
    hidden = np.zeros((steps + 1, batch, units), dtype=np.float64)
    for t in range(1, steps + 1):
        for n in range(batch):
            recurrent_part = weights.w_rec @ hidden[t - 1, n]
            input_part = weights.w_in @ inputs[t - 1, n]
            hidden[t, n] = activate(recurrent_part + input_part + weights.bias, activation)
    return hidden


def log_softmax(scores: Array) -> Array:
    """Return log softmax of one vector of scores, shifted by its largest entry."""
    shifted = scores - scores.max()
    return shifted - math.log(float(np.exp(shifted).sum()))


def last_step_softmax_cost(
    weights: Weights, hidden: Array, targets: Targets
) -> LastStepCost:
    """Return the mean of −log softmax(W_out h_T + b_out)[target], with gradients.

    (Authors' code, last-step softmax cost.) The mean is over the batch, so the
    error at the scores of one example is (softmax − one-hot) / batch.
    """
    h_last = hidden[-1]
    batch = h_last.shape[0]
    cost = 0.0
    grad_w_out = np.zeros_like(weights.w_out)
    grad_bias_out = np.zeros_like(weights.bias_out)
    d_last = np.zeros_like(h_last)
    for n in range(batch):
        target = int(targets[n])
        log_probabilities = log_softmax(weights.w_out @ h_last[n] + weights.bias_out)
        cost -= float(log_probabilities[target]) / batch
        error = np.exp(log_probabilities)
        error[target] -= 1.0
        error /= batch
        grad_w_out += np.outer(error, h_last[n])
        grad_bias_out += error
        d_last[n] = weights.w_out.T @ error
    return LastStepCost(cost, grad_w_out, grad_bias_out, d_last)


def backward(
    weights: Weights,
    inputs: Array,
    hidden: Array,
    targets: Targets,
    activation: Activation,
) -> Backward:
    """Back-propagate the cost through time: the chain rule on ICML 2013, Eq. 2.

    d_T = ∂C/∂h_T, and since the cost sees only the last step,
    d_{k−1} = W_recᵀ (d_k ∘ σ'(h_k)). Each step adds its immediate derivatives,
    with h_{k−1} taken as a constant, to the gradients.
    """
    last = last_step_softmax_cost(weights, hidden, targets)
    steps, batch, _ = inputs.shape
    grad_w_in = np.zeros_like(weights.w_in)
    grad_w_rec = np.zeros_like(weights.w_rec)
    grad_bias = np.zeros_like(weights.bias)
    d = np.zeros_like(hidden[1:])
    for n in range(batch):
        d[steps - 1, n] = last.d_last[n]
        for k in range(steps, 0, -1):
            at_sum = d[k - 1, n] * slope(hidden[k, n], activation)
            grad_w_in += np.outer(at_sum, inputs[k - 1, n])
            grad_w_rec += np.outer(at_sum, hidden[k - 1, n])
            grad_bias += at_sum
            if k > 1:
                d[k - 2, n] = weights.w_rec.T @ at_sum
    gradients = Weights(grad_w_in, grad_w_rec, grad_bias, last.w_out, last.bias_out)
    return Backward(gradients, d)


def count_valid_pairs(d: Array, bound: float) -> int:
    """Count the (k, example) pairs with ‖d_k‖² ≥ bound (authors' code)."""
    steps, batch, _ = d.shape
    valid = 0
    for k in range(1, steps + 1):
        for n in range(batch):
            if float(d[k - 1, n] @ d[k - 1, n]) >= bound:
                valid += 1
    return valid


def omega_pair(
    weights: Weights, h_k: Array, d_k: Array, activation: Activation
) -> tuple[float, Array]:
    """Return one pair's Ω_k and its immediate gradient with respect to W_rec.

    v_k = (d_k ∘ σ'(h_k)) W_rec and Ω_k = (‖v_k‖² / ‖d_k‖² − 1)² (ICML 2013, Eq. 9,
    with the squared norms of Eq. 10 and of the authors' code). With d_k and h_k
    constant, ∂Ω_k/∂v_k = 4 (‖v_k‖² / ‖d_k‖² − 1) / ‖d_k‖² · v_k; since
    v_k[j] = Σ_i (d_k ∘ σ'(h_k))[i] W_rec[i, j], the gradient is an outer product.
    """
    at_sum = d_k * slope(h_k, activation)
    v_k = at_sum @ weights.w_rec
    d_squared = float(d_k @ d_k)
    excess = float(v_k @ v_k) / d_squared - 1.0
    at_v = (4.0 * excess / d_squared) * v_k
    return excess * excess, np.outer(at_sum, at_v)


def omega(
    weights: Weights,
    hidden: Array,
    d: Array,
    activation: Activation,
    bound: float = 1e-20,
) -> Omega:
    """Return Ω, ∂⁺Ω/∂W_rec and the share of valid (k, example) pairs.

    Ω is the mean of Ω_k over the valid pairs (ICML 2013, Eqs. 9 and 10; the mean,
    the bound on ‖d_k‖² and the count of all T transitions, h_1 → h_0 included:
    authors' code). With no valid pair Ω and its gradient are zero.
    """
    steps, batch, _ = d.shape
    valid = count_valid_pairs(d, bound)
    value = 0.0
    grad_w_rec = np.zeros_like(weights.w_rec)
    for k in range(1, steps + 1):
        for n in range(batch):
            d_k = d[k - 1, n]
            if float(d_k @ d_k) >= bound:
                pair, pair_grad = omega_pair(weights, hidden[k, n], d_k, activation)
                value += pair / valid
                grad_w_rec += pair_grad / valid
    return Omega(value, grad_w_rec, valid / (steps * batch))


def global_norm(gradients: Weights) -> float:
    """Return one norm over all five parameters (ICML 2013, Algorithm 1)."""
    total = 0.0
    for gradient in gradients:
        total += float(np.sum(gradient * gradient))
    return math.sqrt(total)


def update_gradients(
    weights: Weights,
    inputs: Array,
    targets: Targets,
    activation: Activation,
    omega_weight: float,
) -> Update:
    """Return the cost, Ω, the valid share, all gradients and their global norm.

    W_rec gets ∂C/∂W_rec + α ∂⁺Ω/∂W_rec with α = ``omega_weight`` (ICML 2013,
    Eq. 10); the other parameters get the gradient of the cost alone, and the norm
    is taken after the addition (authors' code). Nothing is clipped here.
    """
    hidden = forward(weights, inputs, activation)
    cost = last_step_softmax_cost(weights, hidden, targets).cost
    gradients, d = backward(weights, inputs, hidden, targets, activation)
    regulariser = omega(weights, hidden, d, activation)
    regularised = gradients._replace(
        w_rec=gradients.w_rec + omega_weight * regulariser.w_rec
    )
    return Update(
        cost=cost,
        omega=regulariser.value,
        valid_share=regulariser.valid_share,
        gradients=regularised,
        norm=global_norm(regularised),
    )
