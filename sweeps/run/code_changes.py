"""What has changed since a sweep began: said before a run goes on."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.plan.plan import Plan
from sweeps.store.trial_id import id_of


def changes(
    work: Plan, events: Iterable[Mapping[str, Any]], numerics_id: str, commit: str | None
) -> list[str]:
    """Compare a run with those before it.

    Args:
        work: What the run has to do, and what there is.
        events: What the runs before have written down.
        numerics_id: Of this run.
        commit: Of this run's sources.

    Returns:
        A line each; none where all is as it was.
    """
    events = list(events)
    before = [event for event in events if event.get("event") == "session"]
    made_by = Counter(
        standing.numerics_id
        for trial in work.trials
        if (standing := work.standings.get(id_of(trial)))
    )
    earlier = {str(each["numerics_id"]) for each in before if each.get("numerics_id")}
    others = sorted((earlier | set(made_by)) - _same(events, numerics_id))
    if others:
        return [_told(work, made_by, others, numerics_id)]
    commits = [event.get("commit") for event in before]
    if commits and commit and commits[-1] and commits[-1] != commit:
        return [
            f"the code has changed since the last run (commit {commits[-1][:12]}, now "
            f"{commit[:12]}), its numerics have not: results stay comparable bit for bit"
        ]
    return []


def _same(events: Iterable[Mapping[str, Any]], numerics_id: str) -> set[str]:
    """List the numerics that were seen to give the same bits (`sweeps.maintenance.adopt_checkpoints`), this one too."""
    same = {numerics_id}
    for event in reversed([each for each in events if each.get("event") == "adopted"]):
        if event.get("numerics_id") in same:
            same.add(str(event.get("earlier")))
    return same


def _told(work: Plan, made_by: Counter[str], others: list[str], numerics_id: str) -> str:
    done = sum(made_by[name] for name in others)
    names = ", ".join(name for name in others)
    begun = sum(
        id_of(trial) in work.standings
        and work.standings[id_of(trial)].numerics_id != numerics_id
        for trial in work.to_run
    )
    return (
        f"the numerics have changed since this sweep began: before {names}, now "
        f"{numerics_id}. {done} of {made_by.total()} results are of the former; they stay "
        "valid, but their bits are not comparable with new ones. Checkpoints of the "
        f"former are set aside: {begun} trials with a result at a smaller budget, and all "
        "that were under way, start again from their first update. To keep them, go back "
        "to the former code and libraries, or try `sweep verify --adopt`: it trains some "
        "again, and if their bits are the same after all, the others go on"
    )
