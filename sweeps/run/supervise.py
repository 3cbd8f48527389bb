"""Start the driver, and restart it if it or its Ray was killed."""

import signal
from collections.abc import Callable
from pathlib import Path

from sweeps.exit_codes import FAILED, LOST, NOT_STARTED
from sweeps.terminal import say

STARTS = 3
"""How often Ray is started in a row: a busy machine may be slower than Ray waits."""


def supervise(start: Callable[[], int], restarts: int, again: str) -> int:
    """Run the driver until it exits by itself, and return its exit code.

    Args:
        start: Starts the driver, waits for it and returns its exit code, or −N if signal N
            killed it.
        restarts: Maximum number of restarts.
        again: The command that resumes, as the user would type it.

    Returns:
        The driver's exit code; 1 if it was killed after the last restart too.
    """
    for restart in range(restarts + 1):
        if restart:
            say(f"restarting the driver, {restart} of at most {restarts}")
        kills = out_of_memory_kills()
        code = _started(start)
        if code == NOT_STARTED:
            return FAILED
        if code >= 0 and code != LOST:
            return code
        _say_what_ended_it(code, out_of_memory_kills() - kills, again)
    return FAILED


def _started(start: Callable[[], int]) -> int:
    """Run the driver, again if its Ray has not started; return its last exit code."""
    code = start()
    for again in range(1, STARTS):
        if code != NOT_STARTED:
            break
        say(f"starting Ray again, {again} of at most {STARTS - 1}")
        code = start()
    return code


def out_of_memory_kills() -> int:
    """Return how many processes this machine has killed when out of memory since boot."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(each.split()[1]) for each in lines if each.startswith("oom_kill ")), 0)


def _say_what_ended_it(code: int, kills: int, again: str) -> None:
    if code < 0:  # a driver that lost Ray has printed a message itself
        say(
            f"the driver was killed by signal {signal.Signals(-code).name}. "
            f"Nothing committed is lost; resume with\n  {again}"
        )
    if kills:
        say(
            f"meanwhile this machine ran out of memory and killed {kills} process(es): "
            "use fewer --cpus, or smaller trials"
        )
