"""`sweep run`: start the driver as a separate process, and wait for it."""

import signal
import sys
from functools import partial

from rich.console import Console

from cluster import Command, Job, Resources
from cluster.local import LocalBackend
from sweeps.environment import for_children
from sweeps.exit_codes import INTERRUPTED
from sweeps.run.supervise import supervise
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Selection
from sweeps.terminal import say, sweep_command

STOPPING_S = 20.0
"""Timeout of a clean stop; the driver is killed after it."""


def launch(selection: Selection, options: RunOptions) -> int:
    """Run the driver and return the exit code.

    A killed driver does not affect the caller's terminal, and a driver whose caller is
    killed stops by itself.

    Raises:
        SweepError: If an option cannot be used.
    """
    options.require_possible()
    again = sweep_command("run", *selection.argv(), *options.argv())
    start = partial(_drive, selection, options, again)
    return supervise(start, options.max_restarts, again)


def _drive(selection: Selection, options: RunOptions, again: str) -> int:
    try:
        return _wait(_submit(selection, options), again)
    finally:
        Console(stderr=True).show_cursor()  # a killed driver leaves it hidden


def _submit(selection: Selection, options: RunOptions) -> Job:
    argv = (sys.executable, "-m", "sweeps.run.driver", *selection.argv(), *options.argv())
    # The driver computes little; its workers get their number of threads from Ray.
    command = Command(argv=argv, env=for_children())
    return LocalBackend().submit(command, Resources(cpus=1))


def _wait(job: Job, again: str) -> int:
    """Wait for the driver; the first Ctrl-C stops it cleanly, the second kills it."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # nohup ignores it
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
    say(f"stopped. {lost}; resume with\n  {again}")
    return INTERRUPTED
