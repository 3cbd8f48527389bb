"""A threshold for clipping that is measured first: a multiple of the mean gradient norm.

ICML 2013, Section 3.2, takes "statistics on the average norm over a sufficiently large
number of updates", and finds that thresholds of half to ten times this average still
converge. Unclipped norms have heavy tails, so ours is the mean norm before clipping while
the same trial is trained with its `clip_norm`, over its first ten checks and three seeds.

What is measured depends on the trial and the engine alone, so a trial that refers to it can be
planned, interrupted and repeated like any other.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from rnnlab.engines.engine import Engine
from rnnlab.result import Check
from rnnlab.spec import Trial

MEASURED_CHECKS = 10
"""Checks over which the norm is averaged, or fewer where a trial ends before."""
SEEDS = (0, 1, 2)

_norms: dict[tuple[str, str], float] = {}


def references(trial: Trial) -> list[Trial]:
    """Give the trials on which the threshold of a trial is measured; none where it is given."""
    if trial.clip_multiple is None:
        return []
    one = replace(trial, clip_multiple=None, clip_by="norm", test_lengths=())
    return [replace(one, seed=seed) for seed in SEEDS]


def unmeasured(trial: Trial, engine: Engine) -> list[Trial]:
    """Give those of a trial's references that this process has not trained yet."""
    return [one for one in references(trial) if _key(one, engine) not in _norms]


def keep_norm(reference: Trial, engine: Engine, checks: Sequence[Check]) -> None:
    """Keep the mean norm of a reference that was trained."""
    norms = [check.grad_norm_mean for check in checks]
    _norms[_key(reference, engine)] = sum(norms) / len(norms) if norms else math.nan


def threshold(trial: Trial, engine: Engine) -> float | None:
    """Give the threshold of a trial, measured before; None where it is not clipped.

    Raises:
        ValueError: If what it is measured on diverged before its first check.
    """
    if trial.clip_multiple is None:
        return trial.clip_norm
    of = references(trial)
    mean = sum(_norms[_key(each, engine)] for each in of) / len(of)
    if not math.isfinite(mean):
        raise ValueError(
            f"No threshold can be measured for trial {trial.trial_id}: the trials that it "
            f"refers to, seeds {SEEDS} with clip_norm {trial.clip_norm}, diverged at once."
        )
    return trial.clip_multiple * mean


def _key(reference: Trial, engine: Engine) -> tuple[str, str]:
    return reference.trial_id, engine.numerics_id(reference)
