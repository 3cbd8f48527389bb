"""What differs between a card and Numba's simulator of one: everything else is shared.

In the simulator (`NUMBA_ENABLE_CUDASIM=1`, set before Numba is imported) a device function is
plain Python, which needs no `cuda` of its own: two threads would swap it under each other.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config

SIMULATED = bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]

ALIGNMENT = None if SIMULATED else 16
"""Bytes: the reads of four floats side by side become one of 128 bits."""

_ALL = 0xFFFFFFFF


def device(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of the kernels that call it."""
    if SIMULATED:
        return function
    return cuda.jit(device=True, forceinline=True)(function)


def routine(function: Callable[..., Any]) -> Any:
    """Compile a function with registers of its own: kernels call it."""
    if SIMULATED:
        return function
    return cuda.jit(device=True)(function)


if SIMULATED:
    from numba.cuda.simulator import kernel as _simulator

    _passed = np.zeros(1024)

    def barrier() -> None:
        """Wait until each thread of the block has arrived."""
        _block().syncthreads()

    def any_of(truth: bool) -> bool:
        """Return whether it is true in any thread of the block, to each of them."""
        return bool(_block().syncthreads_or(truth))

    def separate() -> None:
        """Keep the compiler from moving reads across this line: they would fill registers."""

    def thread() -> np.uint32:
        """Return the index of this thread in its block."""
        return np.uint32(threading.current_thread().threadIdx.x)  # pyright: ignore

    def swap(value: np.float32, lanes: int) -> np.float32:
        """Return the value of the thread whose index differs in the bits `lanes`."""
        mine = int(thread())
        _passed[mine] = value
        barrier()
        theirs = np.float32(_passed[mine ^ lanes])
        barrier()
        return theirs

    def divide(a: np.float32, b: np.float32) -> np.float32:
        """Return a/b, within 2 units in the last place, for b from 2^−126 to 2^126."""
        return a / b

    def whole(number: int) -> int:
        """Return a number as a signed 64-bit integer."""
        return int(number)

    def _block() -> Any:
        return _simulator._get_kernel_context()

else:

    @device
    def barrier() -> None:
        """Wait until each thread of the block has arrived."""
        cuda.syncthreads()

    @device
    def any_of(truth: bool) -> bool:
        """Return whether it is true in any thread of the block, to each of them."""
        return cuda.syncthreads_or(np.int32(truth)) != 0

    @device
    def separate() -> None:
        """Keep the compiler from moving reads across this line: they would fill registers."""
        cuda.syncwarp()

    @device
    def thread() -> np.uint32:
        """Return the index of this thread in its block."""
        return np.uint32(cuda.threadIdx.x)

    @device
    def swap(value: np.float32, lanes: int) -> np.float32:
        """Return the value of the thread whose index differs in the bits `lanes`."""
        return cuda.shfl_xor_sync(_ALL, value, lanes)

    @device
    def divide(a: np.float32, b: np.float32) -> np.float32:
        """Return a/b, within 2 units in the last place, for b from 2^−126 to 2^126."""
        return cuda.libdevice.fast_fdividef(a, b)

    @device
    def whole(number: int) -> int:
        """Return a number as a signed 64-bit integer."""
        return np.int64(number)
