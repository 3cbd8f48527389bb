"""Checkpoints of unsolved trials: arrays and numbers with a hash, never a pickle."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

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

    def save(
        self, trial: Trial, numerics_id: str, state: State, *, durable: bool = True
    ) -> None:
        """Keep the state of a trial, replacing what was kept.

        Args:
            trial: The trial.
            numerics_id: Of the engine that made the state.
            state: The state.
            durable: Whether it must outlive a power failure.
        """


class Files(Protocol):
    """Where checkpoints are kept: whole files by name."""

    def read(self, name: str) -> bytes:
        """Give a file; FileNotFoundError where there is none."""
        ...

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Put or replace a file in one step, so that it outlives a power failure or not."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def set_aside(self, name: str) -> str:
        """Move a file out of the way; give its new address."""
        ...


@dataclass(frozen=True)
class CheckpointFolder(Checkpoints):
    """One file a trial, `<trial_id>.npz`, replaced whole."""

    files: Files
    say: Callable[[str], None] = log.warning
    """Told why a checkpoint could not be used, and where it is now."""

    def load(self, trial: Trial, numerics_id: str) -> State | None:
        """Give the state a trial was left in under this numerics id.

        A file that is damaged, of another trial or of another numerics id is set aside,
        and `say` is told: the trial then starts again.

        Raises:
            OSError: If the file cannot be read.
        """
        name = name_of(trial)
        try:
            data = self.files.read(name)
        except FileNotFoundError:
            return None
        try:
            return decoded(data, trial, numerics_id)
        except ValueError as error:
            where = self.files.set_aside(name)
            self.say(f"{error}; it is kept as {where}, and the trial starts again")
            return None

    def save(
        self, trial: Trial, numerics_id: str, state: State, *, durable: bool = True
    ) -> None:
        """Keep the state of a trial, replacing the file in one step."""
        data = encoded(state, trial, numerics_id)
        self.files.replace(name_of(trial), data, durable=durable)

    def discard(self, trial: Trial) -> None:
        """Forget a trial that needs no more updates."""
        self.files.remove(name_of(trial))


def name_of(trial: Trial) -> str:
    """Name the file of a trial's checkpoint."""
    return f"{trial.trial_id}.npz"


def encoded(state: State, trial: Trial, numerics_id: str) -> bytes:
    """Write a state as the bytes of a compressed npz file that carries its own SHA-256."""
    facts = {
        "trial_id": trial.trial_id,
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
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def decoded(data: bytes, trial: Trial, numerics_id: str) -> State:
    """Read a state back.

    Raises:
        ValueError: If the bytes are damaged, or of another trial or numerics id.
    """
    with _damage_told():
        arrays, facts = _read(data)
        made_by, made_of = facts["numerics_id"], facts["trial_id"]
    if made_of != trial.trial_id:
        raise ValueError(f"its checkpoint is of another trial, {made_of}")
    if made_by != numerics_id:
        raise ValueError(f"its checkpoint was made by {made_by}, not by {numerics_id}")
    with _damage_told():
        return _state(arrays, facts)


@contextmanager
def _damage_told() -> Generator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its checkpoint is damaged ({error})") from None


def glance(data: bytes) -> tuple[str, str, int]:
    """Give the trial id, the numerics id and the updates of a checkpoint.

    Raises:
        ValueError: If the bytes are damaged.
    """
    try:
        _, facts = _read(data)
        return str(facts["trial_id"]), str(facts["numerics_id"]), int(facts["update"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"damaged checkpoint ({error})") from None


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
