"""A made-up run in progress, for tests."""

import os
import socket

from small import trial

from sweeps.monitor.snapshot import Snapshot
from sweeps.monitor.tracker import Tracker
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.worker.progress import Progress

TRIALS = [trial(0), trial(1), trial(2)]


def tracker() -> Tracker:
    """A tracker of three trials in packs of two."""
    work = plan(TRIALS, {}, 100)
    return Tracker(work, packs(work, 2), "small", cpus=2)


def snapshot_of(number: int) -> Snapshot:
    """A snapshot of a run whose pack `number` has reported once."""
    found = tracker()
    name = found.packs[number - 1].trials[0].trial_id
    found.report(number, Progress(name, 10, "error_rate", 0.5, made=10))
    snapshot = found.snapshot()
    assert (snapshot.pid, snapshot.host) == (os.getpid(), socket.gethostname())
    return snapshot
