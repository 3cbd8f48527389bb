"""Every engine trains every task: symbols and numbers in; a class, classes, a number out."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from agreement import EXACT, TOLERANCE, assert_agree, batch_of, bits, made, start
from hypothesis import given, settings
from hypothesis import strategies as st

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
from rnnlab.bounds import WRONG_ABOVE
from rnnlab.data import GROUP, draw_batch
from rnnlab.engines import ENGINES, Engine
from rnnlab.engines.plain import Plain
from rnnlab.rng import CHECK, TEST
from rnnlab.state import Parameters, State
from rnnlab.tasks import TASKS
from rnnlab.train import fresh

EXAMPLES: dict[str, Task] = {
    "temporal order": TemporalOrder(length=20),
    "3-bit": ThreeBitOrder(length=30),
    "addition": Addition(length=20),
    "multiplication": Multiplication(length=40),
    "permutation": RandomPermutation(length=12),
    "5 bits": Memorisation(length=15),
    "20 bits": Memorisation(length=9, values=5, positions=10),
    "temporal order, 10 to 40": TemporalOrder(length=10, length_max=40),
    "addition, 10 to 40": Addition(length=10, length_max=40),
    "5 bits, 1 to 20": Memorisation(length=1, length_max=20),
}
SHAPES = [
    (1, 1),
    (5, 32),
    (14, 20),
    (16, 7),
    (50, 20),
    (60, 3),
    (62, 7),
    (64, 20),
    (100, 7),
]
"""Hidden units and sequences: with and without room in the padding for what goes in."""
VARIANTS = [("basic_tanh", 0.0), ("smart_tanh", 2.0), ("sigmoid", 2.0)]

each_task = pytest.mark.parametrize("task", EXAMPLES.values(), ids=EXAMPLES)


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return made(request.param)


def small(task: Task, **fields: object) -> Trial:
    given = {"hidden": 9, "batch": 6, "init": "basic_tanh", "omega_weight": 2.0, **fields}
    return Trial(task=task, check_every=10, **given)  # pyright: ignore[reportArgumentType]


def test_no_task_is_left_out() -> None:
    assert {type(each) for each in EXAMPLES.values()} == set(TASKS)


@each_task
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("init", "omega_weight"), VARIANTS)
def test_gradients_agree_with_autograd_in_float64(
    engine: Engine,
    task: Task,
    shape: tuple[int, int],
    init: Initialiser,
    omega_weight: float,
) -> None:
    hidden, batch = shape
    one = Trial(task=task, init=init, hidden=hidden, batch=batch, omega_weight=omega_weight)
    parameters, data = start(one).parameters, batch_of(one, 3)
    exact = EXACT.gradients(one, parameters, data)
    assert_agree(engine.gradients(one, parameters, data), exact)


@each_task
@pytest.mark.parametrize("omega_weight", [0.0, 2.0])
def test_gradients_agree_once_something_is_learnt(
    engine: Engine, task: Task, omega_weight: float
) -> None:
    one = small(task, hidden=20, batch=32, lr=0.05, omega_weight=omega_weight)
    parameters = Plain().advance(one, fresh(one), 300).parameters
    for update in range(2):
        data = batch_of(one, update)
        exact = EXACT.gradients(one, parameters, data)
        assert_agree(engine.gradients(one, parameters, data), exact)


@each_task
@pytest.mark.parametrize("clip_by", ["norm", "value"])
@pytest.mark.parametrize("threshold", [1e-3, 1e3, None])
def test_an_update_is_a_clipped_step_on_the_batch_of_its_number(
    engine: Engine, task: Task, clip_by: str, threshold: float | None
) -> None:
    one = small(task, clip_norm=threshold, clip_by=clip_by, lr=1.0)
    state = replace(start(one), update=7)
    found = engine.advance(one, state, 1)
    exact = EXACT.gradients(one, state.parameters, batch_of(one, 7))
    clipped = threshold == 1e-3
    rate = one.lr * 1e-3 / exact.norm if clipped and clip_by == "norm" else one.lr
    limit = 1e-3 if clipped and clip_by == "value" else np.inf
    steps = zip(found.parameters, state.parameters, exact.grads, strict=True)
    for after, before, grad in steps:
        allowed = TOLERANCE["grads"] * rate * np.abs(grad).max()
        expected = before - rate * np.clip(grad, -limit, limit)
        np.testing.assert_allclose(
            after, expected, rtol=TOLERANCE["parameter"], atol=allowed
        )
    assert found.totals.clipped == clipped
    assert found.totals.loss == pytest.approx(exact.loss, rel=TOLERANCE["loss"])
    assert found.totals.grad_norm == pytest.approx(exact.norm, rel=TOLERANCE["norm"])


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("task", EXAMPLES.values(), ids=EXAMPLES)
@settings(max_examples=4)
@given(cuts=st.lists(st.integers(0, 40), max_size=4))
def test_where_calls_are_cut_changes_no_bit(name: str, task: Task, cuts: list[int]) -> None:
    engine, one = made(name), small(task)
    whole = engine.advance(one, start(one), 40)
    state = start(one)
    for before, after in itertools.pairwise([0, *sorted(cuts), 40]):
        state = engine.advance(one, state, after - before)
    assert bits(state) == bits(whole)


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("clip_by", ["norm", "value"])
@each_task
def test_a_parameter_that_is_not_finite_diverges_at_once(
    engine: Engine, task: Task, clip_by: str, value: float
) -> None:
    one = small(task, clip_by=clip_by)
    parameters = start(one).parameters
    broken = parameters._replace(bias=np.full_like(parameters.bias, value))
    found = engine.advance(one, State(broken, update=4), 20)
    assert (found.diverged, found.update) == (True, 5)


def noisy(one: Trial, scale: float) -> Parameters:
    """Draw a network whose answers differ from sequence to sequence."""
    noise = np.random.default_rng(7)
    return Parameters(
        *(
            (scale * noise.standard_normal(each.shape)).astype(np.float32)
            for each in start(one).parameters
        )
    )


def wrong_answers(one: Trial, parameters: Parameters, purpose: int) -> np.ndarray:
    """Say of each of 10,000 sequences whether the network is wrong, in NumPy and float64."""
    w_in, w_rec, bias, w_out, bias_out = (each.astype(np.float64) for each in parameters)
    found: list[np.ndarray] = []
    for first in range(0, 10_000, GROUP):
        size = min(GROUP, 10_000 - first)
        batch = draw_batch(
            one.task, seed=one.seed, purpose=purpose, index=2, size=size, first=first
        )
        h, missed = np.zeros((size, one.hidden)), np.zeros(size, bool)
        for t, here in enumerate(batch.inputs):
            u = w_in.T[here] if one.task.one_hot else here @ w_in.T
            h = np.tanh(h @ w_rec.T + u + bias)
            if one.task.cost == "class_at_each_step":
                missed |= (h @ w_out.T + bias_out).argmax(-1) != batch.targets[t]
        y = h @ w_out.T + bias_out
        if one.task.cost == "class_at_end":
            missed = y.argmax(-1) != batch.targets
        if one.task.cost == "value_at_end":
            missed = ~(((y - batch.targets) ** 2).sum(-1) <= WRONG_ABOVE)
        found.append(missed)
    return np.concatenate(found)


@each_task
@pytest.mark.parametrize("purpose", [CHECK, TEST])
def test_a_check_counts_every_wrong_answer_and_may_end_with_any(
    engine: Engine, task: Task, purpose: int
) -> None:
    one = small(task)
    parameters = noisy(one, 0.3)
    places = np.flatnonzero(wrong_answers(one, parameters, purpose))
    assert len(places) > 1000
    for stop_at in (1, 100, len(places)):
        found = engine.count_errors(
            one, parameters, purpose=purpose, index=2, stop_at=stop_at
        )
        assert found == (stop_at, places[stop_at - 1] + 1)
    if len(places) < 10_000:
        found = engine.count_errors(
            one, parameters, purpose=purpose, index=2, stop_at=20_000
        )
        assert found == (len(places), 10_000)


@pytest.mark.parametrize("task", [Addition(length=10), TemporalOrder(length=10)])
def test_a_network_of_nan_is_wrong_or_guesses(engine: Engine, task: Task) -> None:
    one = small(task)
    broken = start(one).parameters._replace(
        w_out=np.full((task.outputs, one.hidden), np.nan, np.float32)
    )
    errors, seen = engine.count_errors(one, broken, index=1, stop_at=100)
    assert errors == 100
    assert seen < 200


def test_other_tasks_in_between_change_no_bit(engine: Engine) -> None:
    for one in map(small, EXAMPLES.values()):
        whole = engine.advance(one, start(one), 2 * len(EXAMPLES))
        state = start(one)
        for other in map(small, EXAMPLES.values()):
            engine.gradients(other, start(other).parameters, batch_of(other))
            engine.count_errors(other, start(other).parameters, index=1, stop_at=20)
            state = engine.advance(one, state, 1)
        state = engine.advance(one, state, len(EXAMPLES))
        assert bits(state) == bits(whole)
