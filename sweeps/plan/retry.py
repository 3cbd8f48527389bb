"""Failed trials are retried by the next run, a limited number of times."""

import dataclasses

from sweeps.plan.plan import Plan, plan_of
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import failed_trials
from sweeps.store.trial_id import SHOWN_DIGITS, id_of


def plan_to_run(chosen: Chosen, max_failures: int) -> Plan:
    """Plan a run without the trials that have failed too often.

    Args:
        chosen: The trials, their budget and their results.
        max_failures: Number of failed attempts after which a trial is skipped.
    """
    work = plan_of(chosen)
    failed = failed_trials(chosen.place / "attempts")
    exhausted = {name for name, each in failed.items() if each.times >= max_failures}
    return dataclasses.replace(
        work,
        to_run=[trial for trial in work.to_run if id_of(trial) not in exhausted],
        given_up=[trial for trial in work.to_run if id_of(trial) in exhausted],
        failed=frozenset(failed) - exhausted,
    )


def left_out(work: Plan, max_failures: int) -> list[str]:
    """Return a message on the skipped trials, and how to retry them."""
    if not work.given_up:
        return []
    names = ", ".join(id_of(trial)[:SHOWN_DIGITS] for trial in work.given_up[:3])
    more = ", …" if len(work.given_up) > 3 else ""
    return [
        f"{len(work.given_up)} trials have failed {max_failures} times and are skipped "
        f"({names}{more}): `sweep show ID` shows why, --max-failures {max_failures + 1} "
        "retries them once"
    ]
