"""Draw batches of sequences with a task's compiled scalar function."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rnnlab.compiled import DRAW, compiled, drawer
from rnnlab.rng import WORD, below, words
from rnnlab.tasks.task import Task

GROUP = 240
"""A check's consecutive groups of this many sequences have one number of steps each."""


_FILL = (
    f"void(FunctionType({DRAW}), int64, int64, int64, int64, int64, int64[::1], "
    "float64[:, :, ::1], float64[:, ::1])"
)
_FILL_WORDS = "void(int64, int64, int64, int64, int64[:, ::1])"


class Batch(NamedTuple):
    """Sequences with the same number of steps, and their targets."""

    inputs: Int[np.ndarray, "time batch"] | Float[np.ndarray, "time batch inputs"]
    """Symbols, as the index of the one-hot entry; or numbers."""
    targets: (
        Int[np.ndarray, " batch"]
        | Int[np.ndarray, "time batch"]
        | Float[np.ndarray, "batch outputs"]
    )
    """The class after the last step, the class at each step, or the numbers after the last."""


def draw_batch(
    task: Task, *, seed: int, purpose: int, index: int, size: int, first: int = 0
) -> Batch:
    """Draw `size` sequences of a task.

    Args:
        task: The learning problem.
        seed: The trial's seed.
        purpose: `rnnlab.rng.TRAIN`, `CHECK`, `PROBE` or `TEST`.
        index: Index of the update, check or test.
        size: Number of sequences.
        first: Index of the first sequence, a multiple of 240 for a later part of a check;
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
    """Draw the number of steps of `count` batches, from update, check or test `index` on.

    Args:
        task: The learning problem.
        seed: The trial's seed.
        purpose: As for `draw_batch`.
        index: Index of the first update, check or test.
        count: Number of batches.
        group: Index of the group of 240 sequences in each.

    Raises:
        ValueError: If a batch has more steps than `Task.longest`.
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
    """Return how many targets a sequence has."""
    of = {
        "class_at_end": 1,
        "class_at_each_step": steps,
        "value_at_end": task.outputs,
    }
    return of[task.cost]


def numbers(task: Task) -> Int[np.ndarray, " settings"]:
    """Return a task's settings as an array, for compiled code."""
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
    """Draw all sequences; compiled before use."""
    for k in range(targets.shape[0]):
        draw(seed, purpose, index, first + k, steps, settings, inputs[k], targets[k])


def _fill_words(seed: int, purpose: int, index: int, group: int, drawn: np.ndarray) -> None:
    """Draw two words per batch, at an example index that no batch reaches."""
    for k in range(drawn.shape[0]):
        block = words(seed, purpose, index + k, WORD, group)
        drawn[k, 0] = block[0]
        drawn[k, 1] = block[1]
