"""Arrays on the card; in Numba's simulator they are ordinary arrays."""

from typing import Any

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from rnnlab.engines.fused_gpu.intrinsics import SIMULATED

cuda: Any = numba.cuda

BLOCKS = 2
"""Trials that a multiprocessor trains at once: while one waits, the other computes."""
SIMULATED_SLOTS = 4


def require_card() -> None:
    """Refuse to work without a card.

    Raises:
        RuntimeError: If there is none; naming the remedy.
    """
    if not SIMULATED and not cuda.is_available():
        raise RuntimeError(
            "The engine fused_gpu needs an NVIDIA GPU and its driver, and finds none. Train "
            "with the engine fused_cpu, or check what `nvidia-smi` prints."
        )


def card() -> str:
    """Return the compute capability of the card, such as "9.0"."""
    if SIMULATED:
        return "simulator"
    major, minor = cuda.get_current_device().compute_capability
    return f"{major}.{minor}"


def slots() -> int:
    """Return how many trials fill the card."""
    if SIMULATED:
        return SIMULATED_SLOTS
    return BLOCKS * cuda.get_current_device().MULTIPROCESSOR_COUNT


def put(array: np.ndarray) -> Any:
    """Copy an array to the card."""
    return array.copy() if SIMULATED else cuda.to_device(np.ascontiguousarray(array))


def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """Make an array of zeros on the card."""
    return put(np.zeros(shape, dtype))


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """Make an array on the card whose content is never read before it is written."""
    if SIMULATED:
        return np.zeros(shape, dtype)
    return cuda.device_array(shape, dtype)


def overwrite(target: Any, source: np.ndarray) -> None:
    """Copy an array into one on the card."""
    if SIMULATED:
        target[...] = source
    else:
        target.copy_to_device(np.ascontiguousarray(source))


def get(array: Any) -> np.ndarray:
    """Copy an array from the card."""
    return array.copy() if SIMULATED else array.copy_to_host()


def as_words(array: Any, shape: tuple[int, ...]) -> Any:
    """Return the same bytes as 32-bit words."""
    return array.view(np.uint32).reshape(shape)
