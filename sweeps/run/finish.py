"""The end of a run: derive the table, say what was found, give the exit code."""

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
        0 where every chosen trial has a result, 1 where some failed or are missing.
    """
    store = chosen.store
    path = store.compact()
    facts = status(chosen)
    again = restarted_trials(store.attempts)
    if again:
        say(
            f"{len(again)} trials started again from their first update, first "
            f"{again[0][:SHOWN_DIGITS]}: their checkpoints were damaged or made by other "
            "numerics; `sweep show` tells more"
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
            f"tracebacks are in {store.attempts.address}; the next run tries these again, "
            "but for those that have failed --max-failures times"
        )
    return FAILED
