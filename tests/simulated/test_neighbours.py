"""What is trained beside a trial, before it, or in which order, changes no bit of it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import batch_of, bits, start
from turns import Order, turns

from rnnlab import Addition, Memorisation, TemporalOrder, Trial
from rnnlab.engines.fused_gpu import FusedGpu, engine
from rnnlab.engines.fused_gpu.engine import kind_of
from rnnlab.engines.fused_gpu.layout import layout
from rnnlab.state import Parameters, State

SMALL = Trial(task=TemporalOrder(length=10), hidden=5, batch=5, omega_weight=2.0, lr=0.1)
NUMBERS = replace(SMALL, task=Addition(length=10))
BITS = replace(
    SMALL, task=Memorisation(length=1, length_max=4, values=2, positions=2), seed=2
)
OTHERS = [
    replace(SMALL, omega_weight=0.0, seed=1),
    replace(SMALL, init="sigmoid", lr=0.03, seed=2),
    replace(SMALL, task=TemporalOrder(length=12, length_max=15), clip_by="value"),
    replace(SMALL, clip_norm=None, seed=3),
    replace(SMALL, clip_norm=0.01, repair_nonfinite=True),
    replace(SMALL, hidden=8),
    replace(SMALL, batch=3),
]
"""Five that share a launch with `SMALL`, more than there are slots, and two that cannot."""
EACH_COST = {"class at end": SMALL, "number": NUMBERS, "class at each step": BITS}

each_cost = pytest.mark.parametrize("one", EACH_COST.values(), ids=EACH_COST)


def broken(one: Trial) -> State:
    parameters = start(one).parameters
    return State(Parameters(*(np.full_like(each, math.nan) for each in parameters)))


@each_cost
def test_where_calls_are_cut_changes_no_bit(one: Trial) -> None:
    """Two batches are drawn at once, by 32 threads, and the third update is later."""
    one = replace(one, batch=16)
    whole = FusedGpu().advance(one, start(one), 4)
    gpu, state = FusedGpu(), start(one)
    for updates in (1, 0, 3):
        state = gpu.advance(one, state, updates)
    assert bits(state) == bits(whole)


def test_many_trials_at_once_have_the_bits_of_each_alone() -> None:
    trials = [*OTHERS, SMALL, NUMBERS, BITS]
    updates = [1 + k % 2 for k in range(len(trials))]
    gpu = FusedGpu()
    assert gpu.slots < 6
    found = gpu.advance_many(trials, [start(one) for one in trials], updates)
    for one, count, state in zip(trials, updates, found, strict=True):
        assert bits(state) == bits(FusedGpu().advance(one, start(one), count))


def test_a_trial_may_rest_while_others_train() -> None:
    states = [start(SMALL), start(OTHERS[0])]
    resting, training = FusedGpu().advance_many([SMALL, OTHERS[0]], states, [0, 2])
    assert bits(resting) == bits(start(SMALL))
    assert bits(training) == bits(FusedGpu().advance(OTHERS[0], states[1], 2))


def test_no_trials_are_no_work() -> None:
    assert FusedGpu().advance_many([], [], []) == []


def test_gradients_of_many_are_those_of_each_alone() -> None:
    trials = [SMALL, *OTHERS, NUMBERS, BITS]
    parameters = [start(one).parameters for one in trials]
    batches = [batch_of(one, 2) for one in trials]
    many = FusedGpu().gradients_many(trials, parameters, batches)
    for one, given, batch, found in zip(trials, parameters, batches, many, strict=True):
        alone = FusedGpu().gradients(one, given, batch)
        assert bits(State(found.grads)) == bits(State(alone.grads))
        assert (found.loss, found.norm, found.omega, found.valid_share) == (
            alone.loss,
            alone.norm,
            alone.omega,
            alone.valid_share,
        )


def test_other_trials_in_between_change_no_bit() -> None:
    gpu, state = FusedGpu(), start(SMALL)
    for other in (*OTHERS, NUMBERS, BITS):
        gpu.gradients(other, start(other).parameters, batch_of(other))
        state = gpu.advance(SMALL, state, 1)
    whole = FusedGpu().advance(SMALL, start(SMALL), len(OTHERS) + 2)
    assert bits(state) == bits(whole)


def longer(one: Trial) -> Trial:
    """Return a trial of the same kind with sequences of more steps, always as many."""
    task: Any = one.task
    return replace(one, task=replace(task, length=task.longest + 2, length_max=None))


@each_cost
def test_a_trial_of_nan_ends_and_no_other(one: Trial) -> None:
    """Nor does anything outlive it on the card: a healthy trial may take each place."""
    sick = replace(longer(one), seed=5)
    wild = replace(one, seed=6, lr=1e60, clip_norm=None)
    trials = [one, sick, wild, replace(one, seed=7)]
    states = [start(one), broken(sick), start(wild), start(trials[3])]
    gpu = FusedGpu()
    found = gpu.advance_many(trials, states, [2, 2, 2, 2])
    assert [each.diverged for each in found] == [False, True, True, False]
    assert [each.update for each in found] == [2, 1, 1, 2]
    for k in (0, 3):
        alone = FusedGpu().advance(trials[k], states[k], 2)
        assert bits(found[k]) == bits(alone)
    again = gpu.advance_many([trials[3]] * 3, [states[3]] * 3, [2] * 3)
    assert {bits(each) for each in again} == {bits(found[3])}


@each_cost
@pytest.mark.usefixtures("owned")
def test_no_thread_races_with_another_nor_a_trial_with_its_neighbour(one: Trial) -> None:
    """Once through all that an update and a gradient do."""
    trials = [one, replace(one, seed=1, omega_weight=0.0)]
    gpu = FusedGpu()
    with turns(watched=True):
        gpu.advance_many(trials, [start(each) for each in trials], [2, 1])
        gpu.gradients(one, start(one).parameters, batch_of(one))


@pytest.mark.parametrize(
    "one",
    [
        replace(SMALL, hidden=72, batch=3, task=BITS.task),
        replace(SMALL, clip_by="value", clip_norm=0.01),
        replace(SMALL, clip_norm=1e-9, repair_nonfinite=True),
        replace(BITS, hidden=8, batch=9),
    ],
    ids=["weights in memory", "clipped by value", "ready to repair", "three groups"],
)
def test_no_thread_races_in_other_trials(one: Trial) -> None:
    # A tile over the edge reads what others write, and adds it to sums that are never read.
    assert layout(kind_of(one, one.batch).shape).overhang == 0
    with turns(watched=True):
        FusedGpu().advance(one, start(one), 1)


@each_cost
def test_no_thread_races_in_a_check(one: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GROUPS", 2)
    monkeypatch.setattr(engine, "CHECK_SEQUENCES", 2 * 9)
    monkeypatch.setattr(engine, "GROUP", 9)
    with turns(watched=True):
        FusedGpu().count_errors(one, start(one).parameters, index=1, stop_at=30)


@each_cost
@pytest.mark.usefixtures("owned")
def test_the_order_of_threads_changes_no_bit(one: Trial) -> None:
    found: set[tuple[object, ...]] = set()
    orders: tuple[Order, ...] = ("ascending", "descending", "mixed")
    for order in orders:
        with turns(order):
            found.add(bits(FusedGpu().advance(one, start(one), 2)))
    assert len(found) == 1
