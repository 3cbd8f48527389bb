"""Failed trials are tried again by the next run, but not for ever."""

import dataclasses

from sweeps.plan.plan import Plan, plan_of
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import failed_trials
from sweeps.store.trial_id import SHOWN_DIGITS, id_of


def plan_to_run(chosen: Chosen, max_failures: int) -> Plan:
    """Plan what a run tries: not the trials that have failed too often.

    Args:
        chosen: The trials, their budget and their results.
        max_failures: How many attempts at a trial may fail.
    """
    work = plan_of(chosen)
    failed = failed_trials(chosen.place / "attempts")
    worn = {name for name, each in failed.items() if each.times >= max_failures}
    return dataclasses.replace(
        work,
        to_run=[trial for trial in work.to_run if id_of(trial) not in worn],
        given_up=[trial for trial in work.to_run if id_of(trial) in worn],
        failed=frozenset(failed) - worn,
    )


def left_out(work: Plan, max_failures: int) -> list[str]:
    """Say which trials are not run, and how to try them once more."""
    if not work.given_up:
        return []
    names = ", ".join(id_of(trial)[:SHOWN_DIGITS] for trial in work.given_up[:3])
    more = ", …" if len(work.given_up) > 3 else ""
    return [
        f"{len(work.given_up)} trials have failed {max_failures} times and are left out "
        f"({names}{more}): `sweep show ID` tells why, --max-failures {max_failures + 1} "
        "tries them once more"
    ]
