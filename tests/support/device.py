"""A pretended device that trains four trials at once, and the same trials one after another."""

import copy
import os
import sys
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.spec.trainer import Check, State
from sweeps.spec.trial_type import Resources
from sweeps.store.standing import Outcome

SLOTS = 4


@dataclass(frozen=True, kw_only=True)
class Walker:
    """A point that wanders towards 0; a long one takes longer for an update."""

    seed: int = 0
    length: int = 1
    noise: float = 0.5
    solved_below: float = 0.0
    fate: str = ""
    check_every: int = 10

    @staticmethod
    def describe_trials() -> "Walkers":
        return Walkers()


@dataclass(frozen=True)
class Walkers:
    """Walkers on a core, or four at once on a GPU."""

    engines = ("core", "gpu")
    result_columns = None
    check_columns = None
    always_written = frozenset[str]()
    headline = None

    def cost(self, trial: Walker) -> float:
        return trial.length

    def shape(self, trial: Walker) -> Hashable:
        return trial.length

    def assumed_s(self, engine: str | None) -> float:
        return 1e-5

    def resources(self, trial: Walker, engine: str | None, device: str | None) -> Resources:
        if engine == "core":
            return Resources()
        return Resources(1, 1, SLOTS, "cuda")

    def refuses(self, trial: Walker, engine: str | None) -> str | None:
        return None

    def caches(self) -> Mapping[str, Path]:
        return {}

    def trainer(self, engine: str | None, device: str) -> "WalkTrainer":
        return WalkTrainer(1 if engine == "core" else SLOTS, device)


@dataclass
class WalkTrainer:
    """Trains walkers; notes each call of many."""

    slots: int = SLOTS
    device: str = "cpu"
    engine = "walk"
    in_place = False
    calls: list[list[tuple[int, int, int]]] = field(
        default_factory=list[list[tuple[int, int, int]]]
    )
    """Seeds, updates made before, and updates asked for, of each call."""
    broken: bool = False
    """As a device that has been lost."""

    def numerics_id(self, trial: Walker) -> str:
        return "walk-1"

    def start(self, trial: Walker) -> State:
        if trial.fate == "cannot start":
            raise RuntimeError("no way to begin")
        generator = np.random.Generator(np.random.PCG64(trial.seed))
        return {"generator": generator, "x": generator.standard_normal(4)}

    def advance(
        self, trial: Walker, state: State, update: int, updates: int
    ) -> tuple[State, int, bool]:
        if self.broken:
            raise RuntimeError("the device is lost")
        state = copy.deepcopy(state)
        for made in range(1, updates + 1):
            step = state["x"] + trial.noise * state["generator"].standard_normal(4)
            state["x"] -= 0.1 * step
            if (slow := Path(os.environ.get("SLOW_WALKS", "/nonexistent"))).exists():
                time.sleep(float(slow.read_text()))
            if trial.fate == "diverges" and update + made == 13:
                return state, made, True
            if trial.fate == "raises" and update + made == 17:
                raise RuntimeError("the walk is on fire")
        return state, updates, False

    def check(self, trial: Walker, state: State, update: int) -> Check:
        (measured,) = self.measure_many([trial], [state], [update])
        return self.check_measured(trial, state, update, measured)

    def outcome(self, trial: Walker, checks: Sequence[Check]) -> Outcome | None:
        return "solved" if checks[-1]["distance"] < trial.solved_below else None

    def summary(
        self, trial: Walker, state: State, checks: Sequence[Check], outcome: Outcome
    ) -> Check:
        last = checks[-1] if checks else {"distance": None, "spread": None}
        return {name: last[name] for name in ("distance", "spread")}

    def advance_many(
        self,
        trials: Sequence[Walker],
        states: Sequence[State],
        made: Sequence[int],
        updates: Sequence[int],
    ) -> list[tuple[State, int, bool]]:
        assert len(trials) <= self.slots
        if self.device == "cuda" and not self.calls:
            sys.stdout.write(f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES')}\n")
        seeds = [trial.seed for trial in trials]
        self.calls.append(list(zip(seeds, made, updates, strict=True)))
        each = zip(trials, states, made, updates, strict=True)
        return [self.advance(*one) for one in each]

    def measure_many(
        self, trials: Sequence[Walker], states: Sequence[State], made: Sequence[int]
    ) -> list[float]:
        if any(t.fate == "no check" and n == 20 for t, n in zip(trials, made, strict=True)):
            raise RuntimeError("nothing to measure")
        return [float(np.linalg.norm(state["x"])) for state in states]

    def check_measured(
        self, trial: Walker, state: State, update: int, measured: float
    ) -> Mapping[str, Any]:
        if trial.fate == "bad check" and update == 20:
            raise RuntimeError("nothing to see")
        return {"distance": measured, "spread": float(np.std(state["x"]))}
