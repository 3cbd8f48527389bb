"""tanh and eˣ of the compiled engine, against NumPy in float64."""

import numpy as np
import pytest
from numba import njit

from rnnlab.engines.fused_cpu.units import exp_of_negative, tanh

TINY = np.array([1e-30, 1e-20, 1e-10, 1e-6, 1e-4, 1e-3, 0.01, 0.1], np.float32)


@njit(error_model="numpy")
def squashed(x: np.ndarray) -> np.ndarray:
    found = np.empty_like(x)
    for i in range(x.size):
        found[i] = tanh(x[i])
    return found


@njit(error_model="numpy")
def exponentials(x: np.ndarray) -> np.ndarray:
    found = np.empty_like(x)
    for i in range(x.size):
        found[i] = exp_of_negative(x[i])
    return found


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return np.concatenate([np.linspace(-20, 20, 400_001, dtype=np.float32), TINY, -TINY])


def test_tanh_is_within_five_units_in_the_last_place(points: np.ndarray) -> None:
    exact = np.tanh(points.astype(np.float64))
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert (np.abs(squashed(points) - exact) <= 5 * unit).all()


def test_tanh_is_odd_to_the_last_bit(points: np.ndarray) -> None:
    np.testing.assert_array_equal(squashed(-points), -squashed(points))


def test_tanh_stays_below_one(points: np.ndarray) -> None:
    far = np.array([-np.inf, -3e38, -100, -9, 9, 100, 3e38, np.inf], np.float32)
    found = squashed(np.concatenate([points, far]))
    assert (np.abs(found) < 1).all()
    assert (np.abs(squashed(far)) > 1 - 1e-6).all()
    np.testing.assert_array_equal(np.sign(squashed(far)), np.sign(far))


def test_tanh_of_zero_is_zero_and_of_nan_is_nan() -> None:
    found = squashed(np.array([0, np.nan], np.float32))
    assert found[0] == 0
    assert np.isnan(found[1])


def test_the_exponential_is_within_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-87, 0, 400_001, dtype=np.float32), -TINY])
    exact = np.exp(x.astype(np.float64))
    unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
    assert (np.abs(exponentials(x) - exact) <= 2 * unit).all()


def test_the_exponential_is_one_at_zero_and_nothing_far_below() -> None:
    found = exponentials(np.array([0.0, -88, -1e6, -1e30, -np.inf, np.nan], np.float32))
    assert found[0] == 1
    assert (found[1:5] == 0).all()
    assert np.isnan(found[5])
