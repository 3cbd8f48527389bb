"""Small trials, results and stores for tests."""

import math
from pathlib import Path

from rnnlab import Check, Outcome, Result, TemporalOrder, Trial
from rnnlab.checkpoint import CheckpointFolder
from sweeps.storage.folder import Folder
from sweeps.store.store import Store


def trial(seed: int = 0, lr: float = 0.01, length: int = 10) -> Trial:
    """A trial of ten updates a check that trains in no time."""
    task = TemporalOrder(length=length)
    return Trial(task=task, hidden=4, check_every=10, seed=seed, lr=lr)


def check(update: int, errors: int = 100, loss: float = 1.25) -> Check:
    return Check(
        update=update,
        errors=errors,
        sequences=128 if errors == 100 else 10_000,
        loss=loss,
        grad_norm_mean=0.5,
        grad_norm_max=2.0,
        clipped_share=0.25,
        repaired_share=0.0,
        omega=0.125,
        valid_share=1.0,
        spectral_radius=0.95,
        largest_singular_value=1.75,
    )


def result(
    of: Trial,
    updates: int = 20,
    outcome: Outcome = "unsolved",
    loss: float = 1.25,
    numerics_id: str = "plain-000000000000",
) -> Result:
    """A made-up result with a check at every ten updates."""
    errors = 0 if outcome == "solved" else 100
    checks = [check(update, loss=loss) for update in range(10, updates, 10)]
    return Result(
        trial_id=of.trial_id,
        outcome=outcome,
        updates=updates,
        solved_at=updates if outcome == "solved" else None,
        zero_errors_at=updates if outcome == "solved" else None,
        clip_threshold=of.clip_norm,
        engine="plain",
        numerics_id=numerics_id,
        checks=(*checks, check(updates, errors, loss)) if updates >= 10 else (),
    )


def store(folder: Path) -> Store:
    found = Store(Folder(folder))
    found.create()
    return found


def path_of(kept: Store) -> Path:
    return Path(kept.place.address)


def table_bytes(kept: Store) -> bytes:
    return Path(kept.compact()).read_bytes()


def checkpoints(folder: Path) -> CheckpointFolder:
    return CheckpointFolder(Folder(folder))


NAN = math.nan
