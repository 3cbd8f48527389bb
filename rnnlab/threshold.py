"""Measured clipping threshold: a multiple of the mean gradient norm.

ICML 2013, Section 3.2, takes "statistics on the average norm over a sufficiently large
number of updates", and finds that thresholds of half to ten times this average still
converge. Unclipped norms have heavy tails, so ours is the mean norm before clipping while
the same trial is trained with its `clip_norm`, over its first ten checks and three seeds.

The measured norm depends only on the trial and the engine, so such a trial can be planned,
interrupted and repeated like any other.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from rnnlab.engines.engine import Engine
from rnnlab.result import Check
from rnnlab.spec import Trial

MEASURED_CHECKS = 10
"""Checks over which the norm is averaged; fewer if a trial ends earlier."""
SEEDS = (0, 1, 2)

_norms: dict[tuple[str, str], float] = {}


def references(trial: Trial) -> list[Trial]:
    """Return the trials that measure a trial's threshold; empty if it is set directly."""
    if trial.clip_multiple is None:
        return []
    one = replace(trial, clip_multiple=None, clip_by="norm", test_lengths=())
    return [replace(one, seed=seed) for seed in SEEDS]


def unmeasured(trial: Trial, engine: Engine) -> list[Trial]:
    """Return a trial's references that this process has not trained yet."""
    return [one for one in references(trial) if _key(one, engine) not in _norms]


def keep_norm(reference: Trial, engine: Engine, checks: Sequence[Check]) -> None:
    """Store the mean norm of a trained reference."""
    norms = [check.grad_norm_mean for check in checks]
    _norms[_key(reference, engine)] = sum(norms) / len(norms) if norms else math.nan


def threshold(trial: Trial, engine: Engine) -> float | None:
    """Return the threshold of a trial, measured before; None if it is not clipped.

    Raises:
        ValueError: If its references diverged before their first check.
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
