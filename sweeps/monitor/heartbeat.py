"""Publish the status of a run every second: on the terminal, and for `sweep status`."""

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
    """Show and write a snapshot every second; remove it at the end.

    Args:
        tracker: Tracks the status of the run.
        place: The sweep's results folder.
        shown: Shows each snapshot.
        asked: Returns whether a stop was requested.
    """
    done = threading.Event()

    def beat() -> None:
        while True:
            tracker.stopping = asked()
            snapshot = tracker.snapshot()
            with suppress(OSError, SystemExit):  # the terminal is gone
                shown.show(snapshot)
            with suppress(OSError):  # a full disk: not worth an error
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
