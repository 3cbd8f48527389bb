"""Find processes and end them for certain.

A process is known by its id and by when it began: psutil compares both before it sends a
signal, so one that came to the id of another later is never ended. Names decide nothing.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

KILL_WITHIN_S = 5.0
"""How long to go on ending what is found, before what cannot be ended is left."""
_LOOK_AGAIN_S = 0.02
_PR_SET_CHILD_SUBREAPER = 36


def alive(process: psutil.Process) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_session(leader: int) -> set[psutil.Process]:
    """Give the processes of a session that run, the leader among them.

    Args:
        leader: The id of the process that began the session. It must not have been reaped:
            until then its id is nobody else's.
    """
    found: set[psutil.Process] = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader:
                found.add(psutil.Process(pid))
    return {each for each in found if alive(each)}


def end(find: Callable[[], Iterable[psutil.Process]]) -> None:
    """Send SIGKILL to what `find` gives, until it gives nothing.

    Asked again and again: what is being ended may be starting others.
    """
    deadline = time.monotonic() + KILL_WITHIN_S
    while (found := list(find())) and time.monotonic() < deadline:
        for each in found:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                each.kill()
        time.sleep(_LOOK_AGAIN_S)


def adopt_orphans() -> None:
    """Let descendants whose parent ends become children of this process; on Linux only.

    Else they would be children of the system's first process, and nobody could tell whose
    they had been.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Offspring:
    """What this process has started, and what that has started in turn.

    Without `adopt_orphans`, one whose parent has gone is known where it was seen before,
    or shares a session that this process began.
    """

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._seen: set[psutil.Process] = set()

    def look(self) -> set[psutil.Process]:
        """Look for new ones, and give all that run."""
        me = psutil.Process()
        found = self._seen | set(me.children(recursive=True))
        if os.getsid(0) == me.pid:
            found |= of_session(me.pid)
        self._seen = {each for each in found if each != me and alive(each)}
        return self._seen

    def end(self) -> None:
        """End them all, and nothing else."""
        end(self.look)
