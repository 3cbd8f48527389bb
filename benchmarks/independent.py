"""Success rates on temporal order from a second implementation, to compare ours with.

Written from the published formulas and facts only, without reading `rnnlab`: hand-written gradients
in float32 PyTorch, all seeds of a cell as one stack, other random numbers. Pascanu, Mikolov & Bengio
(ICML 2013), Section 4.1.1 and Figure 7. Vectors are rows, so `w_rec` is the paper's W_rec transposed.
It takes about half an hour on one core, and resumes if killed. `agreement.py` compares its results with ours.

    python benchmarks/independent.py --folder build/independent
"""

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

SYMBOLS, CLASSES, HIDDEN, BATCH, LR = 6, 4, 50, 20, 0.01
CHECK_EVERY, CHECK_SEQUENCES, CHECK_CHUNK = 2000, 10_000, 100
VARIANTS = {
    "MSGD": (None, 0.0),
    "MSGD-C": (1.0, 0.0),
    "MSGD-CR": (1.0, 4.0),
}  # clip threshold, alpha
INITS = ("basic_tanh", "smart_tanh")
CELLS = [f"{init}/{variant}" for variant in reversed(VARIANTS) for init in INITS]


def draw_sequences(
    trials: int, batch: int, length: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw temporal-order symbols `time trials batch` and classes `trials batch`.

    A = 0, B = 1 at int(.1 T) + r(int(.1 T)) and int(.5 T) + r(int(.1 T)), distractors 2..5 elsewhere; class v0 + 2 v1.
    """
    symbols = torch.randint(2, SYMBOLS, (length, trials, batch), generator=rng)
    values = torch.randint(0, 2, (2, trials, batch), generator=rng)
    offsets = torch.randint(0, int(0.1 * length), (2, trials, batch), generator=rng)
    symbols.scatter_(0, (int(0.1 * length) + offsets[0])[None], values[:1])
    symbols.scatter_(0, (int(0.5 * length) + offsets[1])[None], values[1:])
    return symbols, values[0] + 2 * values[1]


def initialise(
    name: str, trials: int, rng: torch.Generator, hidden: int = HIDDEN
) -> list[Tensor]:
    """Draw [w_rec, w_in with the bias as its last row, w_out, b_out] for a stack of trials; biases are zero."""
    sd = {"basic_tanh": 0.1, "smart_tanh": 0.01}[name]
    w_rec = sd * torch.randn(trials, hidden, hidden, generator=rng)
    if (
        name == "smart_tanh"
    ):  # 15 outgoing connections a unit (non-zeros of a row), then spectral radius .95
        order = torch.rand(trials, hidden, hidden, generator=rng).argsort(-1)
        w_rec = w_rec * (order.argsort(-1) < 15)
        w_rec = w_rec * (0.95 / torch.linalg.eigvals(w_rec).abs().amax(-1))[:, None, None]
    w_in = sd * torch.randn(trials, SYMBOLS + 1, hidden, generator=rng)
    w_in[:, -1] = 0.0
    return [
        w_rec,
        w_in,
        sd * torch.randn(trials, hidden, CLASSES, generator=rng),
        torch.zeros(trials, 1, CLASSES),
    ]


def run_forward(params: list[Tensor], symbols: Tensor) -> tuple[Tensor, Tensor]:
    """Return h `time+1 trials batch hidden` and the logits of the last step.

    h_t = tanh(h_{t-1} w_rec + u_t w_in + b), h_0 = 0: Eq. 2 with the nonlinearity last, as in the authors' code.
    """
    w_rec, w_in, w_out, b_out = params
    length, trials, batch = symbols.shape
    hidden = torch.zeros(length + 1, trials, batch, w_rec.shape[-1], dtype=w_rec.dtype)
    rows = (w_in[:, :-1] + w_in[:, -1:]).reshape(
        trials * SYMBOLS, -1
    )  # u_t is one-hot: u_t w_in + b is a row
    rows_at = (symbols + SYMBOLS * torch.arange(trials)[:, None]).view(-1)
    torch.index_select(rows, 0, rows_at, out=hidden[1:].view(-1, w_rec.shape[-1]))
    for t in range(length):
        hidden[t + 1].baddbmm_(hidden[t], w_rec).tanh_()
    return hidden, torch.baddbmm(b_out, hidden[-1], w_out)


def omega_slope(d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return c of dOmega/dv_k = c_k v_k for k = 1..T, Omega, and the share of valid (k, example) pairs.

    Omega is the mean over pairs with |d_k|^2 >= 1e-20 of (|v_k|^2 / |d_k|^2 - 1)^2 (Eqs. 9 and 10, squared norms
    and the mean as in the authors' code). The cost looks at h_T only, so v_k is d_{k-1}: `d` holds k = 0..T.
    """
    square = torch.linalg.vector_norm(d, dim=-1) ** 2
    valid = square[1:] >= 1e-20
    below = torch.where(valid, square[1:], 1.0)
    excess = torch.where(valid, square[:-1] / below - 1, 0.0)
    count = valid.sum((0, 2), keepdim=True).clamp(min=1)
    return (
        4 * excess / (below * count),
        (excess**2 / count).sum((0, 2)),
        valid.to(d.dtype).mean((0, 2)),
    )


def find_gradients(
    params: list[Tensor], symbols: Tensor, targets: Tensor, alpha: float
) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Return gradients of the batch-mean cost, with alpha dOmega/dW_rec (immediate part), loss, Omega, valid share."""
    hidden, logits = run_forward(params, symbols)
    length, _, batch = symbols.shape
    log_y = logits.log_softmax(-1)
    loss = -log_y.gather(2, targets[..., None]).mean((1, 2))
    d_logits = (
        log_y.exp().scatter_add_(2, targets[..., None], -torch.ones_like(log_y[..., :1]))
        / batch
    )
    d = torch.empty_like(hidden)  # d_k = dC/dh_k, k = 0..T
    torch.bmm(d_logits, params[2].mT, out=d[-1])
    a = torch.addcmul(
        torch.ones((), dtype=d.dtype), hidden[1:], hidden[1:], value=-1
    )  # becomes a_k = d_k * sigma'(h_k)
    w_back = params[0].mT.contiguous()
    for k in range(length, 0, -1):
        torch.bmm(a[k - 1].mul_(d[k]), w_back, out=d[k - 1])
    source, omega, share = hidden[:-1], torch.zeros_like(loss), torch.zeros_like(loss)
    if alpha:  # v_k = a_k w_rec^T, so dOmega/dw_rec is the sum of (dOmega/dv_k)^T a_k, as dC/dw_rec is of h_{k-1}^T a_k
        slope, omega, share = omega_slope(d)
        source = torch.addcmul(source, d[:-1], slope[..., None], value=alpha)
    inputs = torch.zeros(*symbols.shape, SYMBOLS + 1, dtype=d.dtype).scatter_(
        3, symbols[..., None], 1.0
    )
    inputs[..., -1] = 1.0
    grads = [
        torch.zeros_like(params[0]),
        torch.zeros_like(params[1]),
        hidden[-1].mT @ d_logits,
        d_logits.sum(1, True),
    ]
    for t in range(length):
        grads[0].baddbmm_(source[t].mT, a[t])
        grads[1].baddbmm_(inputs[t].mT, a[t])
    return grads, loss, omega, share


def step(
    params: list[Tensor], grads: list[Tensor], threshold: float | None
) -> tuple[Tensor, Tensor]:
    """Take one SGD step in place, norm clipped (Algorithm 1); return the norms and which trials were repaired.

    Where clipping is on and the norm is NaN, infinite or over 1e10, W_rec shrinks by 1 - .02 lr and nothing else
    moves (the authors' rule).
    """
    norm = torch.stack([g.square().sum((1, 2)) for g in grads]).sum(0).sqrt()
    scale, bad = torch.full_like(norm, LR), torch.zeros_like(norm, dtype=torch.bool)
    if threshold is not None:
        bad = ~(norm <= 1e10)
        scale = torch.where(norm >= threshold, LR * threshold / norm, LR)
        if bad.any():
            params[0][bad] *= 1 - 0.02 * LR
            grads = [torch.where(bad[:, None, None], 0.0, g) for g in grads]
            scale = torch.where(bad, 0.0, scale)
    for param, grad in zip(params, grads, strict=True):
        param.sub_(grad.mul_(scale[:, None, None]))
    return norm, bad


def error_rates(params: list[Tensor], length: int, rng: torch.Generator) -> Tensor:
    """Return the share of wrong among 10,000 fresh sequences, for each trial."""
    wrong = torch.zeros(len(params[0]))
    for _ in range(CHECK_SEQUENCES // CHECK_CHUNK):
        symbols, targets = draw_sequences(len(wrong), CHECK_CHUNK, length, rng)
        wrong += (run_forward(params, symbols)[1].argmax(-1) != targets).sum(-1)
    return wrong / CHECK_SEQUENCES


@dataclass
class Cell:
    """The state of one cell: everything needed to resume after a kill. `active` lists the seeds in `params`."""

    params: list[Tensor]
    active: list[int]
    rng_state: Tensor
    update: int = 0
    cpu_s: float = 0.0
    solved: dict[int, int] = field(default_factory=dict)
    diverged: dict[int, int] = field(default_factory=dict)
    repairs: int = 0
    errors: dict[int, list[float]] = field(default_factory=dict)


def train_to_check(name: str, cell: Cell, length: int) -> None:
    """Train the active trials for 2,000 updates, check them, retire the solved and the diverged, print a line."""
    threshold, alpha = VARIANTS[name.split("/")[1]]
    rng, start, trials = torch.Generator(), time.process_time(), len(cell.active)
    rng.set_state(cell.rng_state)
    sums = torch.zeros(4, trials)
    for _ in range(CHECK_EVERY):
        grads, *seen = find_gradients(
            cell.params, *draw_sequences(trials, BATCH, length, rng), alpha
        )
        norm, bad = step(cell.params, grads, threshold)
        sums += torch.stack([*seen, norm])
        cell.repairs += int(bad.sum())
    cell.update += CHECK_EVERY
    error = error_rates(cell.params, length, rng)
    finite = torch.stack([p.isfinite().all(-1).all(-1) for p in cell.params]).all(0)
    for row, seed in enumerate(cell.active):
        cell.errors.setdefault(seed, []).append(round(float(error[row]), 4))
        if not finite[row]:
            cell.diverged[seed] = cell.update
        elif error[row] < 0.01:
            cell.solved[seed] = cell.update
    keep = finite & ~(error < 0.01)
    cell.params = [p[keep].contiguous() for p in cell.params]
    cell.active = [
        seed for seed, kept in zip(cell.active, keep.tolist(), strict=True) if kept
    ]
    cell.rng_state = rng.get_state()
    cell.cpu_s += time.process_time() - start
    loss, omega, share, norm = (sums / CHECK_EVERY).nanmean(1).tolist()
    print(
        f"{name} {cell.update:6d} solved {len(cell.solved):2d} diverged {len(cell.diverged):2d} repairs {cell.repairs}"
        f" error min {error.min():.4f} median {error.median():.4f} loss {loss:.3f} omega {omega:.3g}"
        f" valid {share:.3f} norm {norm:.3g} cpu {cell.cpu_s:.0f}s",
        flush=True,
    )


def run_cell(name: str, seeds: int, budget: int, length: int, folder: Path) -> Cell:
    """Train one cell to the budget, from its saved state if there is one."""
    path = folder / f"{name.replace('/', '_')}.pt"
    if path.exists():
        cell = Cell(**torch.load(path, weights_only=True))
    else:
        rng = torch.Generator().manual_seed(20_130_000 + CELLS.index(name))
        params = initialise(name.split("/")[0], seeds, rng)
        cell = Cell(params, list(range(seeds)), rng.get_state())
    while cell.active and cell.update < budget:
        train_to_check(name, cell, length)
        torch.save(vars(cell), path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
    return cell


def main() -> None:
    """Read the command line, run the cells in turn, write independent.json after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=40_000, help="updates")
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("build/independent"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    args.folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in args.cells:
        cell = run_cell(name, args.seeds, args.budget, args.length, args.folder)
        results[name] = {
            "length": args.length,
            "budget": args.budget,
            "solved_at": [cell.solved.get(seed) for seed in range(args.seeds)],
            "diverged": len(cell.diverged),
            "cpu_s": round(cell.cpu_s),
        }
        (args.folder / "independent.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
