"""What has changed since a sweep began: said before a run goes on."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sweeps.plan.plan import Plan
from sweeps.store.events import Adopted, Event, Session
from sweeps.store.trial_id import id_of


def changes(
    work: Plan, events: Iterable[Event], numerics_ids: Iterable[str], commit: str | None
) -> list[str]:
    """Compare a run with those before it.

    Args:
        work: What the run has to do, and what there is.
        events: What the runs before have recorded.
        numerics_ids: All that this run trains with.
        commit: Of this run's sources.

    Returns:
        A line each; none where all is as it was.
    """
    events, ours = list(events), frozenset(numerics_ids)
    before = [event for event in events if isinstance(event, Session)]
    made_by = Counter(
        standing.numerics_id
        for trial in work.trials
        if (standing := work.standings.get(id_of(trial)))
    )
    earlier = {name for session in before for name in session.numerics_ids}
    others = sorted((earlier | set(made_by)) - _equivalent(events, ours))
    if others:
        return [_numerics_changed(work, made_by, others, ours)]
    last_commit = before[-1].commit if before else None
    if last_commit and commit and last_commit != commit:
        return [
            f"the code has changed since the last run (commit {last_commit[:12]}, now "
            f"{commit[:12]}), its numerics have not: results stay comparable bit for bit"
        ]
    return []


def _equivalent(events: Sequence[Event], ours: frozenset[str]) -> set[str]:
    """Return the numerics of a run, and those adopted into one of them, directly or not.

    They were seen to give the same bits: see `sweeps.maintenance.adopt_checkpoints`.
    """
    found = set(ours)
    for event in reversed(events):
        if isinstance(event, Adopted) and event.numerics_id in found:
            found.add(event.earlier)
    return found


def _numerics_changed(
    work: Plan, made_by: Counter[str], others: list[str], ours: frozenset[str]
) -> str:
    before, now = ", ".join(others), ", ".join(sorted(ours))
    done = sum(made_by[name] for name in others)
    begun = sum(
        id_of(trial) in work.standings
        and work.standings[id_of(trial)].numerics_id in others
        for trial in work.to_run
    )
    return (
        f"the numerics have changed since this sweep began: before {before}, now {now}. "
        f"{done} of {made_by.total()} results are of the former; they stay "
        "valid, but their bits are not comparable with new ones. Checkpoints of the "
        f"former are set aside: {begun} trials with a result at a smaller budget, and all "
        "that were under way, start again from their first update. To keep them, go back "
        "to the former code and libraries, or try `sweep verify --adopt`: it trains some "
        "again, and if their bits are the same after all, the others go on"
    )
