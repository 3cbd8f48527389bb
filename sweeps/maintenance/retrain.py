"""Retrain a finished trial, and compare every number bit for bit."""

import multiprocessing
import random
import struct
import sys
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sweeps.errors import SweepError
from sweeps.spec.trainer import Trainer
from sweeps.spec.trial_type import TrialType
from sweeps.spec.user_code import UserCode
from sweeps.store.result import Result
from sweeps.store.trial_id import id_of
from sweeps.worker.metered_trainer import MeteredTrainer
from sweeps.worker.training import result_of, training

BitVerdict = Literal["equal", "different", "not comparable"]
BIT_VERDICTS: tuple[BitVerdict, ...] = get_args(BitVerdict)
Row = dict[str, Any]


@dataclass(frozen=True)
class Verified:
    """Comparison of one retrained trial."""

    trial_id: str
    verdict: BitVerdict
    differences: tuple[str, ...] = ()
    """Columns that differ, with the stored value and the new one."""
    made_by: str = ""
    """The numerics id of the row."""
    ours: str = ""
    """The current numerics id of its trainer."""
    global_generators: tuple[str, ...] = ()
    """Global random generators that its trainer draws from, where the numbers differ. A
    trainer may draw what it does not use, such as first weights that it then replaces."""


@dataclass(frozen=True)
class Kept:
    """A finished trial as stored."""

    trial: Any
    row: Row
    history: tuple[Row, ...]


def verify(
    drawn: list[Kept], workers: int, code: UserCode | None = None
) -> Generator[Verified]:
    """Retrain trials in other processes; yield the verdicts in order of completion.

    Processes are spawned: they inherit no modules or settings of this one.

    Args:
        drawn: The trials.
        workers: Number of trials to train at a time.
        code: The user's code, if it defines the trials.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(drawn)), context, _install, (code,)) as pool:
        waiting = [pool.submit(verify_one, kept) for kept in drawn]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _install(code: UserCode | None) -> None:
    if code is not None:
        code.install()


def verify_one(kept: Kept) -> Verified:
    """Retrain one trial and compare."""
    trial, row = kept.trial, kept.row
    name, made_by = id_of(trial), row["numerics_id"]
    kind = TrialType.of(trial)
    try:
        engine = kind.engine(row["engine"])
    except SweepError:  # unknown engine
        return Verified(name, "not comparable", made_by=made_by)
    if not kind.possible_here([trial], engine):
        return Verified(name, "not comparable", made_by=made_by)
    trainer = MeteredTrainer(kind.trainer(engine, [trial]))
    result, drawn_from = _trained(trial, row["updates"], trainer)
    differences = tuple(differing(kept, replace(result, numerics_id=made_by)))
    ours = trainer.numerics_id(trial)
    if differences and ours != made_by:
        return Verified(name, "not comparable", (), made_by, ours, drawn_from)
    if differences:
        return Verified(name, "different", differences, made_by, ours, drawn_from)
    return Verified(name, "equal", (), made_by, ours)


def _trained(trial: Any, updates: int, trainer: Trainer) -> tuple[Result, tuple[str, ...]]:
    """Train a trial to its last update; also return the global generators that it used.

    They are reseeded first, so that a trainer which draws from one gives other numbers than
    before, as it would in another pack or after an interruption.
    """
    budget = -(-updates // trial.check_every) * trial.check_every
    positions = training(trial, budget=budget, trainer=trainer)
    first = next(positions)
    _reseed()
    before = {name: state() for name, state in _generators().items()}
    last = deque([first, *positions], maxlen=1).pop()
    after = {name: state() for name, state in _generators().items()}
    used = tuple(name for name in sorted(before) if after[name] != before[name])
    return result_of(trial, last, trainer, budget), used


def _generators() -> Mapping[str, Callable[[], object]]:
    """Return functions for the state of each global random generator of loaded libraries."""
    found: dict[str, Callable[[], object]] = {"random": random.getstate}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        found["numpy.random"] = lambda: str(numpy.random.get_state())
    if torch is not None:
        found["torch"] = lambda: torch.get_rng_state().numpy().tobytes()
    return found


def _reseed() -> None:
    """Seed the global generators from the system, as in another process."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.set_state(numpy.random.RandomState().get_state())
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()


def differing(kept: Kept, result: Result) -> Generator[str]:
    """Describe every number of a row and of its history whose bits differ."""
    yield from _differing_columns(kept.row, result.row(), "")
    again = result.history()
    if len(again) != len(kept.history):
        yield f"checks: kept {len(kept.history)}, found {len(again)}"
    for before, now in zip(kept.history, again, strict=False):
        yield from _differing_columns(before, now, f" at update {before['update']}")


def _differing_columns(kept: Row, found: Row, where: str) -> Generator[str]:
    for name, value in found.items():
        before = kept.get(name)
        if isinstance(before, float) and type(value) is int:
            value = float(value)
        if bits(before) != bits(value):
            yield f"{name}{where}: kept {before!r}, found {value!r}"


def bits(value: Any) -> Any:
    """Return the value to compare: the bits of a float, so that NaN is NaN and 0 is not −0.

    Example:
        >>> bits(float("nan")) == bits(float("nan")), bits(0.0) == bits(-0.0)
        (True, False)
    """
    if isinstance(value, list):  # a stored tuple
        return tuple(value)
    return struct.pack("<d", value) if isinstance(value, float) else value
