"""Batches of sequences, drawn by a task's scalar function, compiled."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from rnnlab.compiled import compiled, drawer
from rnnlab.tasks import Task


class Batch(NamedTuple):
    """One-hot symbols, as the index of the one, and the class asked for after the last."""

    symbols: Int[np.ndarray, "time batch"]
    targets: Int[np.ndarray, " batch"]


def draw_batch(
    task: Task, *, seed: int, purpose: int, index: int, size: int, first: int = 0
) -> Batch:
    """Draw `size` sequences of a task.

    Args:
        task: The learning problem.
        seed: The trial's seed.
        purpose: What for: `rnnlab.rng.TRAIN`, `CHECK` or `PROBE`.
        index: Which update or check.
        size: How many sequences.
        first: The number of the first; sequence k is the same whatever `first` is.

    Returns:
        Symbols (time, batch) and targets (batch), both int64.

    Example:
        >>> from rnnlab import TemporalOrder, rng
        >>> batch = draw_batch(
        ...     TemporalOrder(length=10), seed=0, purpose=rng.TRAIN, index=0, size=2)
        >>> batch.symbols.T
        array([[2, 0, 4, 4, 2, 0, 2, 5, 2, 3],
               [4, 1, 5, 2, 2, 0, 3, 2, 3, 2]])
        >>> batch.targets
        array([0, 1])
    """
    symbols = np.empty((size, task.length), dtype=np.int64)
    targets = np.empty(size, dtype=np.int64)
    draw = drawer(task.draw_example)
    compiled(_fill)(draw, seed, purpose, index, first, task.length, symbols, targets)
    return Batch(np.ascontiguousarray(symbols.T), targets)


def _fill(
    draw: Callable[..., int],
    seed: int,
    purpose: int,
    index: int,
    first: int,
    length: int,
    symbols: np.ndarray,
    targets: np.ndarray,
) -> None:
    """Draw sequence after sequence; compiled before use."""
    for example in range(targets.shape[0]):
        targets[example] = draw(
            seed, purpose, index, first + example, length, symbols[example]
        )
