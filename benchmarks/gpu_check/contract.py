"""Gradients against float64, and bits: in chunks, alone in a crowd, beside NaN."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gpu_check.common import Found, explain, fresh_states, gpu, say
from benchmarks.gpu_check.reference import Question, asked, batch_of

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.engines import Gradients
    from rnnlab.engines.fused_gpu import FusedGpu
    from rnnlab.state import State

TOLERANCES = {"loss": 1e-6, "grads": 3e-5, "norm": 5e-6, "omega": 2e-6, "valid_share": 1e-7}
"""Relative differences from float64, with the reasons of tests/support/agreement.py."""
ROUNDING = 6e-8
"""Relative error of a parameter that is rounded after its step."""
NEAR_TIES = 3
"""Answers of 10,000 that may differ, where two outputs are equal but for rounding."""


@dataclass(frozen=True)
class Job:
    """A shape of trials, and whether its checks are counted, which compiles a second kernel."""

    task: str
    settings: dict[str, Any]
    hidden: int
    batch: int = 20
    counts: bool = False

    def __str__(self) -> str:
        """Return a short name."""
        return f"{self.task} {self.hidden}×{self.batch}"


def jobs(tiny: bool) -> list[Job]:
    """Return all shapes: each task, and sizes in registers and beyond."""
    if tiny:
        return [Job("TemporalOrder", {"length": 10}, 4, 32, counts=True)]
    length, memory = {"length": 40}, {"length": 20}
    return [
        Job("TemporalOrder", length, 50, counts=True),
        Job("Memorisation", memory, 50, counts=True),
        Job("RandomPermutation", length, 50, counts=True),
        Job("Addition", length, 50, counts=True),
        Job("Multiplication", length, 50, counts=True),
        Job("ThreeBitOrder", length, 50, counts=True),
        Job("TemporalOrder", length, 100, counts=True),
        Job("Addition", length, 100),
        Job("TemporalOrder", length, 66),
        Job("TemporalOrder", length, 128),
        Job("Memorisation", memory, 66),
        Job("TemporalOrder", length, 33, 7),
        Job("Memorisation", memory, 100),
        Job("ThreeBitOrder", length, 128),
    ]


def kinds_of_trials(job: Job) -> list[Trial]:
    """Return trials of a shape: units, Ω, clipping, repair, a range of lengths."""
    from rnnlab import Trial, tasks

    task = getattr(tasks, job.task)(**job.settings)
    base = Trial(task=task, hidden=job.hidden, batch=job.batch, lr=0.01)
    found = [
        base,
        replace(base, omega_weight=2.0),
        replace(base, init="sigmoid"),
        replace(base, init="sigmoid", omega_weight=2.0),
        replace(base, init="basic_tanh", clip_norm=None, lr=0.01),
        replace(base, omega_weight=2.0, repair_nonfinite=True),
        replace(base, clip_norm=0.01, clip_by="value"),
    ]
    if "length_max" in {field.name for field in fields(task)}:
        longer = replace(task, length_max=job.settings["length"] + 7)
        found.append(replace(base, task=longer, omega_weight=2.0))
    return found


def contract(args: argparse.Namespace, found: Found) -> None:
    """Check a share of the shapes."""
    mine, of = map(int, args.case.split("/"))
    for job in jobs(args.tiny)[mine::of]:
        if time.time() > args.until:
            found.add("jobs", {"job": str(job), "failures": ["time was over"]})
            continue
        start = time.perf_counter()
        row: dict[str, Any] = {"job": str(job)}
        try:
            row |= checked(args, job)
        except Exception as error:  # noqa: BLE001
            row["failures"] = [explain(error)]
        row["seconds"] = round(time.perf_counter() - start, 1)
        found.add("jobs", row)
        wrong = "; ".join(row["failures"]) or "all as promised"
        say(f"{job}: {row['seconds']} s: {wrong}")


def checked(args: argparse.Namespace, job: Job) -> dict[str, Any]:
    """Check one shape: values against the reference, then bits."""
    engine, trials = gpu(), kinds_of_trials(job)
    if args.tiny:
        trials = [trials[-1]]
    values = compared(args, engine, trials, job)
    failures = [*values.pop("failures"), *broken_bits(args, engine, trials)]
    return values | {"failures": failures}


def compared(
    args: argparse.Namespace, engine: FusedGpu, trials: list[Trial], job: Job
) -> dict[str, Any]:
    """Compare gradients, one step and counts with the reference: before, and after updates."""
    from rnnlab.engines import CHECK_SEQUENCES

    before = fresh_states(trials)
    later = engine.advance_many(trials, before, [1 if args.tiny else 30] * len(trials))
    both, states = [*trials, *trials], [*before, *later]
    if args.tiny:
        both, states = trials, later
    batches = [batch_of(t, s.update) for t, s in zip(both, states, strict=True)]
    gradients = engine.gradients_many(both, [s.parameters for s in states], batches)
    stepped = engine.advance_many(both, states, [1] * len(both))
    answer = asked(args, Question(both, states, job.counts))
    wide = 1 if answer.engine == "plain" else 2  # both have rounded
    worst: dict[str, float] = {}
    for given in zip(both, states, gradients, stepped, answer.gradients, strict=True):
        for name, error in errors(*given).items():
            worst[name] = max(worst.get(name, 0.0), error)
    failures = [
        f"{name} is off by {error:.1e} of {TOLERANCES.get(name, 1.0):.1e}"
        for name, error in worst.items()
        if not error <= wide * TOLERANCES.get(name, 1.0)
    ]
    row: dict[str, Any] = {"reference": answer.engine, "errors": worst}
    if job.counts:
        stop_at = 2 if args.tiny else CHECK_SEQUENCES + 1
        counts = engine.count_errors_many(
            both,
            [s.parameters for s in states],
            indices=[1] * len(both),
            stop_at=stop_at,
        )
        apart = [
            abs(ours[0] - theirs[0])
            for ours, theirs in zip(counts, answer.counts, strict=True)
        ]
        row |= {"counts": counts, "counts_of_reference": answer.counts}
        if max(apart) > NEAR_TIES:
            failures.append(f"counts of wrong answers differ by up to {max(apart)}")
    return row | {"failures": failures}


def errors(
    trial: Trial, state: State, ours: Gradients, stepped: State, exact: Gradients
) -> dict[str, float]:
    """Return relative errors, and that of the step as a share of what is allowed."""
    found = {
        "grads": max(
            float(np.abs(a - b).max() / (np.abs(b).max() or 1.0))
            for a, b in zip(ours.grads, exact.grads, strict=True)
        )
    }
    for name in ("loss", "norm", "omega", "valid_share"):
        wanted = getattr(exact, name)
        found[name] = abs(getattr(ours, name) - wanted) / (abs(wanted) or 1.0)
    if trial.clip_by == "norm":
        clip = trial.clip_norm or float("inf")
        pace = trial.lr * min(1.0, clip / exact.norm)
        found["step"] = max(
            float(
                (
                    np.abs(after - (np.float32(start) - pace * grad))
                    / (
                        TOLERANCES["grads"] * pace * np.abs(grad).max()
                        + ROUNDING * np.abs(after)
                        + 1e-30
                    )
                ).max()
            )
            for after, start, grad in zip(
                stepped.parameters, state.parameters, exact.grads, strict=True
            )
        )
    return found


def bits(state: State) -> tuple[object, ...]:
    """Return all of a state, to compare."""
    each = [np.asarray(p, np.float32).tobytes() for p in state.parameters]
    return (*each, state.update, repr(state.totals), state.diverged)


def broken_bits(
    args: argparse.Namespace, engine: FusedGpu, trials: list[Trial]
) -> Iterator[str]:
    """Give the promises about bits that are broken."""
    size = len(trials) + 1 if args.tiny else engine.slots
    updates = 2 if args.tiny else 45
    crowd = [replace(trials[i % len(trials)], seed=i) for i in range(size)]
    counts = [updates - i % 2 if args.tiny else updates - i % 7 for i in range(size)]
    states = fresh_states(crowd)
    together = engine.advance_many(crowd, states, counts)
    alone_of = range(1) if args.tiny else [*range(len(trials)), size // 2, size - 1]
    for i in alone_of:
        alone = engine.advance(crowd[i], states[i], counts[i])
        if bits(alone) != bits(together[i]):
            yield f"trial {i} has other bits alone than among {size}"
    if not args.tiny and crowd_gradients_differ(engine, crowd, states, alone_of):
        yield f"gradients have other bits alone than among {size}"
    few, done = crowd[: len(trials)], states[: len(trials)]
    for cut in (1, 1) if args.tiny else (1, 7, 20, 2, 15):
        left = {
            i: n for i, (n, s) in enumerate(zip(counts, done, strict=False)) if n > s.update
        }
        left = {i: n - done[i].update for i, n in left.items() if not done[i].diverged}
        moved = engine.advance_many(
            [few[i] for i in left],
            [done[i] for i in left],
            [min(cut, n) for n in left.values()],
        )
        done = [dict(zip(left, moved, strict=True)).get(i, s) for i, s in enumerate(done)]
    for i, (chunked, whole) in enumerate(zip(done, together, strict=False)):
        if bits(chunked) != bits(whole):
            yield f"trial {i} has other bits in chunks than whole"
    yield from beside_nan(engine, few, states, counts, together)


def crowd_gradients_differ(
    engine: FusedGpu, crowd: list[Trial], states: list[State], some: Sequence[int]
) -> bool:
    """Return whether gradients depend on what is computed beside them."""
    batches = [batch_of(trial, 0) for trial in crowd]
    many = engine.gradients_many(crowd, [s.parameters for s in states], batches)
    for i in some:
        one = engine.gradients(crowd[i], states[i].parameters, batches[i])
        same = all(
            np.array_equal(a, b) for a, b in zip(one.grads, many[i].grads, strict=True)
        )
        if not same or one[2:] != many[i][2:]:
            return True
    return False


def beside_nan(
    engine: FusedGpu,
    trials: list[Trial],
    states: list[State],
    counts: list[int],
    healthy: list[State],
) -> Iterator[str]:
    """Give what goes wrong where each second trial diverges."""
    ill = [
        replace(t, lr=1e60, clip_norm=None, clip_by="norm", repair_nonfinite=False)
        for t in trials
    ]
    pairs = [each for pair in zip(ill, trials, strict=True) for each in pair]
    doubled = [s for state in states[: len(trials)] for s in (state, state)]
    done = engine.advance_many(
        pairs, doubled, [n for count in counts[: len(trials)] for n in (count, count)]
    )
    if not all(state.diverged for state in done[::2]):
        yield "a trial with a learning rate of 1e60 did not diverge"
    if any(bits(a) != bits(b) for a, b in zip(done[1::2], healthy, strict=False)):
        yield "a trial has other bits beside one that diverges"
