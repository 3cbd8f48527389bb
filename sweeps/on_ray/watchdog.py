"""Detect that Ray has died: Ray itself waits for a minute, or for ever.

There are two checks. Ray's essential processes are watched, if this process started them:
their end is seen at once. And Ray is asked whether this machine's node is alive: "no", or
no answer, counts as dead too. The caller decides what happens then; the thread that waits
for Ray may never return.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import psutil

from cluster.processes import Offspring, alive

VITAL = {"raylet": "raylet", "gcs_server": "global control store (gcs_server)"}
"""Processes that Ray cannot run without, by program name."""
TICK_S = 0.2
LOOK_EVERY_S = 5.0
ASK_EVERY_S = 2.0
START_S = 120.0
"""How long Ray may take to start, or to let this process join."""
SILENT_S = 40.0
"""How long Ray may take to answer a question; Ray itself gives up after 60."""
SHUTDOWN_S = 30.0
"""How long Ray may take to end."""


class Watchdog:
    """Watches a Ray from before its start until after its end."""

    def __init__(self, offspring: Offspring, lost: Callable[[str], None]) -> None:
        """Watch for this process.

        Args:
            offspring: Records every process that Ray starts.
            lost: Called once with the cause, in the thread that detected it.
        """
        self._offspring, self._lost = offspring, lost
        self._vital: dict[psutil.Process, str] = {}
        self._stopping = False
        self._looking = threading.Lock()
        self._done = threading.Event()
        self._asker: threading.Thread | None = None
        self._no_more_questions = threading.Event()
        self._reporting = threading.Lock()
        self._expect("Ray has not started within {:g} s", START_S)

    def running(self, ask: Callable[[], bool], silent_s: float = SILENT_S) -> None:
        """Start asking Ray, which has started.

        Args:
            ask: Asks Ray whether this machine's node is alive. May never return.
            silent_s: How long Ray may take to answer.
        """
        self.look()
        self._expect("Ray has not answered for {:g} s", silent_s)
        self._asker = threading.Thread(target=self._go_on_asking, args=(ask,), daemon=True)
        self._asker.start()

    def depend_on(self, pid: int | None, what: str) -> None:
        """Also watch a process that is not a child of this one, if the id exists."""
        with suppress(psutil.NoSuchProcess):
            if pid:
                self._vital.setdefault(psutil.Process(pid), what)

    def stopping(self) -> None:
        """Prepare for Ray's shutdown: its processes may end from now on."""
        self._no_more_questions.set()
        if self._asker is not None:
            self._asker.join()
        self.require_vital()
        with self._looking:
            self._stopping = True
            self._vital.clear()
        self._expect("Ray has not shut down within {:g} s", SHUTDOWN_S)

    def require_vital(self) -> None:
        """Report if one of Ray's essential processes has ended."""
        for process, what in list(self._vital.items()):
            if not alive(process):
                self._report(f"Ray's {what}, process {process.pid}, has ended")

    def look(self) -> None:
        """Record the processes that exist now, and which of them Ray cannot run without."""
        with self._looking:
            self._offspring.look()
            # This includes zombies: processes that have ended but are not reaped yet.
            for each in set(psutil.Process().children()) - set(self._vital):
                with suppress(psutil.NoSuchProcess):
                    if not self._stopping and (what := VITAL.get(each.name())):
                        self._vital[each] = what

    def watch(self) -> None:
        """Watch until `end` is called or Ray has died."""
        looked_at = before = time.monotonic()
        while not self._done.wait(TICK_S):
            now = time.monotonic()
            # Time while this process was suspended is ignored.
            self._silent_s += min(now - before, 2 * TICK_S)
            before = now
            self.require_vital()
            if self._silent_s > self._limit_s:
                self._report(self._complaint.format(self._limit_s))
            if self._asker is None or now - looked_at > LOOK_EVERY_S:
                self.look()
                looked_at = now

    def end(self) -> None:
        """Stop watching."""
        self._no_more_questions.set()
        self._done.set()

    def _expect(self, complaint: str, limit_s: float) -> None:
        self._complaint, self._limit_s, self._silent_s = complaint, limit_s, 0.0

    def _go_on_asking(self, ask: Callable[[], bool]) -> None:
        while not self._no_more_questions.wait(ASK_EVERY_S):
            with suppress(Exception):  # any exception counts as no answer
                if not ask():
                    self._report("Ray reports this machine's node as dead")
                self._silent_s = 0.0

    def _report(self, cause: str) -> None:
        with self._reporting:
            if not self._done.is_set():
                self._done.set()
                self._lost(cause)


@contextmanager
def watchdog(offspring: Offspring, lost: Callable[[str], None]) -> Generator[Watchdog]:
    """Run a watchdog in its own thread.

    Args:
        offspring: Records every process that Ray starts.
        lost: Called once with the cause, if Ray has died; it does not return.
    """
    watch = Watchdog(offspring, lost)
    thread = threading.Thread(target=watch.watch, daemon=True)
    thread.start()
    try:
        yield watch
    except Exception:
        watch.look()  # Ray may have blocked all other threads while it waited
        watch.require_vital()
        raise
    finally:
        watch.end()
        thread.join()
