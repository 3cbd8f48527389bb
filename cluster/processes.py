"""Find processes and kill them reliably.

A process is identified by its id and start time: psutil compares both before it sends a
signal, so a later process with the same id is never killed. Names are not used.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

KILL_WITHIN_S = 5.0
"""How long to keep killing before giving up on processes that do not end."""
_LOOK_AGAIN_S = 0.02
_PR_SET_CHILD_SUBREAPER = 36


def alive(process: psutil.Process) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_session(leader: int) -> set[psutil.Process]:
    """Return the running processes of a session, including the leader.

    Args:
        leader: The id of the process that started the session. It must not have been
            reaped: until then its id cannot be reused.
    """
    found: set[psutil.Process] = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader:
                found.add(psutil.Process(pid))
    return {each for each in found if alive(each)}


def end(find: Callable[[], Iterable[psutil.Process]]) -> None:
    """Send SIGKILL to the processes that `find` returns, until it returns none.

    `find` is called repeatedly: processes may start others while they are being killed.
    """
    deadline = time.monotonic() + KILL_WITHIN_S
    while (found := list(find())) and time.monotonic() < deadline:
        for each in found:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                each.kill()
        time.sleep(_LOOK_AGAIN_S)


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process; on Linux only.

    Otherwise they would become children of the init process, and their origin would be
    lost.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Offspring:
    """The descendants of this process.

    Without `adopt_orphans`, a process whose parent has died is found only if it was seen
    before, or belongs to a session that this process started.
    """

    def __init__(self) -> None:
        """Start with no process seen."""
        self._seen: set[psutil.Process] = set()

    def look(self) -> set[psutil.Process]:
        """Look for new descendants; return all that are running."""
        me = psutil.Process()
        found = self._seen | set(me.children(recursive=True))
        if os.getsid(0) == me.pid:
            found |= of_session(me.pid)
        self._seen = {each for each in found if each != me and alive(each)}
        return self._seen

    def end(self) -> None:
        """Kill all descendants, and nothing else."""
        end(self.look)
