"""What has changed since a sweep began: said before a run goes on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import Any

from sweeps.plan import Plan


def changes(
    work: Plan, events: Iterable[Mapping[str, Any]], ids: Set[str], commit: str | None
) -> list[str]:
    """Compare a run with those before it.

    Args:
        work: What the run has to do, and what there is.
        events: What the runs before have written down.
        ids: The numerics ids of this run's trials.
        commit: Of this run's sources.

    Returns:
        A line each; none where all is as it was.
    """
    events = list(events)
    before = [event for event in events if event.get("event") == "session"]
    made_by = Counter(
        standing.numerics_id
        for trial in work.trials
        if (standing := work.standings.get(trial.trial_id))
    )
    same = _same(events, ids)
    earlier = [ids for ids in map(_ids, before) if ids.isdisjoint(same)]
    others = sorted(set().union(*earlier, made_by) - same)
    if others:
        return [_told(work, made_by, others, ids)]
    commits = [event.get("commit") for event in before]
    if commits and commit and commits[-1] and commits[-1] != commit:
        return [
            f"the code has changed since the last run (commit {commits[-1][:12]}, now "
            f"{commit[:12]}), its numerics have not: results stay comparable bit for bit"
        ]
    return []


def _ids(session: Mapping[str, Any]) -> set[str]:
    """Return the numerics ids of a run; of its trials it may have had other tasks too."""
    one = session.get("numerics_id")  # before there was one for each task
    return {str(each) for each in (session.get("numerics_ids") or [one]) if each}


def _same(events: Iterable[Mapping[str, Any]], ids: Set[str]) -> set[str]:
    """List the numerics that were seen to give the same bits (`sweeps.adopt`), these too."""
    same = set(ids)
    for event in reversed([each for each in events if each.get("event") == "adopted"]):
        if event.get("numerics_id") in same:
            same.add(str(event.get("earlier")))
    return same


def _told(work: Plan, made_by: Counter[str], others: list[str], ids: Set[str]) -> str:
    done = sum(made_by[name] for name in others)
    names = ", ".join(name for name in others)
    begun = sum(
        trial.trial_id in work.standings
        and work.standings[trial.trial_id].numerics_id not in ids
        for trial in work.to_run
    )
    return (
        f"the numerics have changed since this sweep began: before {names}, now "
        f"{', '.join(sorted(ids))}. {done} of {made_by.total()} results are of the former; they stay "
        "valid, but their bits are not comparable with new ones. Checkpoints of the "
        f"former are set aside: {begun} trials with a result at a smaller budget, and all "
        "that were under way, start again from their first update. To keep them, go back "
        "to the former code and libraries, or try `sweep verify --adopt`: it trains some "
        "again, and if their bits are the same after all, the others go on"
    )
