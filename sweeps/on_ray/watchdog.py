"""Notice that Ray has gone: Ray itself waits for a minute, or for ever.

Two lines of defence. The processes that Ray cannot do without are looked at, where this
process has started them: their end is seen at once. And Ray is asked whether it still
counts this machine in: a refusal, or silence, is the end too. What then happens is the
caller's to say; the thread that waits for Ray may never hear of it.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import psutil

from cluster.processes import Offspring, alive

VITAL = {"raylet": "raylet", "gcs_server": "global control store (gcs_server)"}
"""What a Ray of our own ends with, by the name of the program."""
TICK_S = 0.2
LOOK_EVERY_S = 5.0
ASK_EVERY_S = 2.0
START_S = 120.0
"""How long Ray may take to start, or to let this process join."""
SILENT_S = 40.0
"""How long Ray may leave a question without an answer; by itself it gives up after 60."""
SHUTDOWN_S = 30.0
"""How long Ray may take to end."""


class Watchdog:
    """Watches a Ray from before its start until after its end."""

    def __init__(self, offspring: Offspring, lost: Callable[[str], None]) -> None:
        """Watch on behalf of this process.

        Args:
            offspring: Told of every process that Ray starts.
            lost: Called once, with what happened, in whichever thread saw it.
        """
        self._offspring, self._lost = offspring, lost
        self._vital: dict[psutil.Process, str] = {}
        self._stopping = False
        self._looking = threading.Lock()
        self._done = threading.Event()
        self._asker: threading.Thread | None = None
        self._no_more_questions = threading.Event()
        self._telling = threading.Lock()
        self._expect("Ray has not started within {:g} s", START_S)

    def running(self, ask: Callable[[], bool], silent_s: float = SILENT_S) -> None:
        """Ray has started: from now on, ask it.

        Args:
            ask: Asks Ray whether it still counts this machine in. May never return.
            silent_s: How long it may leave that without an answer.
        """
        self.look()
        self._expect("Ray has not answered for {:g} s", silent_s)
        self._asker = threading.Thread(target=self._go_on_asking, args=(ask,), daemon=True)
        self._asker.start()

    def depend_on(self, pid: int | None, what: str) -> None:
        """Watch a process that is not a child of this one, if there is one of that id."""
        with suppress(psutil.NoSuchProcess):
            if pid:
                self._vital.setdefault(psutil.Process(pid), what)

    def stopping(self) -> None:
        """Ray is about to be shut down: its processes may end from now on."""
        self._no_more_questions.set()
        if self._asker is not None:
            self._asker.join()
        self.require_vital()
        with self._looking:
            self._stopping = True
            self._vital.clear()
        self._expect("Ray has not shut down within {:g} s", SHUTDOWN_S)

    def require_vital(self) -> None:
        """Look whether all of Ray's own processes still run."""
        for process, what in list(self._vital.items()):
            if not alive(process):
                self._tell(f"Ray's {what}, process {process.pid}, has ended")

    def look(self) -> None:
        """Take in the processes there are; those that Ray started itself may be vital."""
        with self._looking:
            self._offspring.look()
            # Of these, also one that has ended already and waits to be reaped.
            for each in set(psutil.Process().children()) - set(self._vital):
                with suppress(psutil.NoSuchProcess):
                    if not self._stopping and (what := VITAL.get(each.name())):
                        self._vital[each] = what

    def watch(self) -> None:
        """Watch until told that it is over."""
        looked_at = before = time.monotonic()
        while not self._done.wait(TICK_S):
            now = time.monotonic()
            # Time in which this process was frozen is nobody's silence.
            self._silent_s += min(now - before, 2 * TICK_S)
            before = now
            self.require_vital()
            if self._silent_s > self._limit_s:
                self._tell(self._complaint.format(self._limit_s))
            if self._asker is None or now - looked_at > LOOK_EVERY_S:
                self.look()
                looked_at = now

    def end(self) -> None:
        """Watch no longer."""
        self._no_more_questions.set()
        self._done.set()

    def _expect(self, complaint: str, limit_s: float) -> None:
        self._complaint, self._limit_s, self._silent_s = complaint, limit_s, 0.0

    def _go_on_asking(self, ask: Callable[[], bool]) -> None:
        while not self._no_more_questions.wait(ASK_EVERY_S):
            with suppress(Exception):  # whatever it is, it is no answer
                if not ask():
                    self._tell("Ray counts this machine's node as dead")
                self._silent_s = 0.0

    def _tell(self, what: str) -> None:
        with self._telling:
            if not self._done.is_set():
                self._done.set()
                self._lost(what)


@contextmanager
def watchdog(offspring: Offspring, lost: Callable[[str], None]) -> Generator[Watchdog]:
    """Give a watchdog that watches in a thread of its own.

    Args:
        offspring: Told of every process that Ray starts.
        lost: Called once where Ray has gone, with what happened; it does not return.
    """
    watch = Watchdog(offspring, lost)
    thread = threading.Thread(target=watch.watch, daemon=True)
    thread.start()
    try:
        yield watch
    except Exception:
        watch.look()  # Ray may have let no other thread run while it waited
        watch.require_vital()
        raise
    finally:
        watch.end()
        thread.join()
