"""Time how others would train many small recurrent networks on one GPU, in float32 throughout.

    python benchmarks/gpu_contenders.py [--lengths 50,100,200] [--trials 1,16,64,264] [--json FILE]

Temporal order, tanh, 50 hidden units, batch 20, SGD at 0.01, the gradient norm of each trial clipped
at 1. An update draws its batch on the GPU, then computes forward pass, backpropagation through time,
clipping and step. Contenders:

- `nn_rnn`: nn.RNN (cuDNN on a GPU), one trial; `eager` is the usual loop, `graph` the same captured
  in a CUDA graph.
- `baddbmm`: trials stacked, one torch.baddbmm per step for all, captured in a CUDA graph; gradients
  by `autograd`, or by a backward pass written by `hand`, which launches fewer kernels.
- `jax`: jit(scan(vmap(update))), a scan over the steps inside, unrolled or not.

`nn_rnn` and `baddbmm` run without graphs on a CPU, where this file can be tried with small sizes.
Before it is timed, each contender makes one update that is compared with autograd in float64, and a
few hundred in which the loss must fall. A contender that fails is reported, and the others go on.
It needs PyTorch, and JAX for the rows `jax`; nothing of this project. XLA_FLAGS are passed on to JAX.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

WORKERS = {"nn_rnn": 0.25, "baddbmm": 0.6, "jax": 1.0}
"""Contenders, each timed in a process of its own, and the share of the time over at their end."""

WORKER = os.environ.get("GPU_CONTENDERS_WORKER")
"""The contender of this process, which imports only the library that it uses; None at first."""

if TYPE_CHECKING:
    import jax
    import torch
    from jax import lax
    from jax import numpy as jnp
    from torch import Tensor, nn
    from torch.nn import functional
elif WORKER == "jax":
    try:
        import jax
        from jax import lax
        from jax import numpy as jnp
    except ImportError:
        jax = None
elif WORKER:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

SYMBOLS, CLASSES, HIDDEN, BATCH = 6, 4, 50, 20
LR, MAX_NORM = 0.01, 1.0

LIMIT_S = 95
"""Default seconds for one length, all contenders together."""

KILL_AFTER_S = 4
"""Seconds beyond its time after which a contender's process is killed: JAX may be compiling."""

REPEATS = 3
WARM_UPS = 3
JAX_UPDATES = 50
"""Updates of all its trials in one call of `jax`."""

CHECK_LENGTH, CHECK_SCALES = 20, (1.0, 10.0, 30.0)
"""The check's sequences, and what multiplies W_out in its trials: not all clip."""

CHECK_LR = 100.0
"""So large that the rounding of parameters does not hide that of gradients."""

TOLERANCE = 1e-4
FALL_LENGTH, FALL_TRIALS, FALL_UPDATES, FALL_LR = 10, 4, 400, 0.1
FALLS_TO = 0.9
"""The loss at the end of a check, as a share of that at its start, is at most this."""


class Parameters(NamedTuple):
    """Parameters of stacked trials; the first axis of each is trials."""

    w_in: Any
    w_rec: Any
    bias: Any
    w_out: Any
    bias_out: Any


@dataclass
class Row:
    """One measurement, or why there is none."""

    contender: str
    variant: str
    T: int
    trials: int
    updates_per_s: float | None = None
    """Updates of single trials per second, summed over trials."""
    ms_per_update_step: float | None = None
    """Time in which every trial makes one update."""
    prepare_s: float | None = None
    """Capture or compilation, and warm-up."""
    error: str | None = None
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)


@dataclass
class Check:
    """Whether a contender computes the right thing."""

    contender: str
    variant: str
    relative_error: float | None = None
    """Of one update, clipped in some trials, against autograd in float64."""
    loss_first: float | None = None
    loss_last: float | None = None
    passed: bool = False
    error: str | None = None


class Trained(NamedTuple):
    """Trials in training."""

    advance: Callable[[int], None]
    """Make a number of calls, and wait for their end."""
    updates_a_call: int
    """Updates per call of each trial."""
    parameters: Callable[[], list[np.ndarray]]
    losses: Callable[[int], list[float]]
    """Make about a number of updates; return the loss of each, as a mean over trials."""


@dataclass(frozen=True)
class Problem:
    """What a contender trains."""

    length: int
    parameters: Parameters
    batch: tuple[np.ndarray, np.ndarray] | None = None
    """Symbols `trials time batch` and targets `trials batch` of every update; None draws them."""
    lr: float = LR

    @property
    def trials(self) -> int:
        """The number of stacked trials."""
        return len(self.parameters.bias)


def initial_parameters(trials: int, seed: int = 0) -> Parameters:
    """Draw normal weights of standard deviation 0.1, and biases of zero."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (0.1 * rng.standard_normal((trials, *shape))).astype(np.float32)

    return Parameters(
        w_in=normal(HIDDEN, SYMBOLS),
        w_rec=normal(HIDDEN, HIDDEN),
        bias=np.zeros((trials, HIDDEN), np.float32),
        w_out=normal(CLASSES, HIDDEN),
        bias_out=np.zeros((trials, CLASSES), np.float32),
    )


# PyTorch


def torch_draw(length: int, trials: int, device: str) -> tuple[Tensor, Tensor]:
    """Draw symbols `trials time batch` and targets `trials batch` on the device.

    A or B, 0 or 1, in each of two windows of T/10 steps, at T/10 and T/2; distractors 2 to 5
    elsewhere. The class is v₀ + 2 v₁.
    """
    symbols = torch.randint(2, SYMBOLS, (trials, length, BATCH), device=device)
    values = torch.randint(0, 2, (2, trials, 1, BATCH), device=device)
    offsets = torch.randint(0, length // 10, (2, trials, 1, BATCH), device=device)
    symbols.scatter_(1, length // 10 + offsets[0], values[0])
    symbols.scatter_(1, length // 2 + offsets[1], values[1])
    return symbols, (values[0] + 2 * values[1]).squeeze(1)


def torch_source(problem: Problem, device: str) -> Callable[[], tuple[Tensor, Tensor]]:
    """Return the function that gives each update its batch."""
    if problem.batch is None:
        return partial(torch_draw, problem.length, problem.trials, device)
    fixed = tuple(torch.from_numpy(each).to(device) for each in problem.batch)
    return lambda: fixed


def one_hot(symbols: Tensor) -> Tensor:
    """Return the one-hot vectors; unlike functional.one_hot, never looks at the values."""
    return (symbols[..., None] == torch.arange(SYMBOLS, device=symbols.device)).float()


def captured(update: Callable[[], None], parameters: list[Tensor]) -> Callable[[], None]:
    """Capture an update in a CUDA graph, and put the parameters back to where they started."""
    before = [each.detach().clone() for each in parameters]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            update()
    torch.cuda.current_stream().wait_stream(side)
    for each in parameters:
        each.grad = None  # so that backward allocates it in the graph's own memory
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    with torch.no_grad():
        for each, start in zip(parameters, before, strict=True):
            each.copy_(start)
    torch.cuda.synchronize()
    return graph.replay


def trained_by_torch(
    update: Callable[[], None],
    parameters: list[Tensor],
    loss: Tensor,
    stacked: Callable[[], list[Tensor]],
    graph: bool,
) -> Trained:
    """Make a contender of an update that changes `parameters` and `loss` in place."""
    step = captured(update, parameters) if graph else update

    def advance(calls: int) -> None:
        for _ in range(calls):
            step()
        if loss.is_cuda:
            torch.cuda.synchronize()

    def losses(updates: int) -> list[float]:
        found: list[float] = []
        for _ in range(updates):
            step()
            found.append(loss.item())
        return found

    return Trained(
        advance, 1, lambda: [each.detach().cpu().numpy() for each in stacked()], losses
    )


def nn_rnn(problem: Problem, device: str, graph: bool) -> Trained:
    """Train one trial by nn.RNN, clip_grad_norm_ and torch.optim.SGD.

    The second bias of nn.RNN stays zero, so that the gradient norm is that of the others.
    """
    network = nn.RNN(SYMBOLS, HIDDEN, nonlinearity="tanh", device=device)
    readout = nn.Linear(HIDDEN, CLASSES, device=device)
    network.bias_hh_l0.requires_grad_(False).zero_()
    parameters = [
        network.weight_ih_l0,
        network.weight_hh_l0,
        network.bias_ih_l0,
        readout.weight,
        readout.bias,
    ]
    with torch.no_grad():
        for each, start in zip(parameters, problem.parameters, strict=True):
            each.copy_(torch.from_numpy(start[0]))
    optimiser = torch.optim.SGD(parameters, lr=problem.lr, fused=True)
    draw = torch_source(problem, device)
    shown = torch.zeros((), device=device)

    def update() -> None:
        symbols, targets = draw()
        optimiser.zero_grad()
        hidden, _ = network(one_hot(symbols[0]))  # time batch inputs
        loss = functional.cross_entropy(readout(hidden[-1]), targets[0])
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        optimiser.step()
        shown.copy_(loss.detach())

    return trained_by_torch(
        update, parameters, shown, lambda: [each[None] for each in parameters], graph
    )


Gradients = Callable[[Parameters, "Tensor", "Tensor"], "tuple[Tensor, list[Tensor]]"]


def baddbmm(problem: Problem, device: str, gradients: Gradients, graph: bool) -> Trained:
    """Train stacked trials, each clipped by its own norm."""
    parameters = Parameters(
        *(torch.from_numpy(each).to(device) for each in problem.parameters)
    )
    parameters = Parameters(*(each.clone().requires_grad_() for each in parameters))
    draw = torch_source(problem, device)
    shown = torch.zeros((), device=device)

    def update() -> None:
        symbols, targets = draw()
        loss, grads = gradients(parameters, symbols, targets)
        with torch.no_grad():
            norms = [torch.linalg.vector_norm(grad.flatten(1), dim=1) for grad in grads]
            norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
            step = -problem.lr * (MAX_NORM / norm).clamp(max=1)
            for each, grad in zip(parameters, grads, strict=True):
                each.addcmul_(grad, step.view(-1, *[1] * (grad.dim() - 1)))
            shown.copy_(loss / problem.trials)

    return trained_by_torch(
        update, list(parameters), shown, lambda: list(parameters), graph
    )


def by_autograd(
    parameters: Parameters, symbols: Tensor, targets: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Return the loss, summed over trials, and the gradients.

    W_in times one-hot vectors is one product for all steps, and so is its gradient; that of a
    lookup adds thousands of rows into six.
    """
    w_in, w_rec, bias, w_out, bias_out = parameters
    inputs = one_hot(symbols).flatten(1, 2)
    arriving = torch.baddbmm(bias[:, None], inputs, w_in.mT)
    first, *rest = arriving.unflatten(1, symbols.shape[1:]).unbind(1)
    hidden = torch.tanh(first)
    for each in rest:
        hidden = torch.tanh(torch.baddbmm(each, hidden, w_rec.mT))
    logits = torch.baddbmm(bias_out[:, None], hidden, w_out.mT)
    surprise = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum"
    )
    loss = surprise / BATCH
    return loss.detach(), list(torch.autograd.grad(loss, list(parameters)))


def by_hand(
    parameters: Parameters, symbols: Tensor, targets: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Return what `by_autograd` does, with two kernels per step in either direction.

    a_k = ∂C/∂(W_rec h_{k−1} + W_in u_k + b) is kept for all k, so that the gradients of W_rec,
    W_in and b are one product each.
    """
    with torch.no_grad():
        w_in, w_rec, bias, w_out, bias_out = parameters
        trials, length, batch = symbols.shape
        inputs = one_hot(symbols).flatten(1, 2)
        hidden = inputs.new_empty(trials, length + 1, batch, HIDDEN)
        hidden[:, 0].zero_()
        arriving = hidden[:, 1:].view(trials, length * batch, HIDDEN)
        torch.baddbmm(bias[:, None], inputs, w_in.mT, out=arriving)
        h = hidden.unbind(1)
        h[1].tanh_()
        for k in range(1, length):
            h[k + 1].baddbmm_(h[k], w_rec.mT).tanh_()
        logits = torch.baddbmm(bias_out[:, None], h[-1], w_out.mT)
        log_y = logits.log_softmax(-1)
        right = (targets[..., None] == torch.arange(CLASSES, device=targets.device)).float()
        d_logits = (log_y.exp() - right) / batch
        all_a = inputs.new_empty(trials, length, batch, HIDDEN)
        a = all_a.unbind(1)
        d = torch.bmm(d_logits, w_out)
        for k in range(length - 1, -1, -1):
            torch.ops.aten.tanh_backward.grad_input(d, h[k + 1], grad_input=a[k])
            if k:
                torch.bmm(a[k], w_rec, out=d)
        flat = all_a.flatten(1, 2)
        grads = [
            torch.bmm(flat.mT, inputs),
            torch.bmm(flat.mT, hidden[:, :-1].flatten(1, 2)),
            flat.sum(1),
            torch.bmm(d_logits.mT, h[-1]),
            d_logits.sum(1),
        ]
        return -(log_y * right).sum() / batch, grads


def reference(folder: Path) -> Path:
    """Write the check's problem, and its update in float64 by plain autograd, once."""
    path = folder / "reference.npz"
    if path.exists():
        return path
    trials = len(CHECK_SCALES)
    start = initial_parameters(trials, seed=1)
    start.w_out[:] *= np.array(CHECK_SCALES, np.float32)[:, None, None]
    symbols, targets = torch_draw(CHECK_LENGTH, trials, "cpu")
    ended = [
        _plain_update([torch.from_numpy(each[trial]).double() for each in start], *batch)
        for trial, batch in enumerate(zip(symbols, targets, strict=True))
    ]
    np.savez(
        path,
        symbols=symbols.numpy(),
        targets=targets.numpy(),
        **{f"start_{name}": each for name, each in start._asdict().items()},
        **{
            f"ended_{name}": torch.stack(each).numpy()
            for name, each in zip(Parameters._fields, zip(*ended, strict=True), strict=True)
        },
    )
    return path


def _plain_update(start: list[Tensor], symbols: Tensor, targets: Tensor) -> list[Tensor]:
    """Make one update of one trial at the check's learning rate."""
    leaves = [each.requires_grad_() for each in start]
    w_in, w_rec, bias, w_out, bias_out = leaves
    hidden = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    for now in symbols:
        hidden = torch.tanh(hidden @ w_rec.T + w_in.T[now] + bias)
    loss = functional.cross_entropy(hidden @ w_out.T + bias_out, targets)
    grads = torch.autograd.grad(loss, leaves)
    norm = torch.cat([grad.flatten() for grad in grads]).norm()
    step = CHECK_LR * min(1.0, MAX_NORM / float(norm))
    return [(each - step * grad).detach() for each, grad in zip(leaves, grads, strict=True)]


# JAX


def jax_draw(length: int, key: Any) -> tuple[Any, Any]:
    """Draw symbols `time batch` and targets `batch` of one trial, as `torch_draw` does."""
    distractors, orders, places = jax.random.split(key, 3)
    symbols = jax.random.randint(distractors, (length, BATCH), 2, SYMBOLS)
    v0, v1 = jax.random.randint(orders, (2, BATCH), 0, 2)
    first, second = jax.random.randint(places, (2, BATCH), 0, length // 10)
    steps = jnp.arange(length)[:, None]
    symbols = jnp.where(steps == length // 10 + first, v0, symbols)
    symbols = jnp.where(steps == length // 2 + second, v1, symbols)
    return symbols, v0 + 2 * v1


def jax_loss(parameters: Parameters, symbols: Any, targets: Any, unroll: int) -> Any:
    """Return the loss of one trial."""
    w_in, w_rec, bias, w_out, bias_out = parameters
    arriving = jax.nn.one_hot(symbols, SYMBOLS) @ w_in.T + bias

    def step(hidden: Any, now: Any) -> tuple[Any, None]:
        return jnp.tanh(now + hidden @ w_rec.T), None

    hidden, _ = lax.scan(step, jnp.zeros_like(arriving[0]), arriving, unroll=unroll)
    log_y = jax.nn.log_softmax(hidden @ w_out.T + bias_out)
    return -(log_y * jax.nn.one_hot(targets, CLASSES)).sum() / BATCH


def jax_update(
    parameters: Parameters, symbols: Any, targets: Any, *, lr: float, unroll: int
) -> tuple[Parameters, Any]:
    """Make one update of one trial; also return its loss."""
    loss, grads = jax.value_and_grad(jax_loss)(parameters, symbols, targets, unroll)
    norm = jnp.sqrt(sum(jnp.sum(grad * grad) for grad in grads))
    step = lr * jnp.minimum(MAX_NORM / norm, 1)
    return Parameters(*(p - step * g for p, g in zip(parameters, grads, strict=True))), loss


def in_jax(problem: Problem, unroll: int) -> Trained:
    """Train stacked trials in JAX; a problem with a batch makes one update a call."""
    parameters = Parameters(*(jnp.array(each) for each in problem.parameters))
    key = jax.random.key(0)
    fixed = problem.batch and tuple(jnp.array(each) for each in problem.batch)
    updates = 1 if fixed else JAX_UPDATES
    make = jax.vmap(partial(jax_update, lr=problem.lr, unroll=unroll))
    draw = jax.vmap(partial(jax_draw, problem.length))

    @partial(jax.jit, donate_argnums=0)
    def chunk(parameters: Parameters, key: Any) -> tuple[Parameters, Any, Any]:
        def body(parameters: Parameters, keys: Any) -> tuple[Parameters, Any]:
            batch = fixed or draw(keys)
            parameters, loss = make(parameters, *batch)
            return parameters, loss.mean()

        key, now = jax.random.split(key)
        keys = jax.random.split(now, (updates, problem.trials))
        parameters, losses = lax.scan(body, parameters, keys)
        return parameters, key, losses

    def advance(calls: int) -> None:
        nonlocal parameters, key
        for _ in range(calls):
            parameters, key, _ = chunk(parameters, key)
        jax.block_until_ready(parameters)

    def losses(wanted: int) -> list[float]:
        nonlocal parameters, key
        found: list[float] = []
        while len(found) < wanted:
            parameters, key, some = chunk(parameters, key)
            found += np.asarray(some).tolist()
        return found

    return Trained(
        advance, updates, lambda: [np.asarray(each) for each in parameters], losses
    )


# Measuring


def variants(
    contender: str, device: str, unrolls: list[int]
) -> dict[str, Callable[[Problem], Trained]]:
    """Return the variants of a contender, by name."""
    graph = device == "cuda"
    if contender == "nn_rnn":
        found = {"eager": partial(nn_rnn, device=device, graph=False)}
        return found | (
            {"graph": partial(nn_rnn, device=device, graph=True)} if graph else {}
        )
    if contender == "baddbmm":
        ways = {"autograd": by_autograd, "hand": by_hand}
        return {
            name: partial(baddbmm, device=device, gradients=way, graph=graph)
            for name, way in ways.items()
        }
    return {f"unroll={n}": partial(in_jax, unroll=n) for n in unrolls}


def check(
    contender: str, variant: str, build: Callable[[Problem], Trained], folder: Path
) -> Check:
    """Compare one update with the reference; then see that the loss falls."""
    found = Check(contender, variant)
    try:
        found.relative_error = relative_error(contender, build, folder)
        trials = 1 if contender == "nn_rnn" else FALL_TRIALS
        start = initial_parameters(trials)
        losses = build(Problem(FALL_LENGTH, start, lr=FALL_LR)).losses(FALL_UPDATES)
        tenth = FALL_UPDATES // 10
        found.loss_first = statistics.fmean(losses[:tenth])
        found.loss_last = statistics.fmean(losses[-tenth:])
        falls = found.loss_last < FALLS_TO * found.loss_first
        found.passed = found.relative_error < TOLERANCE and falls
    except Exception as error:  # noqa: BLE001
        found.error = explain(error)
    return found


def relative_error(
    contender: str, build: Callable[[Problem], Trained], folder: Path
) -> float:
    """Return the largest relative error of an update over trials and parameters."""
    path = folder / "reference.npz" if contender == "jax" else reference(folder)
    with np.load(path) as saved:
        wanted = dict(saved)
    trials = len(wanted["targets"])
    groups = [slice(k, k + 1) for k in range(trials)]
    if contender != "nn_rnn":
        groups = [slice(0, trials)]
    return max(each for group in groups for each in _errors(build, wanted, group))


def _errors(
    build: Callable[[Problem], Trained], wanted: dict[str, np.ndarray], group: slice
) -> Iterator[float]:
    start = Parameters(*(wanted[f"start_{name}"][group] for name in Parameters._fields))
    batch = wanted["symbols"][group], wanted["targets"][group]
    trained = build(Problem(CHECK_LENGTH, start, batch, lr=CHECK_LR))
    trained.advance(1)
    for name, before, after in zip(
        Parameters._fields, start, trained.parameters(), strict=True
    ):
        right = wanted[f"ended_{name}"][group] - before
        ours = after.astype(np.float64) - before
        for one, other in zip(ours, right, strict=True):
            yield float(np.linalg.norm(one - other) / np.linalg.norm(other))


def measure(row: Row, build: Callable[[Problem], Trained], seconds: float) -> None:
    """Time a variant: the median of repeats that together take about `seconds`."""
    start = time.perf_counter()
    trained = build(Problem(row.T, initial_parameters(row.trials)))
    trained.advance(1)
    trained.advance(WARM_UPS)
    row.prepare_s = time.perf_counter() - start
    calls = 1
    while (taken := _timed(trained.advance, calls)) < seconds / (4 * REPEATS):
        calls *= 2
    calls = max(1, round(calls * seconds / REPEATS / taken))
    taken = statistics.median(_timed(trained.advance, calls) for _ in range(REPEATS))
    steps = calls * trained.updates_a_call
    row.ms_per_update_step = 1e3 * taken / steps
    row.updates_per_s = row.trials * steps / taken


def _timed(advance: Callable[[int], None], calls: int) -> float:
    start = time.perf_counter()
    advance(calls)
    return time.perf_counter() - start


def explain(error: Exception) -> str:
    """Return the error and where it was raised, in our code and last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if each.filename == __file__] or frames
    where = f"{ours[-1].name}, line {ours[-1].lineno}"
    return f"{type(error).__name__} in {where}: {str(error)[:600]}"


def prepare(contender: str, device: str) -> tuple[str, dict[str, str]]:
    """Set full precision; return the name of the device, and versions."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    if contender == "jax":
        jax.config.update("jax_default_matmul_precision", "highest")
        if device == "cpu":
            jax.config.update("jax_platforms", "cpu")
        here = jax.devices()[0]
        if (here.platform == "cpu") != (device == "cpu"):
            raise RuntimeError(f"JAX finds no GPU, only {here}")
        return here.device_kind, versions | {"jax": jax.__version__}
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    versions["torch"] = torch.__version__
    if device == "cpu":
        return platform.processor() or platform.machine(), versions
    versions |= {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
    }
    return torch.cuda.get_device_name(), versions


class Results:
    """What a worker found, kept line by line, since it may be killed."""

    def __init__(self, path: Path) -> None:
        """Open a file of lines of JSON."""
        self._path = path

    def add(self, found: Row | Check) -> None:
        """Print a result, and keep it."""
        print(show_row(found) if isinstance(found, Row) else show_check(found), flush=True)
        line = json.dumps({"kind": type(found).__name__, **asdict(found)})
        with self._path.open("a") as file:
            file.write(line + "\n")


def work(contender: str, args: argparse.Namespace) -> None:
    """Check and time one contender in this process, until its time is over."""
    if contender == "reference":
        reference(args.folder)
        return
    results = Results(args.folder / f"{contender}.jsonl")
    if contender == "jax" and jax is None:
        print("jax: cannot be imported; no rows")
        return
    try:
        device, versions = prepare(contender, args.device)
    except Exception as error:  # noqa: BLE001
        results.add(Row(contender, "", 0, 0, error=explain(error)))
        return
    builds = variants(contender, args.device, args.unroll)
    for variant, build in builds.items():
        results.add(check(contender, variant, build, args.folder))
    trials = [1] if contender == "nn_rnn" else args.trials
    for length in args.lengths:
        for variant, build in builds.items():
            for count in trials:
                row = Row(
                    contender, variant, length, count, device=device, versions=versions
                )
                attempt(row, build, args)
                results.add(row)


def attempt(
    row: Row, build: Callable[[Problem], Trained], args: argparse.Namespace
) -> None:
    """Measure a row, or record why not."""
    if time.time() > args.until:
        row.error = "not measured: time is over; see --limit"
        return
    try:
        measure(row, build, args.seconds)
    except Exception as error:  # noqa: BLE001
        row.error = explain(error)


def show_row(row: Row) -> str:
    """Return a line of the table."""
    head = f"{row.contender:8} {row.variant:10} {row.T:4} {row.trials:6}"
    if row.error or row.updates_per_s is None:
        return f"{head} {row.error}"
    return (
        f"{head} {row.updates_per_s:12,.0f} {row.ms_per_update_step:10.3f} "
        f"{row.prepare_s:10.1f}"
    )


def show_check(found: Check) -> str:
    """Return a line about a check."""
    head = f"{found.contender:8} {found.variant:10} check"
    if found.error:
        return f"{head} FAILED: {found.error}"
    return (
        f"{head} {'passed' if found.passed else 'FAILED'}: relative error "
        f"{found.relative_error:.1e}, loss {found.loss_first:.3f} to {found.loss_last:.3f}"
    )


def run_worker(
    contender: str, args: argparse.Namespace, until: float
) -> list[dict[str, Any]]:
    """Run a contender in its own process; return its results, also if it died."""
    python = args.jax_python if contender == "jax" else sys.executable
    command = [python, str(Path(__file__).resolve()), *sys.argv[1:]]
    command += ["--folder", str(args.folder), "--until", str(until)]
    env = os.environ | {
        "GPU_CONTENDERS_WORKER": contender,
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    failure = None
    try:
        done = subprocess.run(
            command,
            env=env,
            timeout=max(1.0, until - time.time()) + KILL_AFTER_S,
            check=False,
        )
        if done.returncode:
            failure = f"the process ended with exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        failure = "the process was killed: time is over; see --limit"
    if failure:
        Results(args.folder / f"{contender}.jsonl").add(
            Row(contender, "", 0, 0, error=failure)
        )
    path = args.folder / f"{contender}.jsonl"
    return (
        [json.loads(line) for line in path.read_text().splitlines()]
        if path.exists()
        else []
    )


def best(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return the fastest variant of each contender, length and number of trials."""
    timed = [row for row in rows if row["updates_per_s"]]
    fastest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(timed, key=lambda row: row["updates_per_s"]):
        fastest[row["T"], row["trials"], row["contender"]] = row
    for key in sorted(fastest):
        yield show_row(Row(**fastest[key]))


def numbers(text: str) -> list[int]:
    """Read numbers separated by commas."""
    return [int(each) for each in text.split(",")]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lengths", type=numbers, default=[100], help="steps, from 10 on")
    parser.add_argument("--trials", type=numbers, default=[1, 16, 64, 264])
    parser.add_argument(
        "--unroll", type=numbers, default=[1, 10], help="of the scan in JAX"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement")
    parser.add_argument(
        "--limit", type=float, help=f"seconds in all; default {LIMIT_S} per length"
    )
    parser.add_argument("--only", choices=list(WORKERS), help="time one contender")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--jax-python", default=sys.executable, help="a Python with JAX")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run all contenders one after another, print a table, and write JSON if requested."""
    args = arguments()
    if WORKER:
        work(WORKER, args)
        return
    start = time.time()
    limit = (args.limit or LIMIT_S * len(args.lengths)) - KILL_AFTER_S
    found: list[dict[str, Any]] = []
    head = "contender variant    T trials    updates/s    ms/step  prepare s"
    print(head, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        args.folder = Path(folder)
        if args.only == "jax":
            found += run_worker("reference", args, start + limit)
        for contender in [args.only] if args.only else WORKERS:
            share = 1.0 if args.only else WORKERS[contender]
            found += run_worker(contender, args, start + share * limit)
    kinds = [(each.pop("kind"), each) for each in found]
    rows = [each for kind, each in kinds if kind == "Row"]
    checks = [each for kind, each in kinds if kind == "Check"]
    print(f"\nThe fastest variants\n{head}", *best(rows), sep="\n")
    print(f"{time.time() - start:.0f} s in all")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "checks": checks}, indent=1) + "\n")
    if any(row["error"] for row in rows) or not all(each["passed"] for each in checks):
        raise SystemExit("Some rows are missing, or a check failed: see above.")


if __name__ == "__main__":
    main()
