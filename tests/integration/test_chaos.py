"""kill -9 at random moments: the table is that of an undisturbed run, and nothing committed
is trained again.

Three kills in the usual run of the tests; `make chaos` makes a hundred. The seed is printed,
and CHAOS_SEED replays its choices (not the machine's timing).
"""

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from commands import Folder, wait_until, write_experiment

from sweeps.storage.folder import Folder as Place
from sweeps.store.attempts import read_events
from sweeps.store.events import Started
from sweeps.store.store import Store

KILLS = int(os.environ.get("CHAOS_KILLS", "3"))
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
VICTIMS = ("driver", "worker", "raylet", "gcs_server", "sweep run")
DELAY_S = 9.0
"""A kill comes within so many seconds of the one before: starting Ray takes about five."""

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600 + 300 * KILLS)]


SEEDS = 10 if KILLS > 10 else 3
"""Seeds of each learning rate: trials enough to be at work still at the last of few kills."""


def experiment(path: Path) -> Folder:
    """Trials of some seconds each that nothing solves, two a seed, and one that diverges."""
    return write_experiment(
        path, budget=8000, seeds=SEEDS, rates=(1e-4, 2e-4, 1e38), slow=True
    )


class Watched:
    """A sweep in a folder: what has been committed, and how often trials were started."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.store = Store(Place(folder.results))
        self.committed: set[str] = set()
        self.started: Counter[str] = Counter()

    def look(self) -> None:
        """Hold the law: what was committed at the last look has not been started since."""
        committed = set(self.store.standings())
        found = read_events(self.store.attempts)
        started = Counter(e.trial_id for e in found if isinstance(e, Started))
        twice = {n for n in self.committed if started[n] > self.started[n]}
        assert not twice, f"trained again after it was committed: {twice}"
        assert committed >= self.committed
        self.committed, self.started = committed, started


def say(text: str) -> None:
    """Write into the report of the test."""
    sys.stdout.write(text + "\n")


def family(pid: int) -> dict[str, list[psutil.Process]]:
    """Give a run's processes by what they are."""
    try:
        parent = psutil.Process(pid)
        found = {"sweep run": [parent]}
        for each in parent.children(recursive=True):
            found.setdefault(_kind(each), []).append(each)
    except psutil.NoSuchProcess:
        return {}
    return found


def _kind(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return "gone"
    if "sweeps.run.driver" in words:
        return "driver"
    if words and words[0].startswith("ray::"):
        return "worker"
    return Path(words[0]).name if words else "gone"


def test_a_series_of_kills_changes_no_byte_and_repeats_nothing_committed(
    tmp_path: Path,
) -> None:
    say(f"CHAOS_SEED={SEED} CHAOS_KILLS={KILLS}")
    rng = random.Random(SEED)
    whole = experiment(tmp_path / "undisturbed")
    assert whole.sweep("run", "small.py", "--in-process").returncode == 0
    killed: Counter[str] = Counter()
    series = 0
    while killed.total() < KILLS:
        series += 1
        watched = Watched(experiment(tmp_path / f"series {series}"))
        while killed.total() < KILLS and not watched.folder.table.exists():
            killed += disturbed_run(watched, rng, KILLS - killed.total())
        done = watched.folder.sweep("run", "small.py", "--in-process", timeout_s=None)
        assert done.returncode == 0, done.stderr
        watched.look()
        assert len(watched.committed) == 3 * SEEDS
        assert watched.folder.table.read_bytes() == whole.table.read_bytes()
    say(f"{series} series; killed: {dict(killed)}")
    assert killed.total() >= KILLS


def disturbed_run(watched: Watched, rng: random.Random, left: int) -> Counter[str]:
    """Start a run and kill something of it, until that ends it; say what was killed."""
    killed: Counter[str] = Counter()
    run = watched.folder.start("run", "small.py", "--no-dashboard")
    members: set[psutil.Process] = set()
    while killed.total() < left:
        time.sleep(rng.uniform(0, DELAY_S))
        kin = family(run.pid)
        members |= {each for kind in kin.values() for each in kind}
        if run.poll() is not None or not kin:
            break
        watched.look()
        kind = rng.choice(VICTIMS)
        if kind not in kin:
            continue
        victim = rng.choice(kin[kind])
        victim.kill()
        killed[kind] += 1
        if kind != "worker":
            break
    said, _ = run.communicate(timeout=300)
    code = run.returncode
    assert code in (0, 1, -9), said
    assert code == 0 or "Traceback" not in said, said
    wait_until(lambda: not any(alive(each) for each in members), timeout_s=30)
    return killed


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
