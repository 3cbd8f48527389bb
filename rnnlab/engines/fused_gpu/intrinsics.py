"""What differs between a card and Numba's simulator of one: everything else is shared.

In the simulator (`NUMBA_ENABLE_CUDASIM=1`, set before Numba is imported) a device function is
plain Python. It must not use `cuda`, which the simulator replaces while a function of that
module runs: another thread may put it back too early. So only kernels and these do.
"""

from collections.abc import Callable
from typing import Any

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
from numba.core import config

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))

if SIMULATED:
    from rnnlab.engines.fused_gpu import simulator as _asked
else:
    from rnnlab.engines.fused_gpu import block as _asked

any_of: Any = _asked.any_of
barrier: Any = _asked.barrier
divide: Any = _asked.divide
prefetch: Any = _asked.prefetch
separate: Any = _asked.separate
swap: Any = _asked.swap
thread: Any = _asked.thread
whole: Any = _asked.whole

ALIGNMENT = None if SIMULATED else 16
"""Bytes: the reads of four floats side by side become one of 128 bits."""

cuda: Any = numba.cuda


def device(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of the kernels that call it."""
    return function if SIMULATED else cuda.jit(device=True, forceinline=True)(function)


def routine(function: Callable[..., Any]) -> Any:
    """Compile a function that has arrays of its own; of a kernel's module only."""
    return function if SIMULATED else cuda.jit(device=True)(function)
