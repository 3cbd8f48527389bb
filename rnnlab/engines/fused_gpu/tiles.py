"""The gradient of W_rec, Σ_t δ_tᵀ h_{t−1}: a thread sums a tile of it in registers."""

from typing import Any, NamedTuple

import numpy as np

from rnnlab.engines.fused_gpu.intrinsics import device
from rnnlab.engines.fused_gpu.layout import QUAD, Layout

_ZERO = np.float32(0)


class TileSums(NamedTuple):
    """The device functions of the gradient's tiles."""

    clear: Any
    add_half: Any
    put: Any
    gather: Any
    entry: Any


def build_tiles(lay: Layout) -> TileSums:
    """Make the device functions for a layout."""
    rows, columns, size = lay.tile_rows, lay.tile_columns, lay.tile_rows * lay.tile_columns
    turns = -(-lay.groups // lay.tile_groups)
    full = lay.groups % lay.tile_groups == 0
    u_threads, u_down = np.uint32(lay.threads), np.uint32(lay.down)
    u_tiles, u_last = np.uint32(lay.tiles), np.uint32(lay.tile_groups - 1)
    u_group = np.uint32(lay.units * QUAD)
    u_groups, u_quad = np.uint32(lay.groups), np.uint32(QUAD)
    u_below, u_beside = np.uint32(lay.down * QUAD), np.uint32(lay.across * QUAD)
    u_across, u_columns = np.uint32(lay.across), np.uint32(columns)
    together, trips, threads = lay.tile_groups, lay.trips, lay.threads
    u_last_entry = np.uint32(lay.tiles * size - 1)
    u_hidden = np.uint32(lay.shape.hidden)

    @device
    def clear(sums: Any) -> None:
        for m in range(size):
            sums[m] = _ZERO

    @device
    def add_pair(sums: Any, held: Any, planes: Any, left: Any, right: Any) -> None:
        """Add the products of two sequences."""
        for i in range(rows):
            place = left + np.uint32(i) * u_below
            held[2 * i] = planes[place]
            held[2 * i + 1] = planes[place + np.uint32(1)]
        for j in range(columns):
            place = right + np.uint32(j) * u_beside
            a = planes[place]
            b = planes[place + np.uint32(1)]
            for i in range(rows):
                total = sums[i * columns + j]
                total += held[2 * i] * a
                total += held[2 * i + 1] * b
                sums[i * columns + j] = total

    @device
    def add_half(
        sums: Any, held: Any, planes: Any, delta: Any, before: Any, tid: Any, half: int
    ) -> None:
        """Add δᵀ h of a step for half of each group; both are places in `planes`."""
        tile, group = tid % u_tiles, min(tid // u_tiles, u_last)
        down, across = (tile % u_down) * u_quad, (tile // u_down) * u_quad
        for turn in range(turns):
            here = group + np.uint32(turn * together)
            if full or here < u_groups:
                place = here * u_group + np.uint32(2 * half)
                add_pair(sums, held, planes, delta + place + down, before + place + across)

    @device
    def put(partial: Any, sums: Any, tid: Any) -> None:
        """Write the sums of this thread."""
        for m in range(size):
            partial[np.uint32(m) * u_threads + tid] = sums[m]

    @device
    def gather(found: Any, partial: Any, tid: Any) -> None:
        """Add up this thread's entries of the gradient over the groups; see `entry`."""
        for r in range(trips):
            n = min(tid + np.uint32(r * threads), u_last_entry)
            place = n // u_tiles * u_threads + n % u_tiles
            total = partial[place]
            for other in range(1, together):
                total += partial[place + np.uint32(other) * u_tiles]
            found[r] = total

    @device
    def entry(r: int, tid: Any) -> tuple[Any, Any, bool]:
        """Return row and column of this thread's entry r, and whether the matrix has it."""
        n = tid + np.uint32(r * threads)
        tile, m = n % u_tiles, n // u_tiles
        i = tile % u_down + u_down * (m // u_columns)
        j = tile // u_down + u_across * (m % u_columns)
        return i, j, n <= u_last_entry and i < u_hidden and j < u_hidden

    return TileSums(clear, add_half, put, gather, entry)
