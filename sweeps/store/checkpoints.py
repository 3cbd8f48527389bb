"""Checkpoints of unfinished trials of any trainer: arrays and JSON with a hash, never a pickle.

    facts      JSON: format, trial_id, numerics_id, update, diverged, checks, and the state as
               a tree that names arrays: see sweeps/store/state_codec.py
    a0, a1, …  the arrays of the state
    sha256     of all of these: see sweeps/store/hashed_npz.py

Files of the first format, which held the five arrays of a recurrent net, are read as well.
"""

import json
import logging
import operator
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps.storage.place import Place
from sweeps.store.hashed_npz import Array, packed, unpacked
from sweeps.store.state_codec import joined, path_text, split
from sweeps.store.torch_values import WrongDeviceError

log = logging.getLogger(__name__)

FORMAT = 2
FACTS = "facts"
MEASURED = (type(None), bool, int, float, str)
"""Types of measurements."""


@dataclass(frozen=True)
class Position:
    """Position of a trial between two updates: all that is needed to resume."""

    update: int
    """Updates made so far."""
    state: Any
    """The trainer's: nested dicts, lists and tuples of tensors, arrays, numbers, strings,
    random generators and None."""
    checks: tuple[Mapping[str, Any], ...] = ()
    """One per check, in order: its "update", and what it measured."""
    diverged: bool = False
    """Whether the last update gave a number that is not finite."""


class Checkpoints:
    """Stores nothing: for training without a folder."""

    def load(self, trial_id: str, numerics_id: str, device: str = "cpu") -> Position | None:
        """Return the last position of a trial, or None to start it.

        Args:
            trial_id: Of the trial.
            numerics_id: Of the code that is to resume.
            device: Where tensors go that were on another device than the CPU.
        """
        return None

    def save(
        self, trial_id: str, numerics_id: str, position: Position, *, durable: bool = True
    ) -> None:
        """Store the position of a trial, replacing the previous one.

        Args:
            trial_id: Of the trial.
            numerics_id: Of the code that made the state.
            position: Where the trial stands.
            durable: Whether it must survive a power failure.
        """


@dataclass(frozen=True)
class CheckpointFolder(Checkpoints):
    """One file per trial, `<trial_id>.npz`, replaced atomically."""

    files: Place
    say: Callable[[str], None] = log.warning
    """Called with the reason why a checkpoint cannot be used, and its new address."""

    def load(self, trial_id: str, numerics_id: str, device: str = "cpu") -> Position | None:
        """Return the last position of a trial under this numerics id, or None to start it.

        A file that is damaged, of another trial or of another numerics id is set aside,
        and `say` is called: the trial then restarts.

        Raises:
            OSError: If the file cannot be read.
        """
        name = name_of(trial_id)
        try:
            data = self.files.read(name)
        except FileNotFoundError:
            return None
        try:
            return decoded(data, trial_id, numerics_id, device)
        except ValueError as error:
            where = self.files.set_aside(name)
            self.say(f"{error}; it is kept as {where}, and the trial restarts")
            return None

    def save(
        self, trial_id: str, numerics_id: str, position: Position, *, durable: bool = True
    ) -> None:
        """Store the position of a trial, replacing the file atomically.

        Raises:
            TypeError: If the state holds a value that a checkpoint cannot; the old file stays.
            OSError: If the file cannot be written.
        """
        data = encoded(position, trial_id, numerics_id)
        self.files.replace(name_of(trial_id), data, durable=durable)

    def discard(self, trial_id: str) -> None:
        """Remove the checkpoint of a trial that needs no more updates."""
        self.files.remove(name_of(trial_id))


def name_of(trial_id: str) -> str:
    """Return the name of the file of a trial's checkpoint."""
    return f"{trial_id}.npz"


def encoded(position: Position, trial_id: str, numerics_id: str) -> bytes:
    """Return a position as the bytes of an npz file that carries its own SHA-256.

    Raises:
        TypeError: If the state or a check holds a value that a checkpoint cannot; the error
            names its location.
    """
    tree, arrays = split(position.state)
    facts = {
        "format": FORMAT,
        "trial_id": trial_id,
        "numerics_id": numerics_id,
        "update": operator.index(position.update),
        "diverged": bool(position.diverged),
        "checks": [_check_tree(i, check) for i, check in enumerate(position.checks)],
        "state": tree,
    }
    text = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    return packed({FACTS: text, **arrays})


def decoded(data: bytes, trial_id: str, numerics_id: str, device: str = "cpu") -> Position:
    """Return the position that was encoded.

    Args:
        data: The bytes of the file.
        trial_id: The expected trial id.
        numerics_id: The expected numerics id.
        device: Where tensors go that were on another device than the CPU.

    Raises:
        ValueError: If the bytes are damaged, or of another trial, numerics id or kind of
            device, or of a later version of this program.
    """
    with _damage_reported():
        arrays, facts = _read(data)
        made_by, made_of = facts["numerics_id"], facts["trial_id"]
    if made_of != trial_id:
        raise ValueError(f"its checkpoint is of another trial, {made_of}")
    if made_by != numerics_id:
        raise ValueError(f"its checkpoint was made by {made_by}, not by {numerics_id}")
    if facts.get("format", 1) not in (1, FORMAT):
        raise ValueError(
            f"its checkpoint is of format {facts['format']}, which a later version of this "
            f"program wrote; this one reads up to {FORMAT}"
        )
    with _damage_reported():
        return _position(arrays, facts, device)


def glance(data: bytes) -> tuple[str, str, int]:
    """Return the trial id, the numerics id and the updates of a checkpoint.

    Raises:
        ValueError: If the bytes are damaged.
    """
    try:
        _, facts = _read(data)
        return str(facts["trial_id"]), str(facts["numerics_id"]), int(facts["update"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"damaged checkpoint ({error})") from None


@contextmanager
def _damage_reported() -> Generator[None]:
    try:
        yield
    except WrongDeviceError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its checkpoint is damaged ({error})") from None


def _read(data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of the state, and the other facts."""
    arrays = unpacked(data)
    return arrays, json.loads(arrays.pop(FACTS).tobytes())


def _position(arrays: dict[str, Array], facts: dict[str, Any], device: str) -> Position:
    if "format" in facts:
        state = joined(facts["state"], arrays, device)
    else:
        state = {**arrays, "totals": facts["totals"]}
    return Position(
        update=facts["update"],
        state=state,
        checks=tuple(_check(tree) for tree in facts["checks"]),
        diverged=facts["diverged"],
    )


def _check_tree(index: int, check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a check as JSON: each value as the state has it, so that old files read alike."""
    if "update" not in check:
        raise TypeError(
            f'checks[{index}] has no "update", so it is not known when it was made. Add the '
            "number of updates made so far."
        )
    return {_name(index, name): _measured(index, name, check[name]) for name in check}


def _name(index: int, name: object) -> str:
    if type(name) is not str:
        raise TypeError(
            f"{path_text('checks', (index, name))} has a name that is not a string, but it is to "
            f"be a column of the history. Keep it as {str(name)!r}."
        )
    return name


def _measured(index: int, name: str, value: Any) -> Any:
    if type(value) is float:  # as most are: a long trial has tens of thousands
        return value
    value = value.item() if isinstance(value, (np.bool_, np.number)) else value
    if type(value) not in MEASURED:
        raise TypeError(
            f"{path_text('checks', (index, name))} is a {type(value).__qualname__}, but what a "
            "check measured is a column of the history. Keep numbers, strings, True, False or "
            "None, such as float(…) of it."
        )
    return split(value)[0]


def _check(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: joined(value, {}) for name, value in dict(tree).items()}
