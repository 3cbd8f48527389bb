"""Show where a run stands, every second: on the terminal, and to `sweep status` elsewhere."""

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from sweeps.display import Display
from sweeps.places import Place
from sweeps.stop import Stop
from sweeps.tracker import HEARTBEAT_S, Tracker, drop_snapshot, write_snapshot


@contextmanager
def heartbeat(
    tracker: Tracker, place: Place, shown: Display, stop: Stop
) -> Generator[None]:
    """Show and write a snapshot now and then, and drop it at the end."""
    done = threading.Event()

    def beat() -> None:
        while True:
            tracker.stopping = stop.asked
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
