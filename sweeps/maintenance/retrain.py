"""Train a finished trial again, and compare every number bit for bit."""

import multiprocessing
import struct
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rnnlab import Result, Trial
from rnnlab.engines import ENGINES, choose
from rnnlab.train import train
from sweeps.store.columns import history_rows, result_columns

Verdict = Literal["equal", "different", "not comparable"]


VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


Row = dict[str, Any]


@dataclass(frozen=True)
class Verified:
    """What came of one trial."""

    trial_id: str
    verdict: Verdict
    differences: tuple[str, ...] = ()
    """Columns that differ, with what was kept and what was found."""
    made_by: str = ""
    """The numerics id of the row."""
    ours: str = ""
    """The numerics id that its engine has here and now."""


@dataclass(frozen=True)
class Kept:
    """A finished trial as the store has it."""

    trial: Trial
    row: Row
    history: tuple[Row, ...]


def verify(drawn: list[Kept], workers: int) -> Generator[Verified]:
    """Train trials again, each in a process of `workers`; give verdicts as they come.

    Processes are started afresh: what this one has loaded or set is not theirs.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(drawn)), mp_context=context) as pool:
        waiting = [pool.submit(verify_one, kept) for kept in drawn]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def verify_one(kept: Kept) -> Verified:
    """Train one trial again and compare."""
    trial, row = kept.trial, kept.row
    name, made_by = row["engine"], row["numerics_id"]
    engine = choose(name) if name in ENGINES else None
    if engine is None:
        return Verified(trial.trial_id, "not comparable", made_by=made_by)
    whole_checks = -(-row["updates"] // trial.check_every)
    result = train(trial, budget=whole_checks * trial.check_every, engine=engine)
    differences = tuple(differing(kept, replace(result, numerics_id=made_by)))
    if differences and engine.numerics_id != made_by:
        return Verified(trial.trial_id, "not comparable", (), made_by, engine.numerics_id)
    verdict: Verdict = "different" if differences else "equal"
    return Verified(trial.trial_id, verdict, differences, made_by, engine.numerics_id)


def differing(kept: Kept, result: Result) -> Generator[str]:
    """Name every number of a row and of its history that is not the same bits."""
    yield from _differing_columns(kept.row, result_columns(result), "")
    again = history_rows(result)
    if len(again) != len(kept.history):
        yield f"checks: kept {len(kept.history)}, found {len(again)}"
    for before, now in zip(kept.history, again, strict=False):
        yield from _differing_columns(before, now, f" at update {before['update']}")


def _differing_columns(kept: Row, found: Row, where: str) -> Generator[str]:
    for name, value in found.items():
        if bits(kept.get(name)) != bits(value):
            yield f"{name}{where}: kept {kept.get(name)!r}, found {value!r}"


def bits(value: Any) -> Any:
    """Give what is compared: the bits of a float, so that NaN is NaN and 0 is not −0.

    Example:
        >>> bits(float("nan")) == bits(float("nan")), bits(0.0) == bits(-0.0)
        (True, False)
    """
    if isinstance(value, list):  # as a tuple is kept
        return tuple(value)
    return struct.pack("<d", value) if isinstance(value, float) else value
