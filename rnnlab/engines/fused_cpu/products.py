"""Products of small matrices of any shape, split into tiles of the microkernel.

A matrix is an address and strides in floats, so that one function reads a matrix or its
transpose, and a block of time steps as one tall matrix.
"""

from typing import NamedTuple

from numba import njit

from rnnlab.engines.fused_cpu.microkernel import LANES
from rnnlab.engines.fused_cpu.operations import MAX_VECTORS, TILE_ROWS, tile

FLOAT_BYTES = 4
INDEX_BYTES = 8


class Matrix(NamedTuple):
    """A matrix with strides: element (i, k) is at address + 4·(i·row + k·column)."""

    address: int
    row: int
    column: int


class Rows(NamedTuple):
    """A matrix with aligned, contiguous rows: row i begins at address + 4·i·row."""

    address: int
    row: int


class Start(NamedTuple):
    """The start value of a product: its row i is row `order[i · step]` here."""

    address: int
    row: int
    order: int
    """Address of the order of the rows, int64."""
    step: int


@njit(error_model="numpy", nogil=True)
def multiply(
    start: Start, a: Matrix, b: Rows, c: Rows, rows: int, vectors: int, depth: int
) -> None:
    """Compute C[i, :] = S[order[i], :] + Σ_k A[i, k] B[k, :], with k ascending.

    Args:
        start: S. Use C itself to add to C, or a row of zeros for the product alone.
        a: A, (rows, depth).
        b: B, (depth, 16·vectors).
        c: C, (rows, 16·vectors), written.
        rows: Rows of A and C.
        vectors: Columns of B and C, in vectors of 16.
        depth: Columns of A and rows of B.
    """
    first = 0
    bands = -(-vectors // MAX_VECTORS)
    for band in range(bands):
        across = -(-(vectors - first) // (bands - band))
        column = FLOAT_BYTES * LANES * first
        tiles = -(-rows // TILE_ROWS[across - 1])
        top = 0
        for each in range(tiles):
            down = -(-(rows - top) // (tiles - each))
            tile(
                down,
                across,
                start.address + column,
                start.row,
                start.order + INDEX_BYTES * top * start.step,
                start.step,
                a.address + FLOAT_BYTES * top * a.row,
                a.row,
                a.column,
                b.address + column,
                b.row,
                c.address + column + FLOAT_BYTES * top * c.row,
                c.row,
                depth,
            )
            top += down
        first += across
