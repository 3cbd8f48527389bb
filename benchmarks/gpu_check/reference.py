"""Values in float64, computed in a process of its own: it imports PyTorch."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu_check.common import SCRIPT

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.data import Batch
    from rnnlab.engines import Engine, Gradients
    from rnnlab.state import State


@dataclass(frozen=True)
class Question:
    """What the reference is to compute, in a process of its own."""

    trials: list[Trial]
    states: list[State]
    counts: bool


@dataclass(frozen=True)
class Answer:
    """What it computed."""

    engine: str
    gradients: list[Gradients]
    counts: list[tuple[int, int]]


def batch_of(trial: Trial, update: int) -> Batch:
    """Draw the batch of an update."""
    from rnnlab import rng
    from rnnlab.data import draw_batch

    size = trial.batch
    return draw_batch(
        trial.task, seed=trial.seed, purpose=rng.TRAIN, index=update, size=size
    )


def asked(args: argparse.Namespace, question: Question) -> Answer:
    """Ask the reference, in a process of its own: it imports PyTorch."""
    name = hashlib.sha256(pickle.dumps(question)).hexdigest()[:16]
    path = args.out / f"reference-{name}.pickle"
    path.write_bytes(pickle.dumps(question))
    env = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--part", "reference"]
    command += ["--case", str(path), "--out", str(args.out), "--into", "/dev/null"]
    subprocess.run([*command, *(["--tiny"] if args.tiny else [])], env=env, check=True)
    answer = pickle.loads(path.read_bytes())
    path.unlink()
    return answer


def reference(args: argparse.Namespace, _: object) -> None:
    """Answer a question by `plain` in float64, or by fused_cpu if there is no PyTorch."""
    from rnnlab.engines import CHECK_SEQUENCES, choose

    path = Path(args.case)
    question: Question = pickle.loads(path.read_bytes())
    engine: Engine
    if importlib.util.find_spec("torch"):
        import torch

        from rnnlab.engines.plain import Plain

        engine = Plain(dtype=torch.float64)
    else:
        engine = choose("fused_cpu")
    pairs = list(zip(question.trials, question.states, strict=True))
    gradients = [engine.gradients(t, s.parameters, batch_of(t, s.update)) for t, s in pairs]
    stop_at = 2 if args.tiny else CHECK_SEQUENCES + 1
    counts = [
        engine.count_errors(t, s.parameters, index=1, stop_at=stop_at)
        for t, s in (pairs if question.counts else [])
    ]
    path.write_bytes(pickle.dumps(Answer(engine.name, gradients, counts)))
