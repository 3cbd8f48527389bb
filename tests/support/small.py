"""Small trials, results and stores for tests."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab import Check, Outcome, TemporalOrder, Trial
from rnnlab.trainer import MEASURED
from sweeps.spec.trial_type import TrialType, type_of
from sweeps.storage.folder import Folder
from sweeps.store.checkpoints import CheckpointFolder
from sweeps.store.result import Result
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of

RECURRENT: TrialType = type_of(Trial)
"""What sweeps knows of rnnlab's trials."""


def trial(seed: int = 0, lr: float = 0.01, length: int = 10) -> Trial:
    """A trial of ten updates a check that trains in no time."""
    task = TemporalOrder(length=length)
    return Trial(task=task, hidden=4, check_every=10, seed=seed, lr=lr)


def check(update: int, errors: int = 100, loss: float = 1.25) -> dict[str, Any]:
    """What a check of such a trial measured, as its trainer returns it, with the update."""
    seen = Check(
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
    return {**asdict(seen), "error_rate": seen.error_rate}


def result(
    of: Trial,
    updates: int = 20,
    outcome: Outcome = "unsolved",
    loss: float = 1.25,
    numerics_id: str = "plain-000000000000",
) -> Result:
    """A made-up result with a check at every ten updates."""
    errors = 0 if outcome == "solved" else 100
    before = [check(update, loss=loss) for update in range(10, updates, 10)]
    checks = (*before, check(updates, errors, loss)) if updates >= 10 else ()
    last = checks[-1] if checks else {}
    solved_at = updates if outcome == "solved" else None
    return Result(
        trial_id=id_of(of),
        outcome=outcome,
        updates=updates,
        summary={
            "solved_at": solved_at,
            "zero_errors_at": solved_at,
            "clip_threshold": of.clip_norm,
            "test_errors": None,
            "error_rate": last.get("error_rate"),
            "error_rate_of": last.get("sequences"),
            **{name: last.get(name) for name in MEASURED},
        },
        engine="plain",
        numerics_id=numerics_id,
        checks=checks,
    )


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A user's trial: a point that wanders towards 0, by NumPy alone.

    Equal bits follow from equal fields: the generator is part of the state.
    """

    seed: int = 0
    width: int = 4
    lr: float = 0.1
    noise: float = 0.5
    check_every: int = 10
    solved_below: float = 0.0
    """Distance to 0 at which a trial is solved; 0 never is."""

    numerics = "walk 1"

    def start(self, device: str) -> dict[str, Any]:
        """Draw where to begin."""
        generator = np.random.Generator(np.random.PCG64(self.seed))
        return {"generator": generator, "x": generator.standard_normal(self.width)}

    def advance(self, state: dict[str, Any], updates: int) -> dict[str, Any]:
        """Take so many steps, in place, as optimisers do."""
        for _ in range(updates):
            step = state["x"] + self.noise * state["generator"].standard_normal(self.width)
            state["x"] -= self.lr * step
        return state

    def check(self, state: dict[str, Any]) -> dict[str, float]:
        """Measure how far away it is."""
        return {"distance": float(np.linalg.norm(state["x"]))}

    def outcome(self, checks: Sequence[Mapping[str, Any]]) -> str | None:
        """Solved as soon as it is near."""
        return "solved" if checks[-1]["distance"] < self.solved_below else None


def store(folder: Path, of: type = Trial) -> Store:
    """A store that is there, with the columns of a type of trials."""
    found = Store(Folder(folder), type_of(of).columns)
    found.create()
    return found


def path_of(kept: Store) -> Path:
    """The folder of a store."""
    return Path(kept.place.address)


def table_bytes(kept: Store) -> bytes:
    """The bytes of its table, up to date."""
    return Path(kept.compact()).read_bytes()


def checkpoints(folder: Path) -> CheckpointFolder:
    """Checkpoints in a folder."""
    return CheckpointFolder(Folder(folder))


NAN = math.nan
