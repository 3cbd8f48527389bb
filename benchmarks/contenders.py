"""Implementations that `benchmarks/update.py` times, and the machine's peak.

Each computes whole updates on temporal order: fresh data, forward pass, backpropagation
through time, gradient norm, clipping, step. `nn_rnn` is the usual PyTorch code; `baddbmm`
and `jax` train many small networks at once on one core.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

# JAX reads it when it is imported.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
)

import numba
import numpy as np
import torch
from numba.extending import intrinsic
from torch import Tensor, nn
from torch.nn import functional

from rnnlab import Trial, rng
from rnnlab.bounds import VALID_BOUND
from rnnlab.data import draw_batch
from rnnlab.engines import choose
from rnnlab.engines.fused_cpu import microkernel
from rnnlab.engines.fused_cpu.operations import MACHINE, TILE_ROWS
from rnnlab.init import initial_parameters
from rnnlab.omega import omega_gradient
from rnnlab.train import fresh

try:
    import jax
    from jax import lax
    from jax import numpy as jnp
except ImportError:
    jax = None

TRIALS = 15
"""Trials that `baddbmm` and `jax` train together."""

JAX_UPDATES = 10
"""Updates of all its trials in one call of `jax`."""


@dataclass(frozen=True)
class Contender:
    """One implementation, which trains one trial, or several at once."""

    engine: str
    variant: str
    advance: Callable[[int], None]
    """Make a number of calls."""
    updates_a_call: int = 1
    """Updates per call, counted over all trials."""


def contenders(variants: dict[str, Trial]) -> list[Contender]:
    """Build all contenders for these trials; the first is `nn_rnn` with MSGD-C."""
    found = [Contender("nn_rnn", "MSGD-C", nn_rnn(variants["MSGD-C"]))]
    for name in ("plain", "fused_cpu"):
        found += [Contender(name, v, ours(name, trial)) for v, trial in variants.items()]
    found += [
        Contender("baddbmm", v, Stacked(trial).advance, TRIALS)
        for v, trial in variants.items()
    ]
    if jax is not None:
        found += [
            Contender("jax", v, in_jax(trial), TRIALS * JAX_UPDATES)
            for v, trial in variants.items()
        ]
    return found


def nn_rnn(trial: Trial) -> Callable[[int], None]:
    """Build the usual PyTorch code: nn.RNN, autograd, clip_grad_norm_, SGD; no Ω."""
    task = trial.task
    network = nn.RNN(task.inputs, trial.hidden, nonlinearity="tanh")
    readout = nn.Linear(trial.hidden, task.outputs)
    parameters = [*network.parameters(), *readout.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=trial.lr)
    made = 0

    def advance(updates: int) -> None:
        nonlocal made
        for _ in range(updates):
            symbols, targets = draw_batch(
                task, seed=0, purpose=rng.TRAIN, index=made, size=trial.batch
            )
            inputs = functional.one_hot(torch.from_numpy(symbols), task.inputs).float()
            loss = functional.cross_entropy(
                readout(network(inputs)[0][-1]), torch.from_numpy(targets)
            )
            optimiser.zero_grad()
            loss.backward()
            if trial.clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, trial.clip_norm)
            optimiser.step()
            made += 1

    return advance


def ours(name: str, trial: Trial) -> Callable[[int], None]:
    """Build one of our engines; each call continues from the previous one."""
    engine, state = choose(name), fresh(trial)

    def advance(updates: int) -> None:
        nonlocal state
        state = engine.advance(trial, state, updates)

    return advance


def stacked_parameters(trial: Trial) -> list[np.ndarray]:
    """Return the initial parameters of seeds 0, 1, …; the first axis of each array is trials."""
    each = [initial_parameters(replace(trial, seed=seed)) for seed in range(TRIALS)]
    return [np.stack(arrays).astype(np.float32) for arrays in zip(*each, strict=True)]


class Stacked:
    """Replicates in one PyTorch graph: one `baddbmm` per step for all of them."""

    def __init__(self, trial: Trial) -> None:
        """Start with replicates 0, 1, … of a trial."""
        self.trial = trial
        self.parameters = [torch.from_numpy(each) for each in stacked_parameters(trial)]
        self.made = 0

    def advance(self, updates: int) -> None:
        """Make updates of all trials."""
        for _ in range(updates):
            self._step(self._gradients(*self._draw()))
            self.made += 1

    def _draw(self) -> tuple[Tensor, Tensor]:
        """Draw symbols (time, trials, batch) and targets (trials, batch)."""
        trial = self.trial
        batches = [
            draw_batch(
                trial.task, seed=seed, purpose=rng.TRAIN, index=self.made, size=trial.batch
            )
            for seed in range(TRIALS)
        ]
        symbols = np.stack([batch.inputs for batch in batches], axis=1)
        targets = np.stack([batch.targets for batch in batches])
        return torch.from_numpy(symbols), torch.from_numpy(targets)

    def _gradients(self, symbols: Tensor, targets: Tensor) -> list[Tensor]:
        leaves = [each.requires_grad_() for each in self.parameters]
        w_in, w_rec, bias, w_out, bias_out = leaves
        which = torch.arange(TRIALS)[:, None]
        arriving = (w_in.mT[which, symbols] + bias[:, None]).unbind(0)
        hidden = [torch.tanh(arriving[0])]
        for each in arriving[1:]:
            hidden.append(torch.tanh(torch.baddbmm(each, hidden[-1], w_rec.mT)))
        answers = torch.baddbmm(bias_out[:, None], hidden[-1], w_out.mT)
        surprise = functional.cross_entropy(
            answers.flatten(0, 1), targets.flatten(), reduction="sum"
        )
        loss = surprise / self.trial.batch  # summed over trials: each has its own mean
        if not self.trial.omega_weight:
            return list(torch.autograd.grad(loss, leaves))
        grads = torch.autograd.grad(loss, [*leaves, *hidden])
        omegas = _stacked_omega_gradient(
            w_rec.detach(),
            torch.stack([h.detach() for h in hidden]),
            torch.stack(grads[len(leaves) :]),
        )
        w_rec_gradient = grads[1] + self.trial.omega_weight * omegas
        return [grads[0], w_rec_gradient, *grads[2 : len(leaves)]]

    def _step(self, grads: list[Tensor]) -> None:
        """Clip each trial's gradient by its own norm, and take a step."""
        factor = torch.ones(TRIALS)
        if self.trial.clip_norm is not None:
            squares = [grad.square().flatten(1).sum(1) for grad in grads]
            norm = torch.stack(squares).sum(0).sqrt()
            factor = (self.trial.clip_norm / norm).clamp(max=1)
        step = -self.trial.lr * factor
        self.parameters = [
            each.detach() + step.view(-1, *[1] * (each.dim() - 1)) * grad
            for each, grad in zip(self.parameters, grads, strict=True)
        ]


_stacked_omega_gradient = torch.vmap(
    lambda w_rec, hidden, dhidden: omega_gradient(
        w_rec, hidden=hidden, dhidden=dhidden, activation="tanh"
    )[0],
    in_dims=(0, 1, 1),
)


def in_jax(trial: Trial) -> Callable[[int], None]:
    """Build `jit(scan(vmap(update)))` over replicates, data drawn inside by `jax.random`."""
    parameters = [jnp.asarray(each) for each in stacked_parameters(trial)]
    key = jax.random.key(0)
    update = jax.vmap(partial(_jax_update, trial))

    @jax.jit
    def chunk(parameters: Any, key: Any) -> Any:
        keys = jax.random.split(key, (JAX_UPDATES, TRIALS))
        return lax.scan(lambda p, keys: (update(p, keys), None), parameters, keys)[0]

    def advance(calls: int) -> None:
        nonlocal parameters, key
        for _ in range(calls):
            key, now = jax.random.split(key)
            parameters = chunk(parameters, now)
        jax.block_until_ready(parameters)

    return advance


def _jax_update(trial: Trial, parameters: Any, key: Any) -> Any:
    symbols, targets = _jax_draw(trial.task.length, trial.batch, key)
    grads = jax_gradients(trial, parameters, symbols, targets)
    factor = 1.0
    if trial.clip_norm is not None:
        norm = jnp.sqrt(sum(jnp.sum(grad * grad) for grad in grads))
        factor = jnp.minimum(trial.clip_norm / norm, 1)
    return [p - trial.lr * factor * g for p, g in zip(parameters, grads, strict=True)]


def _jax_draw(length: int, batch: int, key: Any) -> tuple[Any, Any]:
    """Draw symbols (time, batch) and targets, as `rnnlab.tasks.temporal_order` does."""
    distractors, orders, firsts, seconds = jax.random.split(key, 4)
    symbols = jax.random.randint(distractors, (length, batch), 2, 6)
    v0, v1 = jax.random.randint(orders, (2, batch), 0, 2)
    first = length // 10 + jax.random.randint(firsts, (batch,), 0, length // 10)
    second = length // 2 + jax.random.randint(seconds, (batch,), 0, length // 10)
    time = jnp.arange(length)[:, None]
    symbols = jnp.where(time == first, v0, jnp.where(time == second, v1, symbols))
    return symbols, v0 + 2 * v1


def jax_gradients(trial: Trial, parameters: Any, symbols: Any, targets: Any) -> Any:
    """Compute the gradients of one trial before clipping, with Ω if its weight is not 0."""
    if not trial.omega_weight:
        return jax.grad(_jax_cost, has_aux=True)(parameters, 0.0, symbols, targets)[0]
    nudges = jnp.zeros((*symbols.shape, trial.hidden))
    (grads, dhidden), hidden = jax.grad(_jax_cost, argnums=(0, 1), has_aux=True)(
        parameters, nudges, symbols, targets
    )
    omegas = _jax_omega_gradient(parameters[1], hidden, dhidden)
    return [grads[0], grads[1] + trial.omega_weight * omegas, *grads[2:]]


def _jax_cost(parameters: Any, nudges: Any, symbols: Any, targets: Any) -> tuple[Any, Any]:
    """Compute C and h_1..h_T; ∂C/∂nudge_k is the total derivative ∂C/∂h_k."""
    w_in, w_rec, bias, w_out, bias_out = parameters
    arriving = w_in.T[symbols] + bias
    nudges = jnp.broadcast_to(nudges, arriving.shape)

    def step(before: Any, now: Any) -> tuple[Any, Any]:
        each, nudge = now
        h = jnp.tanh(each + before @ w_rec.T) + nudge
        return h, h

    last, hidden = lax.scan(step, jnp.zeros_like(arriving[0]), (arriving, nudges))
    chances = jax.nn.log_softmax(last @ w_out.T + bias_out)
    return -jnp.take_along_axis(chances, targets[:, None], axis=1).mean(), hidden


def _jax_omega_gradient(w_rec: Any, hidden: Any, dhidden: Any) -> Any:
    """Compute ∂⁺Ω/∂W_rec with the formula of `rnnlab.omega`."""
    local = dhidden * (1 - hidden * hidden)
    arriving = local @ w_rec
    squared = jnp.sum(dhidden * dhidden, axis=-1)
    valid = squared >= VALID_BOUND
    squared = jnp.where(valid, squared, 1)
    excess = jnp.sum(arriving * arriving, axis=-1) / squared - 1
    factor = 4 * excess / squared * valid / jnp.maximum(valid.sum(), 1)
    return jnp.einsum("tbi,tbj->ij", local, factor[..., None] * arriving)


PEAK_STEPS = 3_000_000
"""Loop steps in one call of `peak`: about ten milliseconds."""

ACCUMULATORS = max(rows * vectors for vectors, rows in enumerate(TILE_ROWS, start=1))
"""Vectors that fit into the registers beside two others; each is an independent chain."""

PEAK_FLOPS = 2 * microkernel.LANES * ACCUMULATORS * PEAK_STEPS
"""Floating-point operations of one call of `peak`."""


@intrinsic
def _chains(typingctx: Any, start: Any, factor: Any, steps: Any) -> Any:
    """Run x ← x·factor + factor in every lane of every accumulator; return the sum."""

    def codegen(context: Any, builder: Any, _: Any, values: Any) -> Any:
        start, factor, steps = values
        scale = microkernel.splat(builder, factor, microkernel.VECTOR)
        first = []
        for _ in range(ACCUMULATORS):
            first.append(microkernel.splat(builder, start, microkernel.VECTOR))
            start = builder.fadd(start, factor)  # unequal chains, or LLVM runs one
        last = microkernel.loop(
            builder,
            steps,
            first,
            lambda k, sums: [
                microkernel.multiply_add(builder, x, scale, scale, MACHINE.fused)
                for x in sums
            ],
        )
        total = last[0]
        for each in last[1:]:
            total = builder.fadd(total, each)
        return microkernel.sum_of_lanes(builder, total)

    signature = numba.float32(numba.float32, numba.float32, numba.intp)
    return signature, codegen


@numba.njit(nogil=True)
def _peak(start: np.float32, factor: np.float32, steps: int) -> np.float32:
    return _chains(start, factor, steps)


def peak() -> None:
    """Compute `PEAK_FLOPS` of fused multiply-adds in registers: nothing can be faster."""
    total = _peak(np.float32(1), np.float32(0.5), PEAK_STEPS)
    assert math.isfinite(total)
