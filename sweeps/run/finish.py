"""The end of a run: derive the table, print a summary, return the exit code."""

from sweeps.exit_codes import FAILED
from sweeps.monitor.efficiency import Efficiency, summary
from sweeps.monitor.status import KINDS, status
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import restarted_trials
from sweeps.store.trial_id import SHOWN_DIGITS
from sweeps.terminal import say, sweep_command


def finish(chosen: Chosen) -> int:
    """Derive the table from the parts and summarise it on stderr.

    Returns:
        0 if every chosen trial has a result, 1 if some failed or are missing.
    """
    store = chosen.store
    path = store.compact()
    facts = status(chosen)
    again = restarted_trials(store.attempts)
    if again:
        say(
            f"{len(again)} trials restarted from update 0, first {again[0][:SHOWN_DIGITS]}: "
            "their checkpoints were damaged or made by other numerics; see `sweep show ID`"
        )
    shown = ", ".join(f"{facts[kind]} {kind}" for kind in KINDS if facts[kind])
    if used := summary(Efficiency(**facts["used"])):
        say(used)
    missing = facts["failed"] + facts["waiting"] + facts["running"]
    if not missing:
        say(f"all {facts['trials']} trials have a result: {shown}; table in {path}")
        if chosen.experiment.draw is not None:
            say(f"draw it: {sweep_command('draw', *chosen.selection.argv())}")
        return 0
    say(f"{facts['trials']} trials: {shown}; table in {path}")
    for each in facts["failed_trials"]:
        say(f"trial {each['trial_id'][:SHOWN_DIGITS]} failed: {each['error']}")
    if facts["failed_trials"]:
        say(
            f"tracebacks are in {store.attempts.address}; the next run retries these trials, "
            "except those that reached --max-failures"
        )
    return FAILED
