"""The input of a step, W_in u_t + b, and the sums for its gradient.

Symbols are kept as bytes, four sequences in a word. Numbers are kept as floats.
"""

from typing import Any, NamedTuple

import numpy as np

from rnnlab.engines.fused_gpu.intrinsics import device
from rnnlab.engines.fused_gpu.layout import QUAD, Layout

_ZERO = np.float32(0)
_BYTE = np.uint32(255)


class Inputs(NamedTuple):
    """The device functions of the inputs."""

    arrange: Any
    read: Any
    arriving: Any
    clear: Any
    credit: Any


def build_inputs(lay: Layout) -> Inputs:
    """Make the device functions for a layout."""
    shape = lay.shape
    one_hot, count, bins = shape.one_hot, shape.inputs, lay.bins
    threads = lay.threads
    owned = lay.owned
    u_units, u_threads, u_groups, u_sums = (
        np.uint32(n) for n in (lay.units, lay.threads, lay.groups, lay.row_of_sums)
    )
    u_rows, u_count, u_hidden = (
        np.uint32(n) for n in (lay.rows, shape.inputs, shape.hidden)
    )
    u_table = np.uint32((shape.inputs + 1) * lay.units)

    @device
    def arrange(table: Any, w_in: Any, bias: Any, tid: Any) -> None:
        """Write a row for each symbol, W_in u + b; or a row for each number, and then b."""
        for n in range(tid, u_table, u_threads):
            row, unit = np.uint32(n) // u_units, np.uint32(n) % u_units
            value = _ZERO
            if unit < u_hidden:
                if row < u_count:
                    value = w_in[unit * u_count + row]
                if one_hot or row == u_count:
                    value += bias[unit]
            table[np.uint32(n)] = value

    @device
    def read(words: Any, t: Any, group: Any) -> Any:
        """Read the symbols of four sequences."""
        return words[t * u_groups + group] if one_hot else np.uint32(0)

    if one_hot:

        @device
        def arriving(
            out: Any, table: Any, word: Any, values: Any, t: Any, unit: Any, group: Any
        ) -> None:
            """Compute W_in u_t + b for this thread's unit and four sequences."""
            for e in range(QUAD):
                place = ((word >> np.uint32(8 * e)) & _BYTE) * u_units + unit
                for k in range(owned):
                    out[k * QUAD + e] = table[place + np.uint32(k)]

        @device
        def credit(
            sums: Any,
            planes: Any,
            place: Any,
            word: Any,
            values: Any,
            t: Any,
            tid: Any,
            group: Any,
        ) -> None:
            """Add δ to the sum of each sequence's symbol."""
            for e in range(QUAD):
                symbol = (word >> np.uint32(8 * e)) & _BYTE
                for k in range(owned):
                    mine = symbol * u_sums + np.uint32(k * threads) + tid
                    sums[mine] += planes[place + np.uint32(k * QUAD + e)]

    else:

        @device
        def arriving(
            out: Any, table: Any, word: Any, values: Any, t: Any, unit: Any, group: Any
        ) -> None:
            """Compute W_in u_t + b for this thread's unit and four sequences."""
            for k in range(owned):
                bias = table[u_count * u_units + unit + np.uint32(k)]
                for e in range(QUAD):
                    out[k * QUAD + e] = bias
            for c in range(count):
                place = (t * u_count + np.uint32(c)) * u_rows + group * np.uint32(QUAD)
                for k in range(owned):
                    weight = table[np.uint32(c) * u_units + unit + np.uint32(k)]
                    for e in range(QUAD):
                        out[k * QUAD + e] += weight * values[place + np.uint32(e)]

        @device
        def credit(
            sums: Any,
            planes: Any,
            place: Any,
            word: Any,
            values: Any,
            t: Any,
            tid: Any,
            group: Any,
        ) -> None:
            """Add δ times each number, and δ itself for b."""
            for k in range(owned):
                mine, at = np.uint32(k * threads) + tid, place + np.uint32(k * QUAD)
                total = _ZERO
                for e in range(QUAD):
                    total += planes[at + np.uint32(e)]
                sums[u_count * u_sums + mine] += total
                for c in range(count):
                    x = (t * u_count + np.uint32(c)) * u_rows + group * np.uint32(QUAD)
                    total = _ZERO
                    for e in range(QUAD):
                        total += planes[at + np.uint32(e)] * values[x + np.uint32(e)]
                    sums[np.uint32(c) * u_sums + mine] += total

    @device
    def clear(sums: Any, tid: Any) -> None:
        """Set this thread's sums to 0."""
        for c in range(bins * owned):
            sums[np.uint32(c) * u_threads + tid] = _ZERO

    return Inputs(arrange, read, arriving, clear, credit)
