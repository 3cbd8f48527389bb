"""Retrain a sample of finished trials, and compare every number bit for bit.

Other code, libraries or machines may correctly give other bits: a trial that differs is
"different" only under its own numerics id, and otherwise "not comparable".
"""

import random
from collections import Counter
from dataclasses import asdict
from typing import Any

from sweeps.errors import SweepError
from sweeps.maintenance.retrain import BIT_VERDICTS, Kept, Row, Verified, verify
from sweeps.plan.crews import workers
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.spec.user_code import UserCode
from sweeps.store.trial_id import SHOWN_DIGITS, id_of
from sweeps.terminal import say


def verify_sample(
    chosen: Chosen,
    size: int,
    seed: int | None,
    options: RunOptions,
    *,
    to_adopt: bool = False,
) -> dict[str, Any]:
    """Verify a random sample of finished trials; report progress on stderr.

    Args:
        chosen: The trials to draw from.
        size: Sample size.
        seed: Seed of the sample; None uses a random one and prints it.
        options: `cpus` is the number of trials at a time.
        to_adopt: If all match, let unsolved trials resume from checkpoints of earlier
            numerics; see `sweeps.maintenance.adopt_checkpoints`.

    Returns:
        What `sweep verify --json` prints.

    Raises:
        SweepError: If an option is invalid, no trial is finished, or nothing can be adopted.
    """
    options.require_possible()
    if size < 1:
        raise SweepError(f"--sample must be at least 1, got {size}.")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    drawn = sample(chosen, size, seed, of_each_kind=to_adopt)
    say(f"retraining {len(drawn)} trials; --seed {seed} draws the same sample")
    found: list[Verified] = []
    code = UserCode.of(chosen.experiment)
    for each in verify(drawn, workers(chosen, options), code):
        found.append(each)
        name = each.trial_id[:SHOWN_DIGITS]
        say(f"{len(found)} of {len(drawn)}: {name} {each.verdict}")
    if to_adopt:
        from sweeps.maintenance.adopt_checkpoints import adopt

        say(_adoption(*adopt(chosen, found)))
    counts = Counter(each.verdict for each in found)
    return {
        "sweep": chosen.experiment.sweep.name,
        "results": chosen.place.address,
        "seed": seed,
        **{verdict: counts[verdict] for verdict in BIT_VERDICTS},
        "trials": [asdict(each) for each in sorted(found, key=lambda e: e.trial_id)],
    }


def _adoption(adopted: int, current: int) -> str:
    if adopted:
        return (
            f"{adopted} checkpoints of earlier numerics were adopted: their trials resume "
            "from them"
        )
    if current:
        return f"adopted already: {current} checkpoints have the current numerics id"
    return "there are no checkpoints to adopt"


def sample(
    chosen: Chosen, size: int, seed: int, *, of_each_kind: bool = False
) -> list[Kept]:
    """Draw finished trials of a sweep, without repetition.

    Args:
        chosen: The trials to draw from.
        size: Sample size; all if there are fewer.
        seed: Seed of the sample.
        of_each_kind: Draw at least one for each pair of a row's numerics id and the current
            one, even if these are more than `size`.

    Raises:
        SweepError: If none is finished.
    """
    store = chosen.store
    rows = _by_trial(store.read().to_pylist()) if store.parts.names() else {}
    finished = [trial for trial in chosen.trials if id_of(trial) in rows]
    if not finished:
        raise SweepError(
            f"No trial of {chosen.experiment.sweep.name!r} has a result in "
            f"{chosen.place.address} yet, so there is nothing to verify. `sweep run` trains them."
        )
    shuffled = random.Random(seed).sample(finished, len(finished))
    drawn = shuffled[:size]
    if of_each_kind:
        kinds = {_numerics(chosen, trial, rows[id_of(trial)][0]): trial for trial in drawn}
        for trial in shuffled[size:]:
            kind = _numerics(chosen, trial, rows[id_of(trial)][0])
            if kind not in kinds:
                kinds[kind] = trial
                drawn.append(trial)
    history = _by_trial(store.history().to_pylist())
    return [
        Kept(trial, rows[id_of(trial)][0], tuple(history.get(id_of(trial), ())))
        for trial in drawn
    ]


def _numerics(chosen: Chosen, trial: Any, row: Row) -> tuple[str, str]:
    """Return the numerics id of a row, and the current one of its engine; "" if not here."""
    if not chosen.type.possible_here([trial], row["engine"]):
        return row["numerics_id"], ""
    trainer = chosen.type.trainer(row["engine"], [trial])
    return row["numerics_id"], trainer.numerics_id(trial)


def _by_trial(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trial_id"], []).append(row)
    return found


def lines(facts: dict[str, Any]) -> list[str]:
    """Return the verdicts as lines of text, differences last."""
    found = [
        f"{each['trial_id'][:SHOWN_DIGITS]}  {each['verdict']}" for each in facts["trials"]
    ]
    for each in facts["trials"]:
        if each["made_by"] != each["ours"]:
            found.append(
                f"{each['trial_id'][:SHOWN_DIGITS]} was made by {each['made_by']}; the "
                f"current id is {each['ours'] or 'unknown: no engine of that name'}"
            )
    for each in facts["trials"]:
        name = each["trial_id"][:SHOWN_DIGITS]
        found += [f"{name} DIFFERS in {what}" for what in each["differences"]]
    used = sorted({n for each in facts["trials"] for n in each["global_generators"]})
    if used:
        found.append(
            f"The trainer draws from global random generators ({', '.join(used)}): its "
            "numbers depend on what ran before in the same process, and on interruptions. "
            "Draw from a generator that the state holds, such as torch.Generator."
        )
    counts = ", ".join(f"{facts[verdict]} {verdict}" for verdict in BIT_VERDICTS)
    return [*found, f"{len(facts['trials'])} trials retrained: {counts}"]
