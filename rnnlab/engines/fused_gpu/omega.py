"""Ω and the factors of its gradient (ICML 2013, Eq. 9 and 10; see `rnnlab.omega`)."""

from typing import Any, NamedTuple

import numpy as np

from rnnlab.bounds import VALID_BOUND
from rnnlab.engines.fused_gpu.intrinsics import device, swap
from rnnlab.engines.fused_gpu.layout import QUAD, Layout

_ZERO = np.float32(0)
_ONE = np.float32(1)
_BOUND = np.float32(VALID_BOUND)
_LANES = 8
"""Threads that share a squared norm."""
AT_ONCE = 4
"""Squared norms of a thread at once, so that many reads are in flight."""


class OmegaTerms(NamedTuple):
    """The device functions of Ω."""

    measure: Any
    compare: Any


def build_omega(lay: Layout) -> OmegaTerms:
    """Make the device functions for a layout."""
    together = lay.threads // _LANES
    owned, pairs = lay.owned, lay.units // lay.owned
    turns = -(-pairs // _LANES)
    u_lanes, u_at_once, u_pairs, u_last, u_live = (
        np.uint32(n) for n in (_LANES, together * AT_ONCE, pairs, pairs - 1, lay.live)
    )
    u_values, u_step = np.uint32(lay.values), np.uint32(QUAD * lay.live)
    u_quads, u_rows, u_batch = (
        np.uint32(n) for n in (QUAD * lay.groups, lay.rows, lay.shape.batch)
    )
    u_groups, u_quad, u_threads = (np.uint32(n) for n in (lay.groups, QUAD, lay.threads))

    @device
    def squares(vectors: Any, item: Any, lane: Any) -> np.float32:
        """Sum every eighth square of a vector, from this lane's on."""
        t, rest = item // u_quads, item % u_quads
        e, group = rest // u_groups, rest % u_groups
        place = (t * u_values + e) * u_live + group * u_pairs
        total = _ZERO
        for n in range(turns):
            k = lane + np.uint32(n * _LANES)
            there = k < u_pairs
            k = min(k, u_last)  # reads without a branch are in flight together
            for own in range(owned):
                x = vectors[place + np.uint32(own) * u_step + k]
                total += x * x if there else _ZERO
        return total

    @device
    def measure(norms: Any, vectors: Any, totals: Any, steps: Any, tid: Any) -> None:
        """Compute ‖·‖² of each sequence's vector at steps 0 to T."""
        count = (steps + np.uint32(1)) * u_quads
        lane, mine = tid % u_lanes, tid // u_lanes
        first = np.uint32(0)
        while first < count:
            for n in range(AT_ONCE):
                item = first + np.uint32(n * together) + mine
                totals[n] = squares(vectors, min(item, count - np.uint32(1)), lane)
            for n in range(AT_ONCE):
                item = first + np.uint32(n * together) + mine
                total = totals[n]
                total += swap(total, 4)
                total += swap(total, 2)
                total += swap(total, 1)
                if item < count and lane == np.uint32(0):
                    t, rest = item // u_quads, item % u_quads
                    e, group = rest // u_groups, rest % u_groups
                    norms[t * u_rows + group * u_quad + e] = total
            first = np.uint32(first + u_at_once)

    @device
    def compare(
        factors: Any, d_squared: Any, v_squared: Any, steps: Any, tid: Any
    ) -> tuple[float, float]:
        """Write a factor for each pair; return this thread's sum of Ω's terms, and valid pairs.

        v_k = δ_k W_rec arrives at step k − 1; the factor of pair k is
        (‖v_k‖²/‖d_k‖² − 1) / ‖d_k‖², to be multiplied by 4 · weight / valid pairs.
        """
        total, valid = 0.0, 0.0
        for n in range(tid, steps * u_rows, u_threads):
            pair = np.uint32(n)
            if pair % u_rows < u_batch:
                norm = d_squared[pair + u_rows]
                factor = _ZERO
                if norm >= _BOUND:
                    excess = v_squared[pair] / norm - _ONE
                    factor = excess / norm
                    total += np.float64(excess * excess)
                    valid += 1.0
                factors[pair + u_rows] = factor
        return total, valid

    return OmegaTerms(measure, compare)
