"""`sweep run`: print the plan, submit the driver to the local backend, wait for it."""

import os
import signal
import sys
import time
from functools import partial

from rich.console import Console

from cluster import Command, Job, Resources
from cluster.local import LocalBackend
from sweeps.exit_codes import INTERRUPTED
from sweeps.monitor.snapshot import read_snapshot
from sweeps.plan.forecast import compared, forecast, plan_line
from sweeps.plan.retry import plan_to_run, told
from sweeps.run.finish import finish
from sweeps.run.supervise import supervise
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.store.store import Store
from sweeps.terminal import say, sweep_command

STOPPING_S = 20.0
"""How long a clean stop may take before the driver is killed."""


def launch(selection: Selection, options: RunOptions) -> int:
    """Run the driver as a process of its own and give the exit code.

    A driver that is killed cannot take the caller's terminal with it, and one whose
    caller is killed stops by itself.

    Raises:
        SweepError: If the selection cannot be run; nothing has been written then.
    """
    options.require_possible()
    chosen = resolve(selection)
    for line in Store(chosen.place).mend():
        say(line)
    work = plan_to_run(chosen, options.max_failures)
    if work.to_run:
        Store(chosen.place).create()
    predicted = forecast(chosen, work, options, measure_if_long=True)
    say(plan_line(chosen, work, predicted))
    for line in told(work, options.max_failures):
        say(line)
    _say_who_else_runs(chosen)
    if work.to_run:
        again = sweep_command("run", *selection.argv(), *options.argv())
        began_at = time.monotonic()
        start = partial(_drive, selection, options, again)
        code = supervise(start, options.max_restarts, again)
        if predicted and code == 0:
            say(compared(predicted, time.monotonic() - began_at))
        return code
    say("nothing to train")
    return finish(chosen)


def _say_who_else_runs(chosen: Chosen) -> None:
    other = read_snapshot(chosen.place)
    if other is not None:
        say(
            f"process {other['pid']} on {other['host']} is training in this folder too. "
            "That is safe: a result is kept once. But trials may be trained twice; "
            "see `sweep status`"
        )


def _drive(selection: Selection, options: RunOptions, again: str) -> int:
    try:
        return _wait(_submit(selection, options), again)
    finally:
        Console(stderr=True).show_cursor()  # a driver that was killed has left it hidden


def _submit(selection: Selection, options: RunOptions) -> Job:
    argv = (sys.executable, "-m", "sweeps.run.driver", *selection.argv(), *options.argv())
    # The driver's own computing is light; its workers are told their threads by Ray.
    command = Command(argv=argv, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    return LocalBackend().submit(command, Resources(cpus=1))


def _wait(job: Job, again: str) -> int:
    """Wait for the driver; the first Ctrl-C stops it cleanly, the second kills it."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # nohup asks not to listen
            signal.signal(each, signal.default_int_handler)
    try:
        return job.wait() or 0
    except KeyboardInterrupt:
        job.interrupt()
        return _wait_for_stop(job, again)


def _wait_for_stop(job: Job, again: str) -> int:
    code = None
    try:
        code = job.wait(STOPPING_S)
    except KeyboardInterrupt:
        say("killing the driver")
    if code is None:
        job.kill()
    lost = "Nothing is lost" if code == INTERRUPTED else "Nothing committed is lost"
    say(f"stopped. {lost}; go on with\n  {again}")
    return INTERRUPTED
