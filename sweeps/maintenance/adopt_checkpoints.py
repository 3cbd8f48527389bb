"""Let unsolved trials resume under changed code that was verified to give the same bits.

A checkpoint is resumed only under its own numerics id, since other code may give other bits.
If finished trials, retrained with the current code, have the same bits as before, its id is
changed to the current one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sweeps.errors import SweepError
from sweeps.maintenance.retrain import Verified
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import Attempts, next_run, read_events
from sweeps.store.checkpoints import CheckpointFolder, decoded, glance, name_of
from sweeps.store.events import Adopted, Event
from sweeps.store.trial_id import id_of

Change = tuple[str, str]
"""An earlier numerics id, and the current one."""


class Adoption(NamedTuple):
    """Numbers of checkpoints."""

    adopted: int
    """Changed from an earlier numerics id to the current one."""
    current: int
    """Had the current id already."""


def adopt(chosen: Chosen, verified: Sequence[Verified]) -> Adoption:
    """Change the id of checkpoints of earlier numerics to the current one, and record it.

    Args:
        chosen: The trials whose checkpoints are changed.
        verified: Finished trials of the sweep that were retrained.

    Returns:
        How many checkpoints were changed, and how many had the current id already.

    Raises:
        SweepError: If one of them differed, or none was made by other numerics.
    """
    unequal = [each.trial_id for each in verified if each.verdict != "equal"]
    if unequal:
        raise SweepError(
            f"Nothing is adopted: {len(unequal)} of {len(verified)} trials have other results, "
            f"first {unequal[0]}. Return to the code and libraries that made them, or let "
            "`sweep run` restart the unsolved trials."
        )
    store, kind = chosen.store, chosen.type
    before = read_events(store.attempts)
    current_ids = {each.ours for each in verified}  # one for each kind of task
    changes = {
        (earlier, each.ours)
        for each in verified
        for earlier in equal_ids(each.made_by, before)
        if earlier not in current_ids
    }
    if not changes:
        raise SweepError(
            "There is nothing to adopt: all retrained trials were made by the current "
            "numerics. Checkpoints of other numerics need finished trials with the same id; "
            "a larger --sample may include some."
        )
    trainers = {
        each: kind.trainer(each, chosen.trials)
        for each in kind.described.engines
        if kind.possible_here(chosen.trials, each)
    }

    def ids(trial: Any) -> list[str]:
        own = trainers or {None: kind.trainer(None, chosen.trials)}
        return [trainer.numerics_id(trial) for trainer in own.values()]

    counts, current = _adopted(store.checkpoints, chosen.trials, changes, ids)
    log = Attempts(store.attempts, next_run(before))
    for change in sorted(changes):
        earlier, ours = change
        if counts[change] or change not in _recorded(before):
            log.record(
                Adopted(earlier=earlier, numerics_id=ours, checkpoints=counts[change])
            )
    return Adoption(counts.total(), current)


def equal_ids(numerics_id: str, events: Iterable[Event]) -> set[str]:
    """Return the numerics ids that were verified to give the same bits as one, including it.

    A row keeps the id that it was made by. Checkpoints that were adopted before have another
    id, which was verified to be equal then.
    """
    pairs = _recorded(events)
    found, grown = {numerics_id}, True
    while grown:
        more = {each for pair in pairs if found & set(pair) for each in pair} - found
        found, grown = found | more, bool(more)
    return found


def _recorded(events: Iterable[Event]) -> set[Change]:
    return {(e.earlier, e.numerics_id) for e in events if isinstance(e, Adopted)}


def _adopted(
    checkpoints: CheckpointFolder,
    trials: Sequence[Any],
    changes: set[Change],
    ids: Callable[[Any], list[str]],
) -> tuple[Counter[Change], int]:
    """Rewrite the checkpoints whose change of id was verified.

    Returns:
        The number of checkpoints by change, and that of checkpoints with a current id.
    """
    there, counts, current = set(checkpoints.files.names()), Counter[Change](), 0
    for trial in trials:
        trial_id = id_of(trial)
        if name_of(trial_id) not in there:
            continue
        data = checkpoints.files.read(name_of(trial_id))
        try:
            _, made_by, _ = glance(data)
            position = decoded(data, trial_id, made_by)
        except ValueError:
            continue  # damaged: the next run sets it aside and reports it
        current_ids = ids(trial)
        current += made_by in current_ids
        for ours in current_ids:
            if (made_by, ours) in changes:
                checkpoints.save(trial_id, ours, position)
                counts[made_by, ours] += 1
    return counts, current
