"""How the trials of a sweep stand, from its store and from a run that is going."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from rnnlab.spec import SHOWN_DIGITS
from sweeps.attempts import events, failures
from sweeps.duration import duration
from sweeps.efficiency import Efficiency, of_events, told
from sweeps.selection import Chosen, plan_of
from sweeps.tracker import read_snapshot

KINDS = ("solved", "unsolved", "diverged", "failed", "running", "waiting")


def status(chosen: Chosen) -> dict[str, Any]:
    """Count the chosen trials by how they stand at the budget.

    Returns:
        What `sweep status --json` prints: each trial is counted once, under one of
        solved, unsolved (at the budget), diverged, failed (no result, and the last
        attempt crashed), running and waiting.
    """
    work = plan_of(chosen)
    snapshot = read_snapshot(chosen.place) or {}
    running = {each["trial_id"]: each for each in snapshot.get("running", [])}
    failed = failures(chosen.place / "attempts")
    waiting = {trial.trial_id for trial in work.to_run}
    counts: Counter[str] = Counter()
    for trial in work.trials:
        name = trial.trial_id
        if name not in waiting:
            counts[work.standings[name].outcome_at(work.budget)] += 1
        elif name in running:
            counts["running"] += 1
        else:
            counts["failed" if name in failed else "waiting"] += 1
    used = of_events(events(chosen.place / "attempts"))
    used += Efficiency.of(snapshot.get("efficiency"))
    return {
        "sweep": chosen.experiment.sweep.name,
        "budget": chosen.budget,
        "results": chosen.place.address,
        "trials": len(work.trials),
        **{kind: counts[kind] for kind in KINDS},
        "running_trials": [each for name, each in running.items() if name in waiting],
        "failed_trials": [
            {
                "trial_id": name,
                "error": failed[name].get("error"),
                "times": failed[name]["times"],
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
    """Write a status for a person."""
    counts = ", ".join(f"{facts[kind]} {kind}" for kind in KINDS)
    found = [
        f"{facts['sweep']}: {facts['trials']} trials at {facts['budget']:,} updates: {counts}"
    ]
    for each in facts["running_trials"]:
        found.append(
            f"  {each['trial_id'][:SHOWN_DIGITS]}  {each['about']}: update "
            f"{each['update']:,}, {each['updates_per_s']:,.0f}/s"
        )
    for each in facts["failed_trials"]:
        found.append(f"  {each['trial_id'][:SHOWN_DIGITS]}  failed: {each['error']}")
    if used := told(Efficiency(**facts["used"])):
        found.append(used)
    if facts["eta_s"] is not None:
        found.append(f"at most {duration(facts['eta_s'])} left")
    return found
