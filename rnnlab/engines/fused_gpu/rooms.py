"""The memory of a layout on the card, for as many trials as train at once."""

import numpy as np

from rnnlab.data import GROUP
from rnnlab.engines.fused_gpu.card import as_words, empty, zeros
from rnnlab.engines.fused_gpu.kernel import Memory, places
from rnnlab.engines.fused_gpu.layout import Layout


def room(lay: Layout, slots: int, longest: int) -> Memory:
    """Make the memory.

    Args:
        lay: The layout.
        slots: Trials.
        longest: Most steps of a sequence.
    """
    shape, rows = lay.shape, lay.rows
    batches = max(lay.drawn, -(-GROUP // shape.batch))
    steps = (longest + 1) * lay.plane
    asked = shape.outputs if shape.numbers else (longest if shape.each_step else 1)
    answers = (longest if shape.each_step else 1) * shape.outputs * rows
    if shape.one_hot:
        drawn = zeros((slots, batches, 1, longest, rows), np.uint8)
        words = as_words(drawn, (slots, batches, longest * lay.groups))
        values = empty((slots, batches, 1), np.float32)
    else:
        drawn = zeros((slots, batches, shape.inputs, longest, rows), np.float64)
        words = empty((slots, batches, 1), np.uint32)
        values = zeros((slots, batches, longest * shape.inputs * rows), np.float32)
    derivatives = zeros((slots, steps), np.float32)
    return Memory(
        theta=zeros((slots, lay.parameters), np.float32),
        slopes=zeros((slots, lay.parameters), np.float32),
        totals=zeros((slots, 6), np.float64),
        measured=zeros((slots, 4), np.float64),
        ended=zeros((slots, 2), np.int64),
        drawn=drawn,
        words=words,
        values=values,
        targets=zeros((slots, batches, rows, asked), np.float64),
        history=zeros((slots, steps), np.float32),
        derivatives=derivatives,
        arrived=zeros((slots, steps), np.float32) if shape.each_step else derivatives,
        answers=zeros((slots, answers), np.float32),
        norms=zeros((slots, 3, (longest + 1) * rows), np.float32),
        sums=zeros((slots, places(lay).end), np.float32),
        wrong=zeros((1, 1), np.uint8),
    )
