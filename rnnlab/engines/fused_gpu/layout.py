"""How a trial is laid out on a multiprocessor: threads, tiles, and places in memory.

One block of threads trains one trial. A thread owns one hidden unit for four sequences of the
batch: it adds up their sums, applies the unit, and writes four numbers side by side. For the
gradient of W_rec a thread owns a tile of the matrix, for some of the groups of four.
"""

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

QUAD = 4
"""Sequences of a thread."""
WARP = 32
MOST_THREADS = 1024
MOST_HIDDEN = 128
MOST_SYMBOLS = 256
"""A symbol is kept as a byte."""
IN_REGISTERS = {1: 64, 2: 50}
"""Most hidden units whose weights fit into the registers of a thread of 1 or 2 units."""
SHARED_FLOATS = 12_200
"""What fits into the 48 KB of shared memory that every block may have."""
TILES = (
    (5, 10),
    (8, 8),
    (4, 8),
    (5, 5),
    (4, 4),
    (2, 4),
    (2, 2),
    (8, 12),
    (10, 10),
    (12, 16),
)
"""Shapes of a thread's tile of W_rec's gradient, to choose from."""
MOST_TILE = {1: 64, 2: 100}
SCHEDULERS = 4
REGISTERS = 16_384
"""Registers of a scheduler of a multiprocessor, from compute capability 7.0 to 10.0."""
MOST_REGISTERS = 255
TWO_BLOCKS = 256
"""Most threads of a block of which two are to fit on a multiprocessor."""


class Shape(NamedTuple):
    """What the machine code depends on."""

    hidden: int
    batch: int
    inputs: int
    outputs: int
    one_hot: bool
    each_step: bool
    """Whether there is a class at each step."""
    numbers: bool
    """Whether targets are numbers."""


@dataclass(frozen=True)
class Layout:
    """The layout of a shape."""

    shape: Shape
    units: int
    """Hidden units, rounded up to an even number: two lanes share the work of two units."""
    groups: int
    """Groups of four sequences."""
    owned: int
    """Units of a thread, 1 or 2. With 1, two lanes share the sums of two units."""
    live: int
    """Threads that own units and a group."""
    threads: int
    tile_rows: int
    tile_columns: int
    down: int
    """Tiles from top to bottom."""
    across: int
    """Tiles from left to right."""
    tile_groups: int
    """Threads that share a tile, each with other groups of sequences."""
    in_registers: bool
    """Whether W_rec is in shared memory, and a thread's weights in registers."""
    shared: frozenset[str]
    """What else fits into shared memory, by name."""

    @property
    def rows(self) -> int:
        """Sequences of a batch, rounded up to whole groups."""
        return self.groups * QUAD

    @property
    def tiles(self) -> int:
        """Tiles of the matrix."""
        return self.down * self.across

    @property
    def values(self) -> int:
        """Numbers of a thread at a step: its units, four sequences each."""
        return self.owned * QUAD

    @property
    def plane(self) -> int:
        """Floats of one step of all units and sequences."""
        return self.live * self.values

    @property
    def overhang(self) -> int:
        """Floats behind the planes that a tile over the edge may read."""
        edge = max(self.down * self.tile_rows, self.across * self.tile_columns)
        return max(0, edge - self.units) * QUAD

    @property
    def always_shared(self) -> int:
        """Floats in shared memory: two planes of h and of δ, sums, and W_rec if it is there."""
        w_rec = self.units * self.row if self.in_registers else 0
        return 4 * self.plane + self.overhang + 4 * self.threads + w_rec

    @property
    def row(self) -> int:
        """Floats of a row of W_rec in shared memory: odd, so that columns are free of conflicts."""
        return self.units + 1

    @property
    def bins(self) -> int:
        """Sums of a unit for W_in: one for each symbol; or for each number, and for b."""
        return self.shape.inputs + (0 if self.shape.one_hot else 1)

    @property
    def row_of_sums(self) -> int:
        """Sums side by side: one for each unit of each thread."""
        return self.threads * self.owned

    @property
    def registers(self) -> int:
        """Registers of a thread, so that two blocks fit on a multiprocessor, or a large one.

        A warp stays with one of the four schedulers, and its registers must fit there.
        """
        blocks = 2 if self.threads <= TWO_BLOCKS else 1
        warps = -(-blocks * self.threads // (WARP * SCHEDULERS))
        return min(MOST_REGISTERS, REGISTERS // (warps * WARP) // 8 * 8)

    @property
    def table(self) -> int:
        """Floats of the rows of W_in and of b."""
        return (self.shape.inputs + 1) * self.units

    @property
    def small(self) -> int:
        """Parameters other than W_rec."""
        return self.parameters - self.shape.hidden**2

    @property
    def trips(self) -> int:
        """Entries of the tiles for each thread."""
        return -(-self.tiles * self.tile_rows * self.tile_columns // self.threads)

    @property
    def drawn(self) -> int:
        """Batches that are drawn at once, a thread a sequence."""
        return max(1, self.threads // self.shape.batch)

    @property
    def parameters(self) -> int:
        """Floats of all parameters."""
        hidden, inputs, outputs = self.shape.hidden, self.shape.inputs, self.shape.outputs
        return hidden * (inputs + hidden + 1 + outputs) + outputs


@functools.cache
def layout(shape: Shape, owned: int | None = None) -> Layout:
    """Lay out a shape.

    Args:
        shape: The shape.
        owned: Units of a thread. By default 1 where two blocks then fit on a multiprocessor,
            else 2, which takes half the threads and twice the registers.

    Raises:
        ValueError: If it does not fit a block; naming the remedy.
    """
    units, groups = -(-shape.hidden // 2) * 2, -(-shape.batch // QUAD)
    if owned is None:
        owned = 1 if units * groups <= TWO_BLOCKS else 2
    live = units // owned * groups
    threads = -(-live // WARP) * WARP
    remedy = "Train it with the engine fused_cpu, or make it smaller."
    if shape.hidden > MOST_HIDDEN or threads > MOST_THREADS:
        raise ValueError(
            f"fused_gpu trains up to {MOST_HIDDEN} hidden units, and up to {MOST_THREADS} "
            f"threads: a unit and four sequences each. {shape.hidden} units at batches of "
            f"{shape.batch} would need {live}. {remedy}"
        )
    if shape.one_hot and shape.inputs > MOST_SYMBOLS:
        raise ValueError(
            f"fused_gpu has at most {MOST_SYMBOLS} symbols, got {shape.inputs}. {remedy}"
        )
    rows, columns = _tile(shape.hidden, groups, threads, owned)
    down, across = -(-shape.hidden // rows), -(-shape.hidden // columns)
    in_registers = shape.hidden <= IN_REGISTERS[owned]
    made = Layout(
        shape=shape,
        units=units,
        groups=groups,
        owned=owned,
        live=live,
        threads=threads,
        tile_rows=rows,
        tile_columns=columns,
        down=down,
        across=across,
        tile_groups=min(groups, threads // (down * across)),
        in_registers=in_registers,
        shared=frozenset(),
    )
    left = SHARED_FLOATS - made.always_shared
    if left < 0:
        raise ValueError(
            f"fused_gpu keeps the steps of a batch in 48 KB of shared memory; {shape.hidden} "
            f"units at batches of {shape.batch} would need {-(-made.always_shared // 256)} KB. "
            f"{remedy}"
        )
    return replace(made, shared=_fitting(made, left))


def _fitting(lay: Layout, left: int) -> frozenset[str]:
    """Choose what else is kept in shared memory, the most often used first."""
    wanted = {
        "bins": lay.bins * lay.row_of_sums,
        "table": lay.table,
        "small": 2 * lay.small,
        "answers": SHARED_FLOATS if lay.shape.each_step else lay.shape.outputs * lay.rows,
    }
    chosen = set[str]()
    for name, floats in wanted.items():
        if floats <= left:
            chosen.add(name)
            left -= floats
    return frozenset(chosen)


def _tile(hidden: int, groups: int, threads: int, owned: int) -> tuple[int, int]:
    """Choose the tile with the least work for the busiest thread."""

    def work(tile: tuple[int, int]) -> tuple[bool, float]:
        rows, columns = tile
        together = threads // (-(-hidden // rows) * -(-hidden // columns))
        if not together:
            return True, float("inf")
        turns = -(-groups // min(groups, together))
        size = rows * columns
        return size > MOST_TILE[owned], turns * (size + rows + columns)

    return min(TILES, key=work)
