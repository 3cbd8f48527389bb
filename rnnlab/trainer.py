"""Recurrent networks as trials of a sweep: their columns, their cost, their engines.

Implements the protocols of `sweeps` structurally, without importing it: see
`sweeps.spec.trial_type` and `sweeps.spec.trainer`.
"""

import dataclasses
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rnnlab.engines import DEFAULT, ENGINES, GPU_ENGINES, Engine, choose
from rnnlab.many import (
    Advance,
    Advanced,
    Checked,
    ManyEngine,
    Measured,
    asked,
    measured,
)
from rnnlab.result import Check
from rnnlab.spec import Outcome, Trial
from rnnlab.state import Parameters, State, Totals
from rnnlab.threshold import MEASURED_CHECKS, keep_norm, threshold, unmeasured
from rnnlab.train import (
    Training,
    advance,
    check,
    errors_by_length,
    first_below_1_percent,
    first_without_errors,
    fresh,
    is_solved,
)

ASSUMED_S = {"fused_cpu": 1.2e-11, "plain": 2.2e-10, "fused_gpu": 1e-13}
"""Default seconds per multiplication by engine: on one core of 2025, or measured on a full H100;
see docs/explanation/performance.md and gpu.md."""

SLOTS = 264
"""Trials that fill an H100, two for each of its multiprocessors; the engine has the exact number."""
SHARE = 0.25
"""Share of a GPU that `plain` needs: one trial rarely keeps it busy."""

MEASURED = tuple(
    each.name
    for each in fields(Check)
    if each.name not in ("update", "errors", "sequences")
)
"""Measurements of a check besides the errors."""

ALWAYS_WRITTEN = frozenset(
    [
        "task.length",
        "task.length_max",
        "task.values",
        "task.positions",
        "init",
        "hidden",
        "batch",
        "lr",
        "clip_norm",
        "clip_by",
        "clip_multiple",
        "omega_weight",
        "repair_nonfinite",
        "check_every",
        "stop",
        "test_lengths",
        "seed",
        "solved_at",
        "zero_errors_at",
        "clip_threshold",
        "test_errors",
        "error_rate",
        "error_rate_of",
        "engine",
        "errors",
        "sequences",
        "loss",
        "grad_norm_mean",
        "grad_norm_max",
        "clipped_share",
        "repaired_share",
        "omega",
        "valid_share",
        "spectral_radius",
        "largest_singular_value",
    ]
)
"""The columns of the tables of November 2026. Do not add any: a later column is written
only if it is not all default, so that old tables keep their bytes."""


@dataclass(frozen=True)
class Resources:
    """Resources of one worker."""

    cpus: float = 1.0
    gpus: float = 0.0
    slots: int = 1
    device: str = "cpu"


class RecurrentTrials:
    """The description of trials of type `rnnlab.Trial`."""

    engines = (DEFAULT, *(name for name in ENGINES if name != DEFAULT), *GPU_ENGINES)
    always_written = ALWAYS_WRITTEN
    headline = "error_rate"
    result_columns: Mapping[str, Any] = {
        "outcome": str,
        "updates": int,
        "solved_at": int,
        "zero_errors_at": int,
        "clip_threshold": float,
        "test_errors": tuple[int, ...],
        "error_rate": float,
        "error_rate_of": int,
        **dict.fromkeys(MEASURED, float),
        "engine": str,
        "numerics_id": str,
    }
    check_columns: Mapping[str, Any] = {
        "update": int,
        "errors": int,
        "sequences": int,
        **dict.fromkeys(MEASURED, float),
        "error_rate": float,
        "numerics_id": str,
    }

    def cost(self, trial: Trial) -> float:
        """Estimate one update's multiplications: 3·B·T·H·H, at the middle of its range of T."""
        task = trial.task
        shortest = task.steps(task.length, 0)
        middle = (shortest + task.longest) / 2
        return 3.0 * trial.batch * middle * trial.hidden**2

    def shape(self, trial: Trial) -> Hashable:
        """Return the properties that determine the duration of an update."""
        omega = trial.omega_weight > 0
        return (trial.task, trial.hidden, trial.batch, trial.activation, omega)

    def assumed_s(self, engine: str | None) -> float:
        """Return the default seconds per multiplication, before any measurement."""
        return ASSUMED_S.get(engine or DEFAULT, max(ASSUMED_S.values()))

    def resources(self, trial: Trial, engine: str | None, device: str | None) -> Resources:
        """Return one core, and the share of a GPU that the engine needs."""
        if engine in GPU_ENGINES:
            return Resources(gpus=1.0, slots=SLOTS, device="cuda")
        if engine != "plain" or device is None:
            return Resources()
        return Resources(gpus=SHARE if device.startswith("cuda") else 0.0, device=device)

    def refuses(self, trial: Trial, engine: str | None) -> str | None:
        """Return why an engine cannot train a trial here, and what to do; None: it can."""
        if engine not in GPU_ENGINES:
            return None
        if find_spec("numba_cuda") is None:
            return (
                f"The engine {engine} needs the package numba-cuda, which is not installed. "
                "Install it with `pip install 'rnnlab[gpu]'`."
            )
        return _does_not_fit(trial)

    def caches(self) -> Mapping[str, Path]:
        """Return the folder of compiled code."""
        from rnnlab.code_cache import base

        return {"compiled code": base()}

    def trainer(self, engine: str | None, device: str) -> "RecurrentTrainer":
        """Build the engine; may have to compile."""
        return RecurrentTrainer(choose(engine or DEFAULT, device))


class RecurrentTrainer:
    """Trains recurrent networks with one engine.

    A trial's state is a dictionary: the five arrays of `Parameters` by name, and `totals`.
    """

    device = "cpu"
    in_place = False

    def __init__(self, engine: Engine) -> None:
        """Train with an engine."""
        self._engine = engine
        self._many = engine if isinstance(engine, ManyEngine) else None
        self._references: dict[Trial, Training] = {}
        """What thresholds are measured on, under way."""
        self._unsolved: dict[Trial, tuple[int, Mapping[str, Any] | None]] = {}
        """By trial, the number of checks seen that did not solve it, and the last of them."""
        self._lock = threading.Lock()
        """Held while the threads of linear algebra are limited: a setting of the process."""

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.name

    def numerics_id(self, trial: Trial) -> str:
        """Return the engine's numerics id."""
        return self._engine.numerics_id(trial)

    @property
    def slots(self) -> int:
        """Number of trials that fill the engine's device."""
        return self._many.slots if self._many else 1

    def start(self, trial: Trial) -> dict[str, Any]:
        """Return the state before the first update."""
        with self._lock:
            return as_tree(fresh(trial))

    def advance(
        self, trial: Trial, state: dict[str, Any], update: int, updates: int
    ) -> tuple[dict[str, Any], int, bool]:
        """Make up to `updates` updates; none while a threshold is being measured."""
        if waiting := unmeasured(trial, self._engine):
            self._measure(waiting[0], updates)
            return state, 0, False
        after = advance(trial, from_tree(state, update), self._engine, updates)
        return as_tree(after), after.update - update, after.diverged

    def advance_many(
        self,
        trials: Sequence[Trial],
        states: Sequence[dict[str, Any]],
        made: Sequence[int],
        updates: Sequence[int],
    ) -> list[tuple[dict[str, Any], int, bool]]:
        """Advance each trial as `advance` does, in one call of the engine.

        Trials whose thresholds are not measured yet make no updates: their references are
        trained in their place.
        """
        assert self._many is not None
        taken: set[Trial] = set()
        asks = [
            self._asked(trial, from_tree(tree, update), most, taken)
            for trial, tree, update, most in zip(trials, states, made, updates, strict=True)
        ]
        calls = [ask[0] for ask in asks if ask]
        after = iter(self._many.advance_many(*map(list, zip(*calls, strict=True))))
        found: list[tuple[dict[str, Any], int, bool]] = []
        for ask, tree, update in zip(asks, states, made, strict=True):
            state = next(after) if ask else None
            if ask is None or state is None:
                found.append((tree, 0, False))
            elif (reference := ask[1]) is not None:
                known = Advanced(self._engine, state)
                self._keep(reference.advanced(known, ask[0].updates))
                found.append((tree, 0, False))
            else:
                found.append((as_tree(state), state.update - update, state.diverged))
        return found

    def _asked(
        self, trial: Trial, state: State, updates: int, taken: set[Trial]
    ) -> tuple[Advance, Training | None] | None:
        """Return the call to make for a trial, and the reference that is trained instead.

        Args:
            trial: The trial.
            state: Its state.
            updates: Maximum number of updates.
            taken: References that are trained in this call already; one is added.

        Returns:
            None if the references in training are all that the trial waits for.
        """
        waiting = unmeasured(trial, self._engine)
        if not waiting:
            return asked(trial, state, self._engine, updates), None
        reference = next((each for each in waiting if each not in taken), None)
        if reference is None:
            return None
        taken.add(reference)
        training = self._references.get(reference) or Training.fresh(reference)
        return asked(reference, training.state, self._engine, updates), training

    def check(self, trial: Trial, state: dict[str, Any], update: int) -> dict[str, Any]:
        """Evaluate on fresh sequences; see `rnnlab.train.check`."""
        return _columns(check(trial, from_tree(state, update), self._engine))

    def measure_many(
        self,
        trials: Sequence[Trial],
        states: Sequence[dict[str, Any]],
        made: Sequence[int],
    ) -> list[Measured]:
        """Return the engine's part of the checks, in two calls."""
        assert self._many is not None
        found = [from_tree(*each) for each in zip(states, made, strict=True)]
        return measured(trials, found, self._many)

    def check_measured(
        self, trial: Trial, state: dict[str, Any], update: int, measured: Measured
    ) -> dict[str, Any]:
        """Return what `check` returns."""
        with self._lock:
            known = Checked(self._engine, measured)
            return _columns(check(trial, from_tree(state, update), known))

    def outcome(self, trial: Trial, checks: Sequence[Mapping[str, Any]]) -> Outcome | None:
        """Return "solved" if a check met the trial's `stop` rule, else None.

        Asked after each check, it looks only at those that it has not seen before.
        """
        seen, last = self._unsolved.get(trial, (0, None))
        if seen > len(checks) or (seen and checks[seen - 1] is not last):
            seen = 0
        if is_solved(trial, _checks(checks[seen:])):
            return "solved"
        self._unsolved[trial] = (len(checks), checks[-1] if checks else None)
        return None

    def summary(
        self,
        trial: Trial,
        state: dict[str, Any],
        checks: Sequence[Mapping[str, Any]],
        outcome: Outcome,
    ) -> dict[str, Any]:
        """Return the columns between `updates` and `engine`."""
        while waiting := unmeasured(trial, self._engine):
            self._measure(waiting[0], trial.check_every)
        seen = _checks(checks)
        last = seen[-1] if seen else None
        at = from_tree(state, last.update if last else 0)
        solved = outcome == "solved"
        return {
            "solved_at": first_below_1_percent(seen),
            "zero_errors_at": first_without_errors(seen),
            "clip_threshold": threshold(trial, self._engine),
            "test_errors": errors_by_length(trial, at, self._engine) if solved else None,
            "error_rate": last.error_rate if last else None,
            "error_rate_of": last.sequences if last else None,
            **{name: getattr(last, name) if last else None for name in MEASURED},
        }

    def _measure(self, reference: Trial, updates: int) -> None:
        """Train a bit of what a threshold is measured on."""
        training = self._references.get(reference) or Training.fresh(reference)
        self._keep(training.advanced(self._engine, updates))

    def _keep(self, training: Training) -> None:
        """Keep a reference in training, or at its end the norm that was measured."""
        reference = training.trial
        self._references[reference] = training
        if training.ended(MEASURED_CHECKS * reference.check_every):
            keep_norm(reference, self._engine, training.checks)
            del self._references[reference]


def as_tree(state: State) -> dict[str, Any]:
    """Return a state as a dictionary of arrays and numbers."""
    return {**state.parameters._asdict(), "totals": dict(vars(state.totals))}


def from_tree(tree: Mapping[str, Any], update: int) -> State:
    """Return a state from its dictionary and the number of updates made."""
    arrays = {name: tree[name] for name in Parameters._fields}
    return State(Parameters(**arrays), update, Totals(**tree["totals"]))


def _columns(seen: Check) -> dict[str, Any]:
    """Return a check as the columns of the history, without the update."""
    found = {name: value for name, value in asdict(seen).items() if name != "update"}
    return {**found, "error_rate": seen.error_rate}


_CHECK_FIELDS = tuple(each.name for each in dataclasses.fields(Check))


def _checks(checks: Sequence[Mapping[str, Any]]) -> list[Check]:
    return [Check(**{name: each[name] for name in _CHECK_FIELDS}) for each in checks]


def _does_not_fit(trial: Trial) -> str | None:
    """Return why a trial does not fit a block of a GPU, and what to do; None: it does."""
    from rnnlab.engines.fused_gpu.engine import kind_of  # not where no GPU is asked for
    from rnnlab.engines.fused_gpu.layout import layout

    try:
        layout(kind_of(trial, trial.batch).shape)
    except ValueError as error:
        return f"Trial {trial.trial_id[:12]}: {error}"
    return None
