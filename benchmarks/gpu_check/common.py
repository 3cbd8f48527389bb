"""What all parts use: trials, the engine, and a file of what was found."""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnlab import Trial
    from rnnlab.engines.fused_gpu import FusedGpu
    from rnnlab.state import State

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent
"""What Python runs to be one process of a part."""

VARIANTS = {"MSGD-C": 0.0, "MSGD-CR": 4.0}
LENGTHS = (100, 50, 200)
CROWDS = (264, 132, 1)
MAIN_LENGTH, MAIN_CROWD = 100, 264


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


class Found:
    """What a process has found so far: written at every change, since it may be killed."""

    def __init__(self, path: Path) -> None:
        """Begin an empty file."""
        self._path = path
        self.data: dict[str, Any] = {}
        self.keep()

    def keep(self, **found: Any) -> None:
        """Add values, and write all of them."""
        self.data |= found
        write(self._path, self.data)

    def add(self, name: str, row: Any) -> None:
        """Add a row to a list."""
        self.keep(**{name: [*self.data.get(name, []), row]})


def write(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all."""
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(data, indent=1) + "\n")
    beside.replace(path)


def trial_of(args: argparse.Namespace, **changes: Any) -> Trial:
    """Return a trial: temporal order at T = 100, or at 10 with four units if all is tiny."""
    from rnnlab import TemporalOrder, Trial

    length = changes.pop("length", MAIN_LENGTH)
    if args.tiny:
        changes = {"hidden": 4, "batch": 32, "check_every": 2} | changes
        length = 10
    return Trial(**({"task": TemporalOrder(length=length)} | changes))


def simulated() -> bool:
    """Return whether Numba simulates a card."""
    from rnnlab.engines.fused_gpu.intrinsics import SIMULATED

    return SIMULATED


def gpu() -> FusedGpu:
    """Build the engine."""
    from rnnlab.engines.fused_gpu import FusedGpu

    return FusedGpu()


def fresh_states(trials: Sequence[Trial]) -> list[State]:
    """Return the states before the first update; equal initialisations are drawn once."""
    from rnnlab.train import fresh

    return [fresh(trial) for trial in trials]


def timed(work: Callable[[], object]) -> float:
    """Call a function; return the seconds it took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def explain(error: Exception) -> str:
    """Return an error and the last line of ours on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if str(ROOT) in each.filename] or frames
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}: {error}"[
        :600
    ]
