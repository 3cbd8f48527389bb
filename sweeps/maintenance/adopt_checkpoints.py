"""Let unsolved trials continue under numerics that were seen to give the same bits as before.

A checkpoint is resumed only under its own numerics id, since other code may give other bits.
Where finished trials, trained again by the code of today, have the same bits as before, it
need not start again: its id is changed to that of today.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sweeps.errors import SweepError
from sweeps.maintenance.retrain import Verified
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import Attempts, next_run, read_events
from sweeps.store.checkpoints import CheckpointFolder, decoded, glance, name_of
from sweeps.store.events import Adopted, Event
from sweeps.store.trial_id import id_of

Change = tuple[str, str]
"""An earlier numerics id, and that of today."""


def adopt(chosen: Chosen, verified: Sequence[Verified]) -> int:
    """Change the id of checkpoints of earlier numerics to that of today, and record it.

    Args:
        chosen: The trials whose checkpoints are meant.
        verified: Finished trials of the sweep that were trained again.

    Returns:
        The number of checkpoints that were changed.

    Raises:
        SweepError: If one of them was not equal, or none was made by other numerics.
    """
    unequal = [each.trial_id for each in verified if each.verdict != "equal"]
    if unequal:
        raise SweepError(
            f"Nothing is adopted: {len(unequal)} of {len(verified)} trials have other results, "
            f"first {unequal[0]}. Go back to the code and libraries that made them, or let "
            "`sweep run` start the unsolved trials again."
        )
    store, kind = chosen.store, chosen.type
    before = read_events(store.attempts)
    changes = {
        (earlier, each.ours)
        for each in verified
        for earlier in equal_ids(each.made_by, before)
        if earlier != each.ours
    }
    if not changes:
        raise SweepError(
            "Nothing is to be adopted: what was trained again was made by the numerics of "
            "today. Checkpoints of others need finished trials of theirs; a larger --sample "
            "may find some."
        )
    trainers = {
        each: kind.trainer(each, chosen.trials)
        for each in kind.described.engines
        if kind.possible_here(chosen.trials, each)
    }

    def ids(trial: Any) -> list[str]:
        own = trainers or {None: kind.trainer(None, chosen.trials)}
        return [trainer.numerics_id(trial) for trainer in own.values()]

    counts = _adopted(store.checkpoints, chosen.trials, changes, ids)
    log = Attempts(store.attempts, next_run(before))
    for change in sorted(changes):
        earlier, ours = change
        log.record(Adopted(earlier=earlier, numerics_id=ours, checkpoints=counts[change]))
    return counts.total()


def equal_ids(numerics_id: str, events: Iterable[Event]) -> set[str]:
    """Return the numerics that were seen to give the same bits as one of them, it included.

    A row keeps the id that it was made by. Where checkpoints were adopted before, theirs is
    another, which was seen to be equal then.
    """
    pairs = [(e.earlier, e.numerics_id) for e in events if isinstance(e, Adopted)]
    found, grown = {numerics_id}, True
    while grown:
        more = {each for pair in pairs if found & set(pair) for each in pair} - found
        found, grown = found | more, bool(more)
    return found


def _adopted(
    checkpoints: CheckpointFolder,
    trials: Sequence[Any],
    changes: set[Change],
    ids: Callable[[Any], list[str]],
) -> Counter[Change]:
    """Rewrite the checkpoints whose change of id was seen to be harmless; count them."""
    there, counts = set(checkpoints.files.names()), Counter[Change]()
    for trial in trials:
        trial_id = id_of(trial)
        if name_of(trial_id) not in there:
            continue
        data = checkpoints.files.read(name_of(trial_id))
        try:
            _, made_by, _ = glance(data)
            position = decoded(data, trial_id, made_by)
        except ValueError:
            continue  # damaged: the next run sets it aside and says so
        for ours in ids(trial):
            if (made_by, ours) in changes:
                checkpoints.save(trial_id, ours, position)
                counts[made_by, ours] += 1
    return counts
