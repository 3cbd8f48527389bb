"""The reference engine: PyTorch autograd, one update at a time.

Every faster engine is tested against this one, so it is kept short and simple.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor
from torch.nn import functional

from rnnlab import rng
from rnnlab.clip import (
    clip_by_global_norm,
    clip_by_value,
    global_norm,
    needs_repair,
    repaired,
)
from rnnlab.costs import cost, wrong
from rnnlab.data import GROUP, Batch, draw_batch
from rnnlab.engines.engine import CHECK_SEQUENCES, Gradients
from rnnlab.numerics import numerics_id
from rnnlab.omega import Omega, omega, omega_gradient
from rnnlab.spec import Activation, Trial
from rnnlab.state import Parameters, State, Totals
from rnnlab.tasks.task import Cost


class Weights(NamedTuple):
    """The parameters as tensors; the names and shapes of `rnnlab.state.Parameters`."""

    w_in: Float[Tensor, "hidden inputs"]
    w_rec: Float[Tensor, "hidden hidden"]
    bias: Float[Tensor, " hidden"]
    w_out: Float[Tensor, "outputs hidden"]
    bias_out: Float[Tensor, " outputs"]


class Backward(NamedTuple):
    """Cost and derivatives of one batch."""

    loss: Float[Tensor, ""]
    grads: list[Tensor]
    """∂C/∂θ in the order of `Weights`."""
    hidden: Float[Tensor, "time batch hidden"]
    """h_k, k = 1..T."""
    dhidden: Float[Tensor, "time batch hidden"]
    """d_k = ∂C/∂h_k, the total derivative: immediate and through time."""


@dataclass(frozen=True)
class Plain:
    """Autograd on one device, in float32, or float64 for higher precision."""

    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    name: str = "plain"

    def numerics_id(self, trial: Trial) -> str:
        """Return an id of what bits depend on: code, libraries, precision, device, vector width."""
        return numerics_id(
            self.name,
            type(self),
            type(trial.task),
            precision=str(self.dtype).removeprefix("torch."),
            device=_device_name(self.device),
            torch=torch.__version__,
        )

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make up to `updates` updates of plain SGD; see `rnnlab.engines.Engine`."""
        weights = self._weights(state.parameters)
        totals = state.totals
        with _repeatable():
            for update in range(state.update, state.update + updates):
                batch = draw_batch(
                    trial.task,
                    seed=trial.seed,
                    purpose=rng.TRAIN,
                    index=update,
                    size=trial.batch,
                )
                weights, totals, diverged = self._update(trial, weights, totals, batch)
                if diverged:
                    return replace(
                        state,
                        parameters=_parameters(weights),
                        update=update + 1,
                        totals=totals,
                        diverged=True,
                    )
        return replace(
            state,
            parameters=_parameters(weights),
            update=state.update + updates,
            totals=totals,
        )

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Count wrong answers on fresh sequences; see `rnnlab.engines.Engine`."""
        weights = self._weights(parameters)
        errors = seen = 0
        while seen < CHECK_SEQUENCES:
            size = min(GROUP, CHECK_SEQUENCES - seen)
            batch = draw_batch(
                trial.task,
                seed=trial.seed,
                purpose=purpose,
                index=index,
                size=size,
                first=seen,
            )
            missed = self._wrong(trial, weights, batch)
            if errors + missed.sum() >= stop_at:
                last = int(np.flatnonzero(missed)[stop_at - errors - 1])
                return stop_at, seen + last + 1
            errors += int(missed.sum())
            seen += size
        return errors, seen

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Return the gradients of one update on given data, before clipping."""
        weights = self._weights(parameters)
        with _repeatable():
            back = self._backward(trial, weights, batch)
            grads, measured = self._regularised(trial, weights, back)
            norm = global_norm(grads)
        return Gradients(
            loss=float(back.loss),
            grads=_parameters(Weights(*grads)),
            norm=float(norm),
            omega=float(measured.value),
            valid_share=float(measured.valid_share),
        )

    def _update(
        self, trial: Trial, weights: Weights, totals: Totals, batch: Batch
    ) -> tuple[Weights, Totals, bool]:
        """Make one update: gradients, Ω, clipping, step; also return whether it diverged."""
        back = self._backward(trial, weights, batch)
        grads = back.grads
        if trial.omega_weight:
            grads, _ = self._regularised(trial, weights, back)
        grads, norm, clipped = clip(trial, grads)
        if trial.repair_nonfinite and needs_repair(norm):
            weights = weights._replace(w_rec=repaired(weights.w_rec, trial.lr))
            return weights, _with_repair(totals), not _finite(weights)
        stepped = zip(weights, grads, strict=True)
        weights = Weights(*(weight - trial.lr * grad for weight, grad in stepped))
        loss = float(back.loss)
        diverged = not (np.isfinite(loss + norm) and _finite(weights))
        return weights, _with_update(totals, loss, norm, clipped), diverged

    def _regularised(
        self, trial: Trial, weights: Weights, back: Backward
    ) -> tuple[list[Tensor], Omega]:
        """Add `omega_weight`·∂⁺Ω/∂W_rec to the gradient of W_rec, and to no other."""
        hidden, dhidden, activation = back.hidden, back.dhidden, trial.activation
        if not trial.omega_weight:
            return back.grads, omega(
                weights.w_rec, hidden=hidden, dhidden=dhidden, activation=activation
            )
        gradient, measured = omega_gradient(
            weights.w_rec, hidden=hidden, dhidden=dhidden, activation=activation
        )
        grads = Weights(*back.grads)
        w_rec = grads.w_rec + trial.omega_weight * gradient
        return list(grads._replace(w_rec=w_rec)), measured

    def _backward(self, trial: Trial, weights: Weights, batch: Batch) -> Backward:
        inputs, targets = self._tensors(batch)
        return backward(weights, inputs, targets, trial.activation, trial.task.cost)

    def _wrong(self, trial: Trial, weights: Weights, batch: Batch) -> np.ndarray:
        inputs, targets = self._tensors(batch)
        with torch.no_grad(), _repeatable():
            hidden = forward(weights, inputs, trial.activation)
            outputs = read_out(weights, hidden, trial.task.cost)
            return wrong(trial.task.cost, outputs, targets).cpu().numpy()

    def _weights(self, parameters: Parameters) -> Weights:
        return Weights(
            *(torch.tensor(p, dtype=self.dtype, device=self.device) for p in parameters)
        )

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
        if inputs.is_floating_point():
            inputs = inputs.to(self.dtype)
        return inputs.to(self.device), targets.to(self.device)


def forward(
    weights: Weights, inputs: Num[Tensor, "time batch *inputs"], activation: Activation
) -> list[Tensor]:
    """Run the network: h_t = σ(W_rec h_{t−1} + W_in u_t + b), h_0 = 0 (Eq. 2).

    Args:
        weights: The parameters.
        inputs: Symbols, as indices of one-hot vectors; or numbers.
        activation: σ.

    Returns:
        h_1 to h_T, each (batch, hidden). A list, not a tensor, so that autograd returns
        the total derivative of every step.
    """
    squash = torch.tanh if activation == "tanh" else torch.sigmoid
    if inputs.is_floating_point():
        entering = functional.linear(inputs, weights.w_in)
    else:
        entering = functional.embedding(inputs, weights.w_in.T)
    arriving = (entering + weights.bias).unbind(0)
    hidden = [squash(arriving[0])]
    for each in arriving[1:]:
        hidden.append(squash(torch.addmm(each, hidden[-1], weights.w_rec.T)))
    return hidden


def read_out(
    weights: Weights, hidden: list[Tensor], kind: Cost
) -> Float[Tensor, "*time batch outputs"]:
    """Return y = W_out h + b_out at each step, or only at the last, depending on `kind`."""
    asked = torch.stack(hidden) if kind == "class_at_each_step" else hidden[-1]
    return functional.linear(asked, weights.w_out, weights.bias_out)


def backward(
    weights: Weights,
    inputs: Num[Tensor, "time batch *inputs"],
    targets: Num[Tensor, "*targets"],
    activation: Activation,
    kind: Cost,
) -> Backward:
    """Backpropagate through time.

    Args:
        weights: The parameters.
        inputs: Symbols, as indices of one-hot vectors; or numbers.
        targets: The targets; see `rnnlab.costs`.
        activation: σ.
        kind: The cost.

    Returns:
        Cost, its gradients, h_k and the total derivatives d_k = ∂C/∂h_k, k = 1..T.
    """
    leaves = Weights(*(weight.detach().requires_grad_() for weight in weights))
    hidden = forward(leaves, inputs, activation)
    loss = cost(kind, read_out(leaves, hidden, kind), targets)
    grads = torch.autograd.grad(loss, [*leaves, *hidden])
    parameters = len(leaves)
    return Backward(
        loss=loss.detach(),
        grads=list(grads[:parameters]),
        hidden=torch.stack([h.detach() for h in hidden]),
        dhidden=torch.stack(grads[parameters:]),
    )


def clip(trial: Trial, grads: list[Tensor]) -> tuple[list[Tensor], float, bool]:
    """Clip by a trial's settings; also return the norm before, and whether it clipped."""
    if trial.clip_norm is None:
        return grads, float(global_norm(grads)), False
    if trial.clip_by == "value":
        clipped, beyond = clip_by_value(grads, trial.clip_norm)
        return clipped, float(global_norm(grads)), beyond
    grads, before = clip_by_global_norm(grads, trial.clip_norm)
    return grads, float(before), float(before) >= trial.clip_norm


def _with_update(totals: Totals, loss: float, norm: float, clipped: bool) -> Totals:
    return replace(
        totals,
        updates=totals.updates + 1,
        clipped=totals.clipped + clipped,
        loss=totals.loss + loss,
        grad_norm=totals.grad_norm + norm,
        grad_norm_max=max(totals.grad_norm_max, norm),
    )


def _with_repair(totals: Totals) -> Totals:
    return replace(totals, updates=totals.updates + 1, repaired=totals.repaired + 1)


def _finite(weights: Weights) -> bool:
    return all(bool(weight.isfinite().all()) for weight in weights)


def _parameters(weights: Weights) -> Parameters:
    return Parameters(*(weight.detach().cpu().numpy().copy() for weight in weights))


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return torch.backends.cpu.get_cpu_capability() if device == "cpu" else device


@contextmanager
def _repeatable() -> Generator[None]:
    """Compute on one thread and treat denormal numbers as zero.

    The last bits of a sum depend on the number of threads. Vanished gradients become denormal
    numbers, which are slow.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
