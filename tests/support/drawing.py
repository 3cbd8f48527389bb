"""Tasks of any length, and their sequences as lists, drawn by compiled or plain Python."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from rnnlab import Task
from rnnlab.data import Batch, asked

Kind = TypeVar("Kind", bound=Task)

UNWRITTEN = -1.0
"""What no task draws."""

seeds = st.integers(0, 2**32 - 1)
indices = st.integers(0, 2**40)


class Sequence(NamedTuple):
    """One sequence of a batch."""

    inputs: list[list[float]]
    """A row of symbols, or a row for each number of a step."""
    targets: list[float]


@st.composite
def of_any_length(draw: st.DrawFn, kind: Callable[..., Kind], most: int = 200) -> Kind:
    """A task of one length, or of lengths drawn from a range."""
    length = draw(st.integers(kind().shortest, most))
    length_max = draw(st.none() | st.integers(length + 1, length + most))
    return kind(length=length, length_max=length_max)


def sequences(batch: Batch) -> list[Sequence]:
    inputs, targets = batch
    by_step = inputs if inputs.ndim == 3 else inputs[:, :, None]
    each_step = targets.ndim == 2 and targets.dtype.kind == "i"
    by_sequence = targets.T if each_step else targets.reshape(inputs.shape[1], -1)
    return [
        Sequence(by_step[:, k].T.tolist(), by_sequence[k].tolist())
        for k in range(inputs.shape[1])
    ]


def plainly(
    task: Task, seed: int, purpose: int, index: int, example: int, steps: int
) -> Sequence:
    """Draw one sequence in plain Python."""
    rows = 1 if task.one_hot else task.inputs
    inputs = [[UNWRITTEN] * steps for _ in range(rows)]
    targets = [UNWRITTEN] * asked(task, steps)
    settings = task.settings
    task.draw_example(seed, purpose, index, example, steps, settings, inputs, targets)
    return Sequence(inputs, targets)
