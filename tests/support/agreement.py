"""How far two engines may differ, and how to look: what the contract suites share."""

import functools

import numpy as np
import pytest
import torch

from rnnlab import Trial
from rnnlab.data import Batch, draw_batch
from rnnlab.engines import Engine, Gradients, choose
from rnnlab.engines.plain import Plain
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.state import Parameters, State

TOLERANCE = {
    # A mean of at most 20 surprises, each off by the rounding of its logits; seen: 3e-7.
    "loss": 1e-6,
    # Of the largest entry of an array: a sum over 4,000 pairs at T = 200, in their order,
    # and 50 steps back through weights that have learnt; seen: 4e-6 and 9e-6.
    "grads": 3e-5,
    # Rounding of the entries averages out, the error of δ common to all does not; seen: 2e-6.
    "norm": 5e-6,
    # A mean over all pairs of a difference near 0 of two sums of squares; seen: 5e-7.
    "omega": 2e-6,
    # A count, divided in float32; one pair more would be 2e-4, and none lies at the bound.
    "valid_share": 1e-7,
    # A parameter is rounded after its step: half a unit in the last place, 2⁻²⁴.
    "parameter": 6e-8,
}
"""Relative differences allowed between float32 and float64, each with its reason."""

EXACT = Plain(dtype=torch.float64)


@functools.cache
def made(name: str) -> Engine:
    return choose(name)


def in_float32(parameters: Parameters) -> Parameters:
    return Parameters(*(np.asarray(each, dtype=np.float32) for each in parameters))


def start(one: Trial) -> State:
    return State(in_float32(initial_parameters(one)))


def batch_of(one: Trial, update: int = 0) -> Batch:
    return draw_batch(one.task, seed=one.seed, purpose=TRAIN, index=update, size=one.batch)


def bits(state: State) -> tuple[object, ...]:
    each = [parameter.astype(np.float32).tobytes() for parameter in state.parameters]
    return (*each, state.update, repr(state.totals), state.diverged)


def assert_agree(found: Gradients, exact: Gradients) -> None:
    for array, wanted in zip(found.grads, exact.grads, strict=True):
        allowed = TOLERANCE["grads"] * np.abs(wanted).max()
        np.testing.assert_allclose(array, wanted, rtol=0, atol=allowed)
    for name in ("loss", "norm", "omega", "valid_share"):
        wanted = getattr(exact, name)
        assert getattr(found, name) == pytest.approx(wanted, rel=TOLERANCE[name]), name
