"""ρ and the largest singular value of W_rec are what linear algebra says of them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.diagnostics import largest_singular_value, spectral_radius

BOTH = (spectral_radius, largest_singular_value)


def drawn(seed: int, hidden: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(hidden, hidden))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_no_singular_value_is_below_the_spectral_radius(seed: int, hidden: int) -> None:
    w_rec = drawn(seed, hidden)
    assert largest_singular_value(w_rec) >= spectral_radius(w_rec) * (1 - 1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_it_is_the_most_that_a_vector_is_stretched(seed: int, hidden: int) -> None:
    w_rec = drawn(seed, hidden)
    most = np.sqrt(np.linalg.eigvalsh(w_rec.T @ w_rec).max())
    assert largest_singular_value(w_rec) == pytest.approx(most, rel=1e-9)
    vectors = drawn(seed + 1, hidden)
    lengths = np.linalg.norm(vectors @ w_rec.T, axis=1) / np.linalg.norm(vectors, axis=1)
    assert lengths.max() <= most * (1 + 1e-9)


@pytest.mark.parametrize("value", BOTH)
def test_of_a_diagonal_matrix_both_are_the_largest_entry(
    value: Callable[[np.ndarray], float],
) -> None:
    assert value(np.diag([0.5, -3.0, 2.0])) == 3.0
    assert value(np.zeros((4, 4))) == 0.0


@pytest.mark.parametrize("value", BOTH)
def test_float32_weights_are_looked_at_in_float64_and_rounded_to_ten_digits(
    value: Callable[[np.ndarray], float],
) -> None:
    w_rec = drawn(0, 50).astype(np.float32)
    found = value(w_rec)
    assert found == value(w_rec.astype(np.float64))
    assert found == float(f"{found:.10g}")
    assert type(found) is float
