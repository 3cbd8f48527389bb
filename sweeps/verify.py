"""Train finished trials again, and compare every number bit for bit.

Other code, libraries or machines may give other bits and be right: what was made by another
numerics id and comes out otherwise is not comparable, and only under its own id different.
"""

import multiprocessing
import random
import struct
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from rnnlab import Result, Trial
from rnnlab.engines import ENGINES, choose
from rnnlab.spec import SHOWN_DIGITS
from rnnlab.train import train
from sweeps.columns import history_rows, result_columns
from sweeps.errors import SweepError
from sweeps.finish import say
from sweeps.run_options import RunOptions
from sweeps.selection import Chosen
from sweeps.store import Store

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


def verify_sample(
    chosen: Chosen,
    size: int,
    seed: int | None,
    options: RunOptions,
    *,
    to_adopt: bool = False,
) -> dict[str, Any]:
    """Verify a random sample of finished trials, telling on stderr how far it is.

    Args:
        chosen: The trials to draw from.
        size: How many.
        seed: Decides which; None draws a seed, which is told.
        options: `cpus` says how many at a time.
        to_adopt: Let unsolved trials go on from checkpoints of earlier numerics, if all is
            equal; see `sweeps.adopt`.

    Returns:
        What `sweep verify --json` prints.

    Raises:
        SweepError: If an option cannot be, no trial is finished, or nothing can be adopted.
    """
    options.require_possible()
    if size < 1:
        raise SweepError(f"--sample must be at least 1, got {size}.")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    drawn = sample(chosen, size, seed)
    say(f"training {len(drawn)} trials again; --seed {seed} draws the same")
    found: list[Verified] = []
    for each in verify(drawn, options.workers):
        found.append(each)
        name = each.trial_id[:SHOWN_DIGITS]
        say(f"{len(found)} of {len(drawn)}: {name} {each.verdict}")
    if to_adopt:
        from sweeps.adopt import adopt

        adopted = adopt(chosen, found)
        say(f"{adopted} checkpoints of earlier numerics were adopted: their trials go on")
    counts = Counter(each.verdict for each in found)
    return {
        "sweep": chosen.experiment.sweep.name,
        "results": chosen.place.address,
        "seed": seed,
        **{verdict: counts[verdict] for verdict in VERDICTS},
        "trials": [asdict(each) for each in sorted(found, key=lambda e: e.trial_id)],
    }


def sample(chosen: Chosen, size: int, seed: int) -> list[Kept]:
    """Draw finished trials of a sweep, without repetition.

    Args:
        chosen: The trials to draw from.
        size: How many, or all where there are fewer.
        seed: Decides which.

    Raises:
        SweepError: If none is finished.
    """
    store = Store(chosen.place)
    rows = _by_trial(store.read().to_pylist()) if store.parts.names() else {}
    finished = [trial for trial in chosen.trials if trial.trial_id in rows]
    if not finished:
        raise SweepError(
            f"No trial of {chosen.experiment.sweep.name!r} has a result in "
            f"{chosen.place.address} yet, so there is nothing to verify. `sweep run` trains them."
        )
    drawn = random.Random(seed).sample(finished, min(size, len(finished)))
    history = _by_trial(store.history().to_pylist())
    return [
        Kept(trial, rows[trial.trial_id][0], tuple(history.get(trial.trial_id, ())))
        for trial in drawn
    ]


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
    ours = engine.numerics_id(trial)
    if differences and ours != made_by:
        return Verified(trial.trial_id, "not comparable", (), made_by, ours)
    verdict: Verdict = "different" if differences else "equal"
    return Verified(trial.trial_id, verdict, differences, made_by, ours)


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


def _by_trial(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trial_id"], []).append(row)
    return found


def lines(facts: dict[str, Any]) -> list[str]:
    """Write verdicts for a person; differences last, where they are seen."""
    found = [
        f"{each['trial_id'][:SHOWN_DIGITS]}  {each['verdict']}" for each in facts["trials"]
    ]
    for each in facts["trials"]:
        if each["made_by"] != each["ours"]:
            found.append(
                f"{each['trial_id'][:SHOWN_DIGITS]} was made by {each['made_by']}; here and "
                f"now it would be {each['ours'] or 'no engine of that name'}"
            )
    for each in facts["trials"]:
        name = each["trial_id"][:SHOWN_DIGITS]
        found += [f"{name} DIFFERS in {what}" for what in each["differences"]]
    counts = ", ".join(f"{facts[verdict]} {verdict}" for verdict in VERDICTS)
    return [*found, f"{len(facts['trials'])} trials trained again: {counts}"]
