"""Batches of sequences, drawn by a task's scalar function, compiled."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rnnlab.compiled import DRAW, compiled, drawer
from rnnlab.rng import WORD, below, words
from rnnlab.tasks.task import Task

GROUP = 240
"""Sequences of a check that have one number of steps: the first of them, the next, …"""


_FILL = (
    f"void(FunctionType({DRAW}), int64, int64, int64, int64, int64, int64[::1], "
    "float64[:, :, ::1], float64[:, ::1])"
)
_FILL_WORDS = "void(int64, int64, int64, int64, int64[:, ::1])"


class Batch(NamedTuple):
    """Sequences of one number of steps, and what is asked for."""

    inputs: Int[np.ndarray, "time batch"] | Float[np.ndarray, "time batch inputs"]
    """Symbols, as the index of the one that is not 0; or numbers."""
    targets: (
        Int[np.ndarray, " batch"]
        | Int[np.ndarray, "time batch"]
        | Float[np.ndarray, "batch outputs"]
    )
    """The class after the last step, the class at each, or the numbers after the last."""


def draw_batch(
    task: Task, *, seed: int, purpose: int, index: int, size: int, first: int = 0
) -> Batch:
    """Draw `size` sequences of a task.

    Args:
        task: The learning problem.
        seed: The trial's seed.
        purpose: What for: `rnnlab.rng.TRAIN`, `CHECK`, `PROBE` or `TEST`.
        index: Which update, check or test.
        size: How many sequences.
        first: The number of the first, a multiple of 240 where there are others before;
            sequence k is the same whatever `first` is.

    Returns:
        The batch; symbols and classes are int64, numbers float64.

    Example:
        >>> from rnnlab import TemporalOrder, rng
        >>> batch = draw_batch(
        ...     TemporalOrder(length=10), seed=0, purpose=rng.TRAIN, index=0, size=2)
        >>> batch.inputs.T
        array([[2, 0, 4, 4, 2, 0, 2, 5, 2, 3],
               [4, 1, 5, 2, 2, 0, 3, 2, 3, 2]])
        >>> batch.targets
        array([0, 1])
    """
    (steps,) = draw_steps(task, seed, purpose, index, 1, group=first // GROUP).tolist()
    inputs = np.empty((size, 1 if task.one_hot else task.inputs, steps))
    targets = np.empty((size, asked(task, steps)))
    compiled(_fill, _FILL)(
        drawer(task.draw_example),
        seed,
        purpose,
        index,
        first,
        steps,
        numbers(task),
        inputs,
        targets,
    )
    return Batch(_inputs(task, inputs), _targets(task, targets))


def draw_steps(
    task: Task, seed: int, purpose: int, index: int, count: int, group: int = 0
) -> Int[np.ndarray, " count"]:
    """Draw the number of steps of `count` batches: of updates `index`, … or of one check.

    Args:
        task: The learning problem.
        seed: The trial's seed.
        purpose: What for.
        index: Which update, check or test is the first.
        count: How many of them.
        group: Which 240 sequences of each.

    Raises:
        ValueError: If they are more than `Task.longest`.
    """
    drawn = np.zeros((count, 2), np.int64)
    if task.varies:
        compiled(_fill_words, _FILL_WORDS)(seed, purpose, index, group, drawn)
    return _steps(task, drawn)


def draw_steps_of_groups(
    task: Task, seed: int, purpose: int, index: int, groups: int
) -> Int[np.ndarray, " groups"]:
    """Draw the number of steps of each group of 240 sequences of a check or test."""
    found = [draw_steps(task, seed, purpose, index, 1, group=k) for k in range(groups)]
    return np.concatenate(found)


def asked(task: Task, steps: int) -> int:
    """Say how many targets a sequence has."""
    of = {
        "class_at_end": 1,
        "class_at_each_step": steps,
        "value_at_end": task.outputs,
    }
    return of[task.cost]


def numbers(task: Task) -> Int[np.ndarray, " settings"]:
    """Give a task's settings as an array, which compiled code wants."""
    return np.array(task.settings, np.int64)


def _steps(task: Task, drawn: Int[np.ndarray, "count 2"]) -> Int[np.ndarray, " count"]:
    length = np.full(len(drawn), task.length)
    if task.length_max is not None:
        length += below(drawn[:, 0], task.length_max - task.length)  # pyright: ignore[reportArgumentType]
    steps = np.asarray(task.steps(length, drawn[:, 1]), np.int64)  # pyright: ignore[reportArgumentType]
    if steps.max(initial=0) > task.longest:
        raise ValueError(
            f"{type(task).__name__}.steps gave {steps.max()} steps, but room is made for "
            f"{task.longest}, those of the longest length and the highest word. Let steps "
            "rise with both."
        )
    return steps


def _inputs(task: Task, drawn: Float[np.ndarray, "batch rows time"]) -> np.ndarray:
    if task.one_hot:
        return np.ascontiguousarray(drawn[:, 0].T).astype(np.int64)
    return np.ascontiguousarray(drawn.transpose(2, 0, 1))


def _targets(task: Task, drawn: Float[np.ndarray, "batch asked"]) -> np.ndarray:
    if task.cost == "value_at_end":
        return drawn
    classes = drawn.astype(np.int64)
    return classes[:, 0] if task.cost == "class_at_end" else np.ascontiguousarray(classes.T)


def _fill(
    draw: Callable[..., None],
    seed: int,
    purpose: int,
    index: int,
    first: int,
    steps: int,
    settings: np.ndarray,
    inputs: np.ndarray,
    targets: np.ndarray,
) -> None:
    """Draw sequence after sequence; compiled before use."""
    for k in range(targets.shape[0]):
        draw(seed, purpose, index, first + k, steps, settings, inputs[k], targets[k])


def _fill_words(seed: int, purpose: int, index: int, group: int, drawn: np.ndarray) -> None:
    """Draw two words of each batch, in place of a sequence that no batch reaches."""
    for k in range(drawn.shape[0]):
        block = words(seed, purpose, index + k, WORD, group)
        drawn[k, 0] = block[0]
        drawn[k, 1] = block[1]
