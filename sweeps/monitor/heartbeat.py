"""Show where a run stands, every second: on the terminal, and to `sweep status` elsewhere."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from sweeps.monitor.display import Display
from sweeps.monitor.snapshot import drop_snapshot, write_snapshot
from sweeps.monitor.tracker import Tracker
from sweeps.storage.place import Place

HEARTBEAT_S = 1.0
"""Seconds between two snapshots."""


@contextmanager
def heartbeat(
    tracker: Tracker, place: Place, shown: Display, asked: Callable[[], bool]
) -> Generator[None]:
    """Show and write a snapshot every second, and drop it at the end.

    Args:
        tracker: Knows where the run stands.
        place: The sweep's results folder.
        shown: Shows each snapshot.
        asked: Whether the run has been asked to stop.
    """
    done = threading.Event()

    def beat() -> None:
        while True:
            tracker.stopping = asked()
            snapshot = tracker.snapshot()
            with suppress(OSError, SystemExit):  # nobody looks any more
                shown.show(snapshot)
            with suppress(OSError):  # worth nothing where the disk is full
                write_snapshot(snapshot, place)
            if done.wait(HEARTBEAT_S):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with suppress(OSError, SystemExit):
            shown.show(tracker.snapshot())
        drop_snapshot(place)
