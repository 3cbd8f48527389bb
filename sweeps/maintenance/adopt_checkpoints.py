"""Let unsolved trials go on under numerics that were seen to give the same bits as before.

A checkpoint goes on under its own numerics id alone, since other code may give other bits.
Where finished trials, trained again by the code of today, come out bit for bit as they were,
it need not start again: its id is changed to that of today.
"""

from collections.abc import Sequence

from sweeps.errors import SweepError
from sweeps.maintenance.retrain import Verified
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import Attempts, next_run, read_events
from sweeps.store.checkpoints import decoded, glance, name_of
from sweeps.store.events import Adopted
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of


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
    same = {each.made_by: each.ours for each in verified if each.made_by != each.ours}
    if not same:
        raise SweepError(
            "Nothing is to be adopted: what was trained again was made by the numerics of "
            "today. Checkpoints of others need finished trials of theirs; a larger --sample "
            "may find some."
        )
    store = chosen.store
    adopted = sum(_adopted(store, chosen, same))
    log = Attempts(store.attempts, next_run(read_events(store.attempts)))
    for earlier, ours in same.items():
        log.record(Adopted(earlier=earlier, numerics_id=ours, checkpoints=adopted))
    return adopted


def _adopted(store: Store, chosen: Chosen, same: dict[str, str]) -> "list[bool]":
    """Say for each trial whether its checkpoint was of earlier numerics, and now is not."""
    checkpoints, there = store.checkpoints, set((store.place / "checkpoints").names())
    found: list[bool] = []
    for trial in chosen.trials:
        trial_id = id_of(trial)
        if name_of(trial_id) not in there:
            continue
        data = checkpoints.files.read(name_of(trial_id))
        try:
            _, made_by, _ = glance(data)
            position = decoded(data, trial_id, made_by)
        except ValueError:
            continue  # damaged: the next run sets it aside and says so
        if made_by in same:
            checkpoints.save(trial_id, same[made_by], position)
        found.append(made_by in same)
    return found
