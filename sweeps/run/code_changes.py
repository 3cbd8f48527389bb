"""What has changed since a sweep began: said before a run goes on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sweeps.plan.plan import Plan
from sweeps.store.standing import Standing
from sweeps.store.trial_id import id_of


def changes(
    work: Plan,
    events: Iterable[Mapping[str, Any]],
    now: Mapping[str, str],
    commit: str | None,
) -> list[str]:
    """Compare a run with those before it.

    Args:
        work: What the run has to do, and what there is.
        events: What the runs before have written down.
        now: The numerics id of each trial of the sweep under the code of today, by
            `trial_id`: they differ where trials use different code.
        commit: Of this run's sources.

    Returns:
        A line each; none where all is as it was.
    """
    events = list(events)
    before = [event for event in events if event.get("event") == "session"]
    same = {each: _same(events, each) for each in set(now.values())}
    stale = {
        name: standing
        for trial in work.trials
        if (standing := work.standings.get(name := id_of(trial)))
        and standing.numerics_id not in same[now[name]]
    }
    others = {standing.numerics_id for standing in stale.values()}
    others |= _of_sessions(before).difference(*same.values())
    if others:
        return [_described(work, stale, sorted(others), now)]
    commits = [event.get("commit") for event in before]
    if commits and commit and commits[-1] and commits[-1] != commit:
        return [
            f"the code has changed since the last run (commit {commits[-1][:12]}, now "
            f"{commit[:12]}), its numerics have not: results stay comparable bit for bit"
        ]
    return []


def _of_sessions(sessions: Iterable[Mapping[str, Any]]) -> set[str]:
    """List the numerics of earlier runs; the oldest logs have one a run."""
    found: set[str] = set()
    for each in sessions:
        ids = each.get("numerics_ids") or [each.get("numerics_id")]
        found |= {str(one) for one in ids if one} if isinstance(ids, list) else set()
    return found


def _same(events: Iterable[Mapping[str, Any]], numerics_id: str) -> set[str]:
    """List the numerics that were seen to give the same bits (`sweeps.maintenance.adopt_checkpoints`), this one too."""
    same = {numerics_id}
    for event in reversed([each for each in events if each.get("event") == "adopted"]):
        if event.get("numerics_id") in same:
            same.add(str(event.get("earlier")))
    return same


def _described(
    work: Plan,
    stale: Mapping[str, Standing],
    others: Sequence[str],
    now: Mapping[str, str],
) -> str:
    results = sum(id_of(trial) in work.standings for trial in work.trials)
    ours = sorted({now[id_of(trial)] for trial in work.trials})
    begun = sum(id_of(trial) in stale for trial in work.to_run)
    return (
        f"the numerics have changed since this sweep began: before {', '.join(others)}, now "
        f"{', '.join(ours)}. {len(stale)} of {results} results are of the former; they stay "
        "valid, but their bits are not comparable with new ones. Checkpoints of the "
        f"former are set aside: {begun} trials with a result at a smaller budget, and all "
        "that were under way, start again from their first update. To keep them, go back "
        "to the former code and libraries, or try `sweep verify --adopt`: it trains some "
        "again, and if their bits are the same after all, the others go on"
    )
