"""Run the `sweep` command as a user does: a process, in a folder, on a file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SWEEP = Path(sys.executable).with_name("sweep")
URGENT = {"RAY_worker_niceness": "0"}
"""Ray's workers have niceness 15 otherwise: 1/28 of the time of a process beside them."""

EXPERIMENT = '''"""Does a small network get anywhere in {budget} updates?"""

from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

sweep = Sweep(
    name="small",
    budget={budget},
    quick_budget=200,
    trials=[
        Trial(
            task=TemporalOrder(length={length}),
            hidden={hidden},
            check_every=200,
            seed=seed,
            lr=lr,
        )
        for lr in {rates}
        for seed in range({seeds})
    ],
)
'''

WALKS = '''"""Where does a walk end?"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.spec.sweep import Sweep

SLOW = Path(__file__).with_name("slow")


@dataclass(frozen=True, kw_only=True)
class Walk:
    seed: int
    check_every: int = 20
    numerics = "walk 1"

    def start(self, device):
        generator = np.random.default_rng(self.seed)
        return {{"generator": generator, "x": generator.standard_normal(4)}}

    def advance(self, state, updates):
        for _ in range(updates):
            state["x"] -= 0.1 * (state["x"] + state["generator"].standard_normal(4))
            if SLOW.exists():
                time.sleep(0.02)
        return state

    def check(self, state):
        return {{"distance": float(np.linalg.norm(state["x"]))}}


sweep = Sweep(
    name="small", budget={budget}, trials=[Walk(seed=seed) for seed in range({seeds})]
)
'''


@dataclass(frozen=True)
class Folder:
    """A folder with an experiment file, in which commands are typed."""

    path: Path

    @property
    def results(self) -> Path:
        return self.path / "results" / "small"

    @property
    def table(self) -> Path:
        return self.results / "table.parquet"

    @property
    def slow(self) -> Path:
        """While this file is there, walks take 0.02 s an update, and no core."""
        return self.path / "slow"

    def sweep(
        self,
        *words: str,
        timeout_s: float | None = 600,
        keep: tuple[str, ...] = (),
        more: dict[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Type a command and wait for it."""
        return subprocess.run(
            [str(SWEEP), *words],
            cwd=self.path,
            env=_environment(keep) | (more or {}),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, *words: str, keep: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        """Type a command and go on while it runs, in a session of its own."""
        return subprocess.Popen(
            [str(SWEEP), *words],
            cwd=self.path,
            env=_environment(keep),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def write_experiment(
    folder: Path,
    *,
    budget: int = 1000,
    seeds: int = 2,
    rates: tuple[float, ...] = (0.01, 1e38),
    slow: bool = False,
) -> Folder:
    """Write a small experiment into a new folder.

    Its trials train in no time, or where they are `slow` at some 4,000 updates a second.
    """
    folder.mkdir(parents=True, exist_ok=True)
    length, hidden = (100, 64) if slow else (10, 8)
    text = EXPERIMENT.format(
        budget=budget, seeds=seeds, rates=rates, length=length, hidden=hidden
    )
    (folder / "small.py").write_text(text)
    return Folder(folder)


def write_walks(folder: Path, *, budget: int = 4000, seeds: int = 4) -> Folder:
    """Write an experiment of walks, which end when the test wants it.

    They do not end while the file `slow` is there (for minutes), and do soon without it. So
    no test waits for training, nor has to be quick to disturb it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.py").write_text(WALKS.format(budget=budget, seeds=seeds))
    made = Folder(folder)
    made.slow.touch()
    return made


def wait_until(condition: Callable[[], bool], timeout_s: float = 600) -> None:
    """Wait until something holds; the limit is for what never comes, not for slow machines."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    done = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in done.stdout.split()]


def cmdline(pid: int) -> str:
    """Return the arguments of a process; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def driver_of(pid: int) -> int:
    """Wait for the driver of a `sweep run`, and give it."""

    def drivers() -> list[int]:
        return [each for each in children(pid) if "sweeps.run.driver" in cmdline(each)]

    wait_until(lambda: bool(drivers()))
    (driver,) = drivers()
    return driver


def _environment(keep: tuple[str, ...] = ()) -> dict[str, str]:
    """Remove Ray's variables except those named, so that no test joins another's Ray.

    And let its workers be as urgent as all else: beside other work they would hardly run.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") or name in keep
    }
    return {**kept, **URGENT, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
