"""Checkpoints of unsolved trials: arrays and numbers with a hash, never a pickle."""

import hashlib
import io
import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.result import Check
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State, Totals

log = logging.getLogger(__name__)


class Checkpoints:
    """Keeps nothing; what training uses where no folder is given."""

    def load(self, trial: Trial, numerics_id: str) -> State | None:
        """Give the state a trial was left in, or None to start it."""
        return None

    def save(self, trial: Trial, numerics_id: str, state: State) -> None:
        """Keep the state of a trial, replacing what was kept."""


@dataclass(frozen=True)
class CheckpointFolder(Checkpoints):
    """One file a trial, `<trial_id>.npz`, replaced whole."""

    folder: Path

    def path(self, trial: Trial) -> Path:
        """Where a trial's checkpoint stands."""
        return self.folder / f"{trial.trial_id}.npz"

    def load(self, trial: Trial, numerics_id: str) -> State | None:
        """Give the state a trial was left in under this numerics id.

        A file that is damaged, of another trial or of another numerics id is left out
        with a warning that says so: the trial then starts again.
        """
        path = self.path(trial)
        if not path.exists():
            return None
        try:
            arrays, facts = _read(path.read_bytes())
            written = (facts["trial_id"], facts["numerics_id"])
            if written == (trial.trial_id, numerics_id):
                return _state(arrays, facts)
        except (ValueError, KeyError, TypeError, OSError) as error:
            log.warning("%s is damaged (%s): the trial starts again.", path, error)
            return None
        made_by = " of ".join(reversed(written))
        log.warning(
            "%s was made by %s, not by %s: the trial starts again.",
            path,
            made_by,
            numerics_id,
        )
        return None

    def save(self, trial: Trial, numerics_id: str, state: State) -> None:
        """Keep the state of a trial, replacing the file in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data = _write(state, trial.trial_id, numerics_id)
        descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path(trial))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def discard(self, trial: Trial) -> None:
        """Forget a trial that needs no more updates."""
        self.path(trial).unlink(missing_ok=True)


def _write(state: State, trial_id: str, numerics_id: str) -> bytes:
    facts = {
        "trial_id": trial_id,
        "numerics_id": numerics_id,
        "update": state.update,
        "diverged": state.diverged,
        "totals": asdict(state.totals),
        "checks": [asdict(check) for check in state.checks],
    }
    arrays: dict[str, Any] = state.parameters._asdict()
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    arrays["sha256"] = np.frombuffer(_digest(arrays), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _read(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the arrays of the parameters, and the other facts."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:
        raise ValueError("not readable as npz") from error
    if arrays.pop("sha256").tobytes() != _digest(arrays):
        raise ValueError("its SHA-256 does not fit")
    return arrays, json.loads(arrays.pop("facts").tobytes())


def _state(arrays: dict[str, Any], facts: dict[str, Any]) -> State:
    return State(
        parameters=Parameters(**arrays),
        update=facts["update"],
        totals=Totals(**facts["totals"]),
        checks=tuple(Check(**check) for check in facts["checks"]),
        diverged=facts["diverged"],
    )


def _digest(arrays: dict[str, Any]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
