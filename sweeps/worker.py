"""Train a pack: what a worker does, without Ray.

The one border at which an exception is caught: a crash inside a trial must not take its
neighbours along. Its traceback goes to `attempts`, and the next run tries it again.
"""

import time
import traceback
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Any, Literal, get_args

from rnnlab import Result, Trial
from rnnlab.engines import Engine
from rnnlab.state import State
from rnnlab.train import result_of, training
from sweeps.attempts import Attempts
from sweeps.meter import Metered
from sweeps.plan import Pack
from sweeps.progress import Progress
from sweeps.store import Store

Ending = Literal["solved", "unsolved", "diverged", "failed"]

ENDINGS: tuple[Ending, ...] = get_args(Ending)

CHUNK_S = 2.0
"""Seconds between two reports: each costs Ray and the driver about 10 ms of the same cores."""

COMMIT_EVERY_S = 30.0
"""A pack that lasts longer commits part by part, at least this often."""


def train_pack(
    pack: Pack, store: Store, engine: Engine, *, chunk_s: float = CHUNK_S
) -> Generator[Progress]:
    """Train a pack's trials one after another and commit their results.

    Args:
        pack: What to train.
        store: Where results and checkpoints go.
        engine: What makes the updates.
        chunk_s: Seconds between two reports, about.

    Yields:
        Progress after each chunk. Closing the iterator keeps a checkpoint of the trial
        under way and commits what is finished.
    """
    attempts = Attempts(store.attempts)
    progress = Progress()
    metered = Metered(engine)
    finished: list[tuple[Trial, Result]] = []
    ended: list[Trial] = []  # their checkpoints serve a pack that starts again
    committed_at = time.monotonic()
    try:
        for trial in pack.trials:
            about = {"trial_id": trial.trial_id, "pack": pack.pack_id}
            attempts.record("started", **about)
            try:
                reached = None
                states = _train_one(
                    trial, pack.budget, store, metered, progress, chunk_s, attempts
                )
                with closing(states):
                    for progress, state in states:
                        reached = state
                        yield progress
                assert reached is not None
                result = result_of(trial, reached, engine, pack.budget)
            except Exception as error:  # noqa: BLE001 - the border; see the module
                attempts.record("failed", **about, **_described(error))
                progress = _ended(progress, "failed")
            else:
                finished.append((trial, result))
                attempts.record("finished", **about, **_told(result, progress))
                progress = _ended(progress, result.outcome)
                if result.outcome != "unsolved":
                    ended.append(trial)
            if time.monotonic() - committed_at >= COMMIT_EVERY_S:
                _commit(store, pack, finished)
                committed_at = time.monotonic()
    finally:
        _commit(store, pack, finished)
        for trial in ended:
            store.checkpoints.discard(trial)
    yield progress


def _train_one(
    trial: Trial,
    budget: int,
    store: Store,
    engine: Metered,
    before: Progress,
    chunk_s: float,
    attempts: Attempts,
) -> Generator[tuple[Progress, State]]:
    """Train one trial, adding to the counts of the trials before it in the pack."""
    first = None
    kept = store.checkpoints.path(trial).exists()
    states = training(
        trial,
        budget=budget,
        engine=engine,
        checkpoint=store.checkpoints,
        chunk_s=chunk_s,
    )
    with closing(states):
        for state in states:
            if first is None and kept and state.update == 0:
                restarted = "its checkpoint is damaged or of another numerics id"
                attempts.record("restarted", trial_id=trial.trial_id, reason=restarted)
            first = first or state
            progress = replace(
                before,
                trial_id=trial.trial_id,
                update=state.update,
                error_rate=state.checks[-1].error_rate if state.checks else None,
                made=before.made + state.update - first.update,
                checks=before.checks + len(state.checks) - len(first.checks),
                update_s=engine.spent.update_s,
                check_s=engine.spent.check_s,
            )
            yield progress, state


def _commit(store: Store, pack: Pack, finished: list[tuple[Trial, Result]]) -> None:
    if finished:
        store.commit(finished, committed=pack.committed)
        finished.clear()


def _ended(progress: Progress, how: Ending) -> Progress:
    return replace(progress, **{how: getattr(progress, how) + 1})


def _told(result: Result, progress: Progress) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "updates": result.updates,
        "pack_made": progress.made,
        "pack_update_s": round(progress.update_s, 3),
        "pack_check_s": round(progress.check_s, 3),
        "numerics_id": result.numerics_id,
    }


def _described(error: Exception) -> dict[str, Any]:
    return {
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }
