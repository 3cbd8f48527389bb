"""Start the driver, and start it again where it was ended from outside."""

import signal
from collections.abc import Callable
from pathlib import Path

from sweeps.exit_codes import FAILED, LOST
from sweeps.terminal import say


def supervise(start: Callable[[], int], restarts: int, again: str) -> int:
    """Run the driver until it ends with an answer of its own, and give its exit code.

    Args:
        start: Starts the driver, waits for it and gives its exit code, or −N where signal
            N ended it.
        restarts: How often to start it again.
        again: The command that goes on, as the user would type it.

    Returns:
        The driver's exit code; 1 where it was ended from outside to the last.
    """
    for restart in range(restarts + 1):
        if restart:
            say(f"starting the driver again, {restart} of at most {restarts} times")
        kills = out_of_memory_kills()
        code = start()
        if code >= 0 and code != LOST:
            return code
        _say_what_ended_it(code, out_of_memory_kills() - kills, again)
    return FAILED


def out_of_memory_kills() -> int:
    """Count what this machine has killed for want of memory since it was started."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(each.split()[1]) for each in lines if each.startswith("oom_kill ")), 0)


def _say_what_ended_it(code: int, kills: int, again: str) -> None:
    if code < 0:  # what a lost Ray means, the driver has said itself
        say(
            f"the driver was ended by signal {signal.Signals(-code).name}. "
            f"Nothing committed is lost; go on with\n  {again}"
        )
    if kills:
        say(
            f"meanwhile this machine killed {kills} process(es) for want of memory: "
            "fewer --cpus, or smaller trials, need less"
        )
