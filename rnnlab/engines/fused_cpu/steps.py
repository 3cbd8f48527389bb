"""The address of a step in an array of steps."""

from numba import njit

from rnnlab.engines.fused_cpu.network import Work
from rnnlab.engines.fused_cpu.products import FLOAT_BYTES


@njit(error_model="numpy", nogil=True)
def step_of(base: int, t: int, work: Work) -> int:
    """Return the address of step t of an array (time, batch, width)."""
    return base + FLOAT_BYTES * t * work.batch * work.width
