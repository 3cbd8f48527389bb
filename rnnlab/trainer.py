"""Recurrent networks as trials of a sweep: their columns, their cost, their engines.

Implements the protocols of `sweeps` structurally, without importing it: see
`sweeps.spec.trial_type` and `sweeps.spec.trainer`.
"""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from rnnlab.engines import DEFAULT, ENGINES, Engine, choose
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

ASSUMED_S = {"fused_cpu": 1.2e-11, "plain": 2.2e-10}
"""Default seconds per multiplication by engine, on one core of 2025; see
docs/explanation/performance.md."""

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


class RecurrentTrials:
    """The description of trials of type `rnnlab.Trial`."""

    engines = (DEFAULT, *(name for name in ENGINES if name != DEFAULT))
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

    def resources(self, trial: Trial) -> Resources:
        """Return one core."""
        return Resources()

    def trainer(self, engine: str | None, device: str) -> "RecurrentTrainer":
        """Build the engine; may have to compile."""
        return RecurrentTrainer(choose(engine or DEFAULT))


class RecurrentTrainer:
    """Trains recurrent networks with one engine.

    A trial's state is a dictionary: the five arrays of `Parameters` by name, and `totals`.
    """

    device = "cpu"
    in_place = False

    def __init__(self, engine: Engine) -> None:
        """Train with an engine."""
        self._engine = engine
        self._references: dict[Trial, Training] = {}
        """What thresholds are measured on, under way."""

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.name

    def numerics_id(self, trial: Trial) -> str:
        """Return the engine's numerics id."""
        return self._engine.numerics_id(trial)

    def start(self, trial: Trial) -> dict[str, Any]:
        """Return the state before the first update."""
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

    def check(self, trial: Trial, state: dict[str, Any], update: int) -> dict[str, Any]:
        """Evaluate on fresh sequences; see `rnnlab.train.check`."""
        seen = check(trial, from_tree(state, update), self._engine)
        measured = {n: v for n, v in asdict(seen).items() if n != "update"}
        return {**measured, "error_rate": seen.error_rate}

    def outcome(self, trial: Trial, checks: Sequence[Mapping[str, Any]]) -> Outcome | None:
        """Return "solved" if a check met the trial's `stop` rule, else None."""
        return "solved" if is_solved(trial, _checks(checks)) else None

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
        training = self._references.pop(reference, None) or Training.fresh(reference)
        training = training.advanced(self._engine, updates)
        if training.ended(MEASURED_CHECKS * reference.check_every):
            keep_norm(reference, self._engine, training.checks)
        else:
            self._references[reference] = training


def as_tree(state: State) -> dict[str, Any]:
    """Return a state as a dictionary of arrays and numbers."""
    return {**state.parameters._asdict(), "totals": asdict(state.totals)}


def from_tree(tree: Mapping[str, Any], update: int) -> State:
    """Return a state from its dictionary and the number of updates made."""
    arrays = {name: tree[name] for name in Parameters._fields}
    return State(Parameters(**arrays), update, Totals(**tree["totals"]))


_CHECK_FIELDS = tuple(each.name for each in dataclasses.fields(Check))


def _checks(checks: Sequence[Mapping[str, Any]]) -> list[Check]:
    return [Check(**{name: each[name] for name in _CHECK_FIELDS}) for each in checks]
