"""Gradients and updates of each task, in each layout, without a card.

Gradients are compared with `plain` in float64, and some updates with `fused_cpu`.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import EXACT, TOLERANCE, assert_agree, batch_of, bits, made, start
from laid_out import lay_out

from rnnlab import (
    Addition,
    Initialiser,
    Memorisation,
    Multiplication,
    RandomPermutation,
    Task,
    TemporalOrder,
    ThreeBitOrder,
    Trial,
)
from rnnlab.clip import REPAIR_RATE
from rnnlab.data import draw_steps
from rnnlab.engines.fused_gpu import FusedGpu
from rnnlab.engines.fused_gpu.engine import kind_of
from rnnlab.engines.fused_gpu.layout import layout
from rnnlab.rng import TRAIN
from rnnlab.state import Parameters, State, Totals
from rnnlab.tasks import TASKS

BITS = Memorisation(length=1, values=2, positions=2)
EXAMPLES: dict[str, Task] = {
    "temporal order": TemporalOrder(length=10),
    "3-bit": ThreeBitOrder(length=10),
    "addition": Addition(length=10),
    "multiplication": Multiplication(length=10),
    "permutation": RandomPermutation(length=6),
    "bits": BITS,
    "temporal order, 10 to 13": TemporalOrder(length=10, length_max=14),
    "addition, 10 to 13": Addition(length=10, length_max=14),
    "bits, 1 to 3": replace(BITS, length_max=4),
}
EACH_COST = ("temporal order", "addition", "bits")
VARIANTS: list[tuple[Initialiser, float]] = [
    ("basic_tanh", 0.0),
    ("smart_tanh", 2.0),
    ("sigmoid", 2.0),
]
SHAPES = [(3, 1), (4, 9), (16, 4), (18, 17), (50, 4), (66, 4)]
"""Hidden units and sequences: with and without padding, the most whose weights are in registers
in each layout, and more."""

each_task = pytest.mark.parametrize("task", EXAMPLES.values(), ids=EXAMPLES)
each_cost = pytest.mark.parametrize(
    "task", [EXAMPLES[name] for name in EACH_COST], ids=EACH_COST
)


def small(task: Task, **fields: Any) -> Trial:
    given: dict[str, Any] = {"hidden": 7, "batch": 5, "init": "basic_tanh", **fields}
    return Trial(task=task, check_every=10, **given)


def assert_gradients_agree(one: Trial, update: int = 0) -> None:
    parameters, data = start(one).parameters, batch_of(one, update)
    exact = EXACT.gradients(one, parameters, data)
    assert_agree(FusedGpu().gradients(one, parameters, data), exact)


def test_no_task_is_left_out() -> None:
    assert {type(each) for each in EXAMPLES.values()} == set(TASKS)


@each_task
@pytest.mark.parametrize(("init", "omega_weight"), VARIANTS)
@pytest.mark.usefixtures("owned")
def test_gradients_agree_with_autograd_in_float64(
    task: Task, init: Initialiser, omega_weight: float
) -> None:
    assert_gradients_agree(small(task, init=init, omega_weight=omega_weight), update=3)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_each_shape_agree(shape: tuple[int, int], owned: int) -> None:
    hidden, batch = shape
    one = small(BITS, hidden=hidden, batch=batch, omega_weight=2.0)
    assert layout(kind_of(one, batch).shape, owned).in_registers == (hidden < 66)
    assert_gradients_agree(one)


@each_cost
@pytest.mark.parametrize("owned", [1, 2])
def test_weights_in_memory_have_the_gradients_of_weights_in_registers(
    task: Task, owned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small(task, omega_weight=2.0)
    lay_out(monkeypatch, owned=owned)
    expected = FusedGpu().advance(one, start(one), 2)
    layouts = lay_out(monkeypatch, owned=owned, in_registers=False)
    assert_gradients_agree(one)
    found = FusedGpu().advance(one, start(one), 2)
    assert {lay.in_registers for lay in layouts} == {False}
    for ours, theirs in zip(found.parameters, expected.parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@each_cost
def test_a_place_outside_shared_memory_changes_no_bit(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small(task, omega_weight=2.0)
    expected = FusedGpu().advance(one, start(one), 2)
    layouts = lay_out(monkeypatch, shared=False)
    found = FusedGpu().advance(one, start(one), 2)
    assert {lay.shared for lay in layouts} == {frozenset()}
    assert bits(found) == bits(expected)


@each_task
@pytest.mark.parametrize(
    ("clip_by", "threshold"),
    [("norm", 1e-3), ("value", 1e-3), ("norm", 1e3), ("norm", None)],
)
def test_an_update_is_a_clipped_step_on_the_batch_of_its_number(
    task: Task, clip_by: str, threshold: float | None
) -> None:
    one = small(task, clip_norm=threshold, clip_by=clip_by, omega_weight=2.0, lr=1.0)
    state = replace(start(one), update=7)
    found = FusedGpu().advance(one, state, 1)
    exact = EXACT.gradients(one, state.parameters, batch_of(one, 7))
    clipped = threshold == 1e-3
    rate = one.lr * 1e-3 / exact.norm if clipped and clip_by == "norm" else one.lr
    limit = 1e-3 if clipped and clip_by == "value" else np.inf
    steps = zip(found.parameters, state.parameters, exact.grads, strict=True)
    for after, before, grad in steps:
        expected = before - rate * np.clip(grad, -limit, limit)
        allowed = TOLERANCE["grads"] * rate * np.abs(grad).max()
        np.testing.assert_allclose(
            after, expected, rtol=TOLERANCE["parameter"], atol=allowed
        )
    assert (found.update, found.diverged) == (8, False)
    assert (found.totals.updates, found.totals.clipped) == (1, clipped)
    assert found.totals.loss == pytest.approx(exact.loss, rel=TOLERANCE["loss"])
    assert found.totals.grad_norm == pytest.approx(exact.norm, rel=TOLERANCE["norm"])
    assert found.totals.grad_norm_max == found.totals.grad_norm


@each_task
@pytest.mark.parametrize("init", ["smart_tanh", "sigmoid"])
def test_updates_agree_with_the_engine_for_processors(
    task: Task, init: Initialiser
) -> None:
    one = small(task, init=init, omega_weight=2.0, lr=0.1, seed=2)
    updates = 3 if task.varies else 2
    lengths = draw_steps(task, one.seed, TRAIN, 0, updates)
    assert (len({*lengths.tolist()}) > 1) == task.varies
    found = FusedGpu().advance(one, start(one), updates)
    expected = made("fused_cpu").advance(one, start(one), updates)
    for ours, theirs, before in zip(
        found.parameters, expected.parameters, start(one).parameters, strict=True
    ):
        allowed = 1e-5 * np.abs(theirs - before).max() + 1e-7 * np.abs(before).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=allowed)
    assert found.totals.clipped == expected.totals.clipped
    for name in ("loss", "grad_norm", "grad_norm_max"):
        wanted = getattr(expected.totals, name)
        assert getattr(found.totals, name) == pytest.approx(wanted, rel=1e-5), name


@pytest.mark.parametrize("highest", [0.001, 1000.0])
def test_totals_go_on_from_those_given(highest: float) -> None:
    one, before = small(BITS), Totals(5, 2, 1, 10.0, 20.0, highest)
    fell = FusedGpu().advance(one, start(one), 1).totals
    found = FusedGpu().advance(one, replace(start(one), totals=before), 1).totals
    assert (found.updates, found.repaired) == (6, 2)
    assert found.clipped == 1 + fell.clipped
    assert found.loss == 10.0 + fell.loss
    assert found.grad_norm == 20.0 + fell.grad_norm
    assert found.grad_norm_max == max(highest, fell.grad_norm)


def test_a_norm_exactly_at_the_threshold_counts_as_clipped() -> None:
    one = small(BITS)
    norm = FusedGpu().advance(one, start(one), 1).totals.grad_norm
    for threshold, clipped in ((norm, 1), (2 * norm, 0)):
        other = replace(one, clip_norm=threshold)
        assert FusedGpu().advance(other, start(other), 1).totals.clipped == clipped


def with_errors_of(parameters: Parameters, size: float) -> Parameters:
    """Make ∂C/∂h as large as asked for, by output weights of both signs."""
    signs = np.where(np.arange(len(parameters.w_out)) % 2, 1, -1)[:, None]
    w_out = np.full_like(parameters.w_out, size) * signs.astype(np.float32)
    return parameters._replace(w_out=w_out)


REPAIRING = small(TemporalOrder(length=10), lr=0.5, omega_weight=2.0, repair_nonfinite=True)


@pytest.mark.parametrize("size", [1e13, 3e38])
def test_a_norm_that_is_huge_or_not_finite_shrinks_the_recurrent_weights(
    size: float,
) -> None:
    parameters = with_errors_of(start(REPAIRING).parameters, size)
    found = FusedGpu().advance(REPAIRING, State(parameters), 2)
    keep = np.float32(1 - REPAIR_RATE * REPAIRING.lr)
    expected = parameters._replace(w_rec=parameters.w_rec * keep * keep)
    for ours, wanted in zip(found.parameters, expected, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    assert found.totals == Totals(updates=2, repaired=2)
    assert (found.update, found.diverged) == (2, False)


def test_a_norm_just_below_ten_billion_is_not_repaired() -> None:
    parameters = with_errors_of(start(REPAIRING).parameters, 1e6)
    totals = FusedGpu().advance(REPAIRING, State(parameters), 1).totals
    assert 1e4 < totals.grad_norm < 1e10
    assert (totals.repaired, totals.clipped) == (0, 1)


@pytest.mark.parametrize("omega_weight", [0.0, 4.0])
def test_where_no_derivative_arrives_omega_is_zero(omega_weight: float) -> None:
    one = replace(REPAIRING, omega_weight=omega_weight)
    parameters = with_errors_of(start(one).parameters, 0.0)
    found = FusedGpu().gradients(one, parameters, batch_of(one))
    assert (found.omega, found.valid_share) == (0, 0)
    assert not found.grads.w_rec.any()


@pytest.mark.parametrize("field", Parameters._fields)
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_parameter_that_is_not_finite_diverges_at_once(field: str, value: float) -> None:
    one = small(BITS, omega_weight=2.0)
    parameters = start(one).parameters
    broken = parameters._replace(**{field: np.full_like(getattr(parameters, field), value)})
    found = FusedGpu().advance(one, State(broken, update=4), 3)
    assert (found.diverged, found.update) == (True, 5)
