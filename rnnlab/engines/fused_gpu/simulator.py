"""What a thread may ask of its block, in Numba's simulator: see `intrinsics`."""

import threading
from typing import Any

import numpy as np
from numba.cuda.simulator import kernel  # pyright: ignore[reportMissingTypeStubs]

MOST_THREADS = 1024

_simulator: Any = kernel
_swapped = np.zeros(MOST_THREADS)


def barrier() -> None:
    """Wait until each thread of the block has arrived."""
    _block().syncthreads()


def any_of(truth: Any) -> bool:
    """Return to each thread of the block whether it is true in any of them."""
    return bool(_block().syncthreads_or(truth))


def separate() -> None:
    """Keep the compiler from moving reads across this line: they would fill registers."""


def thread() -> np.uint32:
    """Return the index of this thread in its block."""
    current: Any = threading.current_thread()
    return np.uint32(current.threadIdx.x)


def swap(value: np.float32, lanes: int) -> np.float32:
    """Return the value of the thread whose index differs in the bits `lanes`."""
    mine = int(thread())
    _swapped[mine] = value
    barrier()
    theirs = np.float32(_swapped[mine ^ lanes])
    barrier()
    return theirs


def divide(a: np.float32, b: np.float32) -> np.float32:
    """Return a/b, within 2 units in the last place, for b from 2^−126 to 2^126."""
    return a / b


def prefetch(array: Any, place: Any) -> None:
    """Ask for the line of memory with an entry; it must be there."""
    array[place]


def whole(number: Any) -> int:
    """Return a number as a signed 64-bit integer."""
    return int(number)


def _block() -> Any:
    return _simulator._get_kernel_context()
