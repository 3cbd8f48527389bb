"""Norm clipping: Algorithm 1 of the paper, and the repair in the authors' code."""

import torch
from jaxtyping import Float
from torch import Tensor

from rnnlab.bounds import REPAIR_ABOVE, REPAIR_RATE


def global_norm(grads: list[Tensor]) -> Float[Tensor, ""]:
    """Compute the global norm of the gradients, ‖g‖ = √(Σ g²), summed in float64.

    In float32 the sum overflows at a norm of 1.8e19, where clipping would still save
    the run.

    Args:
        grads: One gradient per parameter, of any shapes.

    Example:
        >>> global_norm([torch.tensor([3e30]), torch.tensor([[4e30]])])
        tensor(5.0000e+30, dtype=torch.float64)
    """
    return torch.stack([grad.double().square().sum() for grad in grads]).sum().sqrt()


def clip_by_global_norm(
    grads: list[Tensor], max_norm: float
) -> tuple[list[Tensor], Float[Tensor, ""]]:
    """Rescale gradients together so that their global norm is at most `max_norm`.

    Algorithm 1 of Pascanu, Mikolov & Bengio (ICML 2013): if ‖g‖ ≥ τ then
    g ← (τ / ‖g‖) g, where ‖g‖ runs over all parameters at once.

    Args:
        grads: One gradient per parameter, of any shapes.
        max_norm: The threshold τ > 0, in the unit of the gradient norm.

    Returns:
        The clipped gradients, and ‖g‖ before clipping.

    Raises:
        ValueError: If `max_norm` is not positive.

    Example:
        >>> clip_by_global_norm([torch.tensor([3.0, 4.0])], max_norm=1.0)
        ([tensor([0.6000, 0.8000])], tensor(5., dtype=torch.float64))
    """
    if not max_norm > 0:
        raise ValueError(
            f"max_norm must be positive, got {max_norm}. "
            "To train without clipping, do not call this function."
        )
    norm = global_norm(grads)
    if norm >= max_norm:
        grads = [(grad.double() * (max_norm / norm)).to(grad.dtype) for grad in grads]
    return grads, norm


def clip_by_value(grads: list[Tensor], threshold: float) -> tuple[list[Tensor], bool]:
    """Clip each entry of the gradients at ±threshold: Mikolov's variant (ICML 2013, Section 3.2).

    Args:
        grads: One gradient per parameter, of any shapes.
        threshold: Positive, in the unit of the gradient.

    Returns:
        The clipped gradients, and whether any entry exceeded the threshold. NaN stays NaN.

    Example:
        >>> clip_by_value([torch.tensor([0.5, -3.0])], threshold=1.0)
        ([tensor([ 0.5000, -1.0000])], True)
    """
    beyond = any(bool((grad.abs() > threshold).any()) for grad in grads)
    return [grad.clamp(-threshold, threshold) for grad in grads], beyond


def needs_repair(norm: float) -> bool:
    """Return whether the authors' code would repair a step: its norm is not finite or huge."""
    return not norm <= REPAIR_ABOVE


def repaired(
    w_rec: Float[Tensor, "hidden hidden"], lr: float
) -> Float[Tensor, "hidden hidden"]:
    """Shrink the recurrent weights in place of a step: W_rec ← (1 − 0.02·lr) W_rec.

    The authors' code does this under clipping if the norm is NaN, infinite or above 1e10;
    the other parameters do not change. Not in the paper.

    Args:
        w_rec: The recurrent weights.
        lr: The learning rate.
    """
    return w_rec * (1 - REPAIR_RATE * lr)
