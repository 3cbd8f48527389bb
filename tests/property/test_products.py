"""Laws of the microkernel: every element is one chain of multiply-adds, nothing else moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.network import Memory
from rnnlab.engines.fused_cpu.operations import (
    MACHINE,
    fma,
    squares,
    tile,
    wide_squares,
)
from rnnlab.engines.fused_cpu.products import Matrix, Rows, Start, multiply

EPS = float(np.finfo(np.float32).eps)
GUARD = np.float32(-77.25)
"""What is written where nothing may be written."""


@njit(error_model="numpy")
def chain_of(start: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute start + a b, one multiply-add after the other, k in rising order."""
    found = start.copy()
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                found[i, j] = fma(a[i, k], b[k, j], found[i, j])
    return found


@njit(error_model="numpy")
def multiplied(
    start: Start, a: Matrix, b: Rows, c: Rows, rows: int, vectors: int, depth: int
) -> None:
    multiply(start, a, b, c, rows, vectors, depth)


@njit(error_model="numpy")
def tiled(
    rows: int,
    vectors: int,
    start: Start,
    a: Matrix,
    b: Rows,
    c: Rows,
    depth: int,
) -> None:
    tile(
        rows,
        vectors,
        start.address,
        start.row,
        start.order,
        start.step,
        a.address,
        a.row,
        a.column,
        b.address,
        b.row,
        c.address,
        c.row,
        depth,
    )


@njit(error_model="numpy")
def squared(address: int, vectors: int) -> tuple[float, float]:
    return squares(address, vectors), wide_squares(address, vectors)  # pyright: ignore[reportReturnType]


@njit(error_model="numpy")
def lanes_squared(x: np.ndarray) -> np.ndarray:
    lanes = np.zeros(LANES, np.float32)
    for place in range(x.size):
        lanes[place % LANES] = fma(x[place], x[place], lanes[place % LANES])
    return lanes


def tree(lanes: np.ndarray) -> np.ndarray:
    """Add lane i to lane i + 8, then + 4, + 2, + 1."""
    while lanes.size > 1:
        lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
    return lanes[0]


class Product:
    """Random matrices, aligned as the engine has them, with guards round the result."""

    def __init__(self, seed: int, rows: int, vectors: int, depth: int) -> None:
        self.rows, self.vectors, self.depth = rows, vectors, depth
        self.memory, noise = Memory(), np.random.default_rng(seed)
        self.width = LANES * (vectors + 1)
        self.a = self._drawn(noise, rows, depth)
        self.b = self._drawn(noise, depth, self.width)
        self.s = self._drawn(noise, rows + 3, self.width)
        self.zeros = self.memory.floats(self.width)
        self.c = self.memory.floats(rows + 2, self.width)
        self.c[:] = GUARD
        self.order = noise.integers(0, rows + 3, 2 * rows)
        self.counting = np.arange(rows)

    def _drawn(self, noise: np.random.Generator, *shape: int) -> np.ndarray:
        array = self.memory.floats(*shape)
        array[:] = noise.standard_normal(shape)
        return array

    @property
    def columns(self) -> int:
        return LANES * self.vectors

    @property
    def inside(self) -> np.ndarray:
        """C itself: a guard lies in the row before, the row after and the last vector."""
        return self.c[1:-1, : self.columns]

    def run(self, start: Start, transposed: bool) -> np.ndarray:
        """Multiply, and see that nothing outside C was written, nor any input."""
        a = np.ascontiguousarray(self.a.T) if transposed else self.a
        steps = (1, self.rows) if transposed else (self.depth, 1)
        kept = [each.copy() for each in (a, self.b, self.s)]
        multiplied(
            start,
            Matrix(a.ctypes.data, *steps),
            Rows(self.b.ctypes.data, self.width),
            Rows(self.c[1:].ctypes.data, self.width),
            self.rows,
            self.vectors,
            self.depth,
        )
        assert (self.c[[0, -1]] == GUARD).all()
        assert (self.c[:, self.columns :] == GUARD).all()
        for before, after in zip(kept, (a, self.b, self.s), strict=True):
            np.testing.assert_array_equal(before, after)
        return self.inside

    def expected(self, start: np.ndarray) -> np.ndarray:
        return chain_of(start[:, : self.columns], self.a, self.b[:, : self.columns])


seeds = st.integers(0, 2**32 - 1)
rows = st.integers(1, 70)
vectors = st.one_of(st.integers(1, 9), st.just(32))
depths = st.integers(0, 60)
few = settings(max_examples=40, deadline=None)


@few
@given(seeds, rows, vectors, depths, st.booleans(), st.sampled_from([0, 1, 2]))
def test_a_product_is_added_to_the_rows_that_an_order_names(
    seed: int, rows: int, vectors: int, depth: int, transposed: bool, step: int
) -> None:
    product = Product(seed, rows, vectors, depth)
    start = Start(product.s.ctypes.data, product.width, product.order.ctypes.data, step)
    gathered = product.s[product.order[step * np.arange(rows)]]
    found = product.run(start, transposed)
    np.testing.assert_array_equal(found, product.expected(gathered))


@few
@given(seeds, rows, vectors, depths, st.booleans())
def test_a_start_without_steps_is_one_row_for_all(
    seed: int, rows: int, vectors: int, depth: int, transposed: bool
) -> None:
    product = Product(seed, rows, vectors, depth)
    start = Start(product.zeros.ctypes.data, 0, product.counting.ctypes.data, 1)
    found = product.run(start, transposed)
    nothing = np.zeros((rows, product.width), np.float32)
    np.testing.assert_array_equal(found, product.expected(nothing))


@few
@given(seeds, rows, vectors, depths, st.booleans())
def test_a_product_adds_to_what_its_result_already_holds(
    seed: int, rows: int, vectors: int, depth: int, transposed: bool
) -> None:
    product = Product(seed, rows, vectors, depth)
    held = product.inside
    held[:] = product.s[:rows, : product.columns]
    start = Start(product.c[1:].ctypes.data, product.width, product.counting.ctypes.data, 1)
    expected = product.expected(held.copy())
    np.testing.assert_array_equal(product.run(start, transposed), expected)


@few
@given(seeds, rows, vectors, depths)
def test_a_product_is_that_of_numpy_within_rounding(
    seed: int, rows: int, vectors: int, depth: int
) -> None:
    """N. J. Higham's bound on a chain of n: n half-units of the sum of absolute terms."""
    product = Product(seed, rows, vectors, depth)
    start = Start(product.zeros.ctypes.data, 0, product.counting.ctypes.data, 0)
    found = product.run(start, transposed=False)
    a, b = product.a.astype(np.float64), product.b[:, : product.columns].astype(np.float64)
    bound = (depth + 1) * EPS * (np.abs(a) @ np.abs(b))
    assert (np.abs(found - a @ b) <= bound).all()


@pytest.mark.parametrize("across", range(1, len(MACHINE.tile_rows) + 1))
def test_every_tile_of_this_machine_is_the_chain(across: int) -> None:
    for down in range(1, MACHINE.tile_rows[across - 1] + 1):
        product = Product(down, down, across, 7)
        tiled(
            down,
            across,
            Start(product.zeros.ctypes.data, 0, product.counting.ctypes.data, 0),
            Matrix(product.a.ctypes.data, product.depth, 1),
            Rows(product.b.ctypes.data, product.width),
            Rows(product.c[1:].ctypes.data, product.width),
            product.depth,
        )
        nothing = np.zeros((down, product.width), np.float32)
        np.testing.assert_array_equal(product.inside, product.expected(nothing))
        assert (product.c[[0, -1]] == GUARD).all()
        assert (product.c[:, product.columns :] == GUARD).all()


@few
@given(seeds, st.integers(0, 40), st.integers(-15, 15))
def test_squares_are_added_lane_by_lane_and_then_as_a_tree(
    seed: int, vectors: int, exponent: int
) -> None:
    x = Memory().floats(LANES * vectors)
    x[:] = np.random.default_rng(seed).standard_normal(x.size) * 10.0**exponent
    short, wide = squared(x.ctypes.data, vectors)
    assert np.float32(short) == tree(lanes_squared(x))
    assert wide == tree((x.astype(np.float64).reshape(-1, LANES) ** 2).sum(0))


@few
@given(seeds, st.integers(1, 40))
def test_squares_are_those_of_numpy_within_rounding(seed: int, vectors: int) -> None:
    x = Memory().floats(LANES * vectors)
    x[:] = np.random.default_rng(seed).standard_normal(x.size)
    short, wide = squared(x.ctypes.data, vectors)
    exact = float((x.astype(np.float64) ** 2).sum())
    assert short == pytest.approx(exact, rel=(vectors + 5) * EPS)
    assert wide == pytest.approx(exact, rel=1e-14)


def test_wide_squares_do_not_overflow_where_squares_do() -> None:
    x = Memory().floats(LANES * 4)
    x[:] = 1e30
    short, wide = squared(x.ctypes.data, 4)
    assert short == np.inf
    assert wide == pytest.approx(64e60, rel=1e-6)
