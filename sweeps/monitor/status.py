"""Status of a sweep's trials, from its store and from an active run."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from sweeps.monitor.efficiency import Efficiency, of_events, summary
from sweeps.monitor.snapshot import read_snapshot
from sweeps.plan.plan import plan_of
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import failed_trials, read_events
from sweeps.store.trial_id import SHOWN_DIGITS, id_of
from sweeps.terminal import duration

KINDS = ("solved", "unsolved", "diverged", "failed", "running", "waiting")


def status(chosen: Chosen) -> dict[str, Any]:
    """Count the chosen trials by their status at the budget.

    Without a `--budget`, the budget of an active run is used.

    Returns:
        What `sweep status --json` prints: each trial is counted once, under one of
        solved, unsolved (at the budget), diverged, failed (no result, and the last
        attempt crashed), running and waiting. Of those without a result at the budget,
        `trained` have one at fewer updates: at `trained_to`, the least and the most.
    """
    snapshot = read_snapshot(chosen.place) or {}
    if chosen.selection.budget is None:
        chosen = replace(chosen, budget=snapshot.get("budget", chosen.budget))
    work = plan_of(chosen)
    running = {each["trial_id"]: each for each in snapshot.get("running", [])}
    failed = failed_trials(chosen.place / "attempts")
    waiting = {id_of(trial) for trial in work.to_run}
    counts: Counter[str] = Counter()
    for trial in work.trials:
        name = id_of(trial)
        if name not in waiting:
            counts[work.standings[name].outcome_at(work.budget)] += 1
        elif name in running:
            counts["running"] += 1
        else:
            counts["failed" if name in failed else "waiting"] += 1
    others = (r.get("together", 1) - 1 for name, r in running.items() if name in waiting)
    beside = min(sum(others), counts["waiting"])  # the snapshot does not name them
    counts["running"] += beside
    counts["waiting"] -= beside
    trained = [work.standings[n].updates for n in waiting & work.standings.keys()]
    used = of_events(read_events(chosen.place / "attempts"))
    used += Efficiency.of(snapshot.get("efficiency"))
    return {
        "sweep": chosen.experiment.sweep.name,
        "budget": chosen.budget,
        "results": chosen.place.address,
        "trials": len(work.trials),
        **{kind: counts[kind] for kind in KINDS},
        "trained": len(trained),
        "trained_to": [min(trained), max(trained)] if trained else None,
        "running_trials": [each for name, each in running.items() if name in waiting],
        "failed_trials": [
            {
                "trial_id": name,
                "error": failed[name].last.error,
                "times": failed[name].times,
            }
            for name in sorted(failed.keys() & waiting - running.keys())
        ],
        "updates_per_s": snapshot.get("updates_per_s"),
        "eta_s": snapshot.get("eta_s"),
        "efficiency": used.efficiency,
        "check_share": used.check_share,
        "used": asdict(used),
        "dashboard": snapshot.get("dashboard"),
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """Return a status as lines of text."""
    counts = ", ".join(f"{facts[kind]} {kind}" for kind in KINDS)
    found = [
        f"{facts['sweep']}: {facts['trials']} trials at {facts['budget']:,} updates: {counts}"
    ]
    if trained_to := facts["trained_to"]:
        updates = " to ".join(f"{each:,}" for each in sorted(set(trained_to)))
        found.append(f"  {facts['trained']} of the others already have {updates} updates")
    for each in facts["running_trials"]:
        found.append(
            f"  {each['trial_id'][:SHOWN_DIGITS]}  {each['about']}: update "
            f"{each['update']:,}, {each['updates_per_s']:,.0f}/s"
        )
    for each in facts["failed_trials"]:
        found.append(f"  {each['trial_id'][:SHOWN_DIGITS]}  failed: {each['error']}")
    if used := summary(Efficiency(**facts["used"])):
        found.append(used)
    if facts["eta_s"] is not None:
        found.append(f"at most {duration(facts['eta_s'])} left")
    return found
