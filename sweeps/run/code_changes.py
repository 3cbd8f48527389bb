"""Describe what has changed since a sweep began, before a run continues it."""

from collections.abc import Iterable, Mapping, Sequence

from sweeps.plan.plan import Plan
from sweeps.store.events import Adopted, Event, Session
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of


def changes(
    work: Plan, events: Iterable[Event], now: Mapping[str, str], commit: str | None
) -> list[str]:
    """Compare a run with those before it.

    Args:
        work: The plan of the run.
        events: What earlier runs have recorded.
        now: The current numerics id of each trial of the sweep, by `trial_id`: they differ
            if trials use different code.
        commit: The commit of this run's sources.

    Returns:
        Messages; empty if nothing has changed.
    """
    events = list(events)
    before = [event for event in events if isinstance(event, Session)]
    same = {each: _equivalent(events, each) for each in set(now.values())}
    stale = {
        name: standing
        for trial in work.trials
        if (standing := work.standings.get(name := id_of(trial)))
        and standing.numerics_id not in same[now[name]]
    }
    others = {standing.numerics_id for standing in stale.values()}
    of_sessions = {name for session in before for name in session.numerics_ids}
    others |= of_sessions.difference(*same.values())
    if others:
        return [_numerics_changed(work, stale, sorted(others), now)]
    last_commit = before[-1].commit if before else None
    if last_commit and commit and last_commit != commit:
        return [
            f"the code has changed since the last run (commit {last_commit[:12]}, now "
            f"{commit[:12]}), its numerics have not: results remain comparable bit for bit"
        ]
    return []


def _equivalent(events: Sequence[Event], numerics_id: str) -> set[str]:
    """Return a numerics id, and those adopted into it, directly or not.

    They were verified to give the same bits: see `sweeps.maintenance.adopt_checkpoints`.
    """
    found = {numerics_id}
    for event in reversed(events):
        if isinstance(event, Adopted) and event.numerics_id in found:
            found.add(event.earlier)
    return found


def _numerics_changed(
    work: Plan, stale: Mapping[str, Standing], others: Sequence[str], now: Mapping[str, str]
) -> str:
    results = sum(id_of(trial) in work.standings for trial in work.trials)
    ours = sorted({now[id_of(trial)] for trial in work.trials})
    begun = sum(id_of(trial) in stale for trial in work.to_run)
    return (
        f"the numerics have changed since this sweep began: before {', '.join(others)}, now "
        f"{', '.join(ours)}. {len(stale)} of {results} results were made by the old code; they "
        "remain valid, but are not comparable with new ones bit for bit. Checkpoints of the "
        f"old code are set aside: {begun} trials with a result at a smaller budget, and all "
        "that were running, restart from update 0. To keep them, return to the old code and "
        "libraries, or try `sweep verify --adopt`: it retrains some trials and, if all match, "
        "reuses the checkpoints"
    )
