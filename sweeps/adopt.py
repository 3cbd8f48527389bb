"""Let unsolved trials go on under numerics that were seen to give the same bits as before.

A checkpoint goes on under its own numerics id alone, since other code may give other bits.
Where finished trials, trained again by the code of today, come out bit for bit as they were,
it need not start again: its id is changed to that of today.
"""

from collections.abc import Sequence

from rnnlab.checkpoint import decoded, glance, name_of
from sweeps.attempts import Attempts, events, next_run
from sweeps.errors import SweepError
from sweeps.selection import Chosen
from sweeps.store import Store
from sweeps.verify import Verified


def adopt(chosen: Chosen, verified: Sequence[Verified]) -> int:
    """Give checkpoints of earlier numerics the id of today's, and write that down.

    Args:
        chosen: The trials whose checkpoints are meant.
        verified: Finished trials of the sweep that were trained again.

    Returns:
        How many checkpoints there were.

    Raises:
        SweepError: If one of them was not equal, or none was made by other numerics.
    """
    unequal = [each.trial_id for each in verified if each.verdict != "equal"]
    if unequal:
        raise SweepError(
            f"Nothing is adopted: {len(unequal)} of {len(verified)} trials came out otherwise, "
            f"first {unequal[0]}. Go back to the code and libraries that made them, or let "
            "`sweep run` start the unsolved trials again."
        )
    kinds = {trial.trial_id: type(trial.task) for trial in chosen.trials}
    same = {
        (each.made_by, kinds[each.trial_id]): each.ours
        for each in verified
        if each.made_by != each.ours and each.trial_id in kinds
    }
    if not same:
        raise SweepError(
            "Nothing is to be adopted: what was trained again was made by the numerics of "
            "today. Checkpoints of others need finished trials of theirs; a larger --sample "
            "may find some."
        )
    store = Store(chosen.place)
    adopted = sum(_adopted(store, chosen, same))
    log = Attempts(store.attempts, next_run(events(store.attempts)))
    for (earlier, _), ours in same.items():
        log.record("adopted", earlier=earlier, numerics_id=ours, checkpoints=adopted)
    return adopted


def _adopted(
    store: Store, chosen: Chosen, same: dict[tuple[str, type], str]
) -> "list[bool]":
    """Say for each trial whether its checkpoint was of earlier numerics, and now is not."""
    checkpoints, there = store.checkpoints, set((store.place / "checkpoints").names())
    found: list[bool] = []
    for trial in chosen.trials:
        if name_of(trial) not in there:
            continue
        data = checkpoints.files.read(name_of(trial))
        try:
            _, made_by, _ = glance(data)
            state = decoded(data, trial, made_by)
        except ValueError:
            continue  # damaged: the next run sets it aside and says so
        ours = same.get((made_by, type(trial.task)))
        if ours:
            checkpoints.save(trial, ours, state)
        found.append(ours is not None)
    return found
