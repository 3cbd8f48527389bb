"""Memory layout: padded, aligned arrays.

A row of hidden units is padded with zeros to a multiple of 16 floats, and begins on a
cache line. Padding stays zero: everything computed from zeros alone is 0.

Compiled code receives addresses, not arrays: Numba counts references to an array at each
function call, which costs more than a step of a small network.
"""

from typing import NamedTuple

import numpy as np

from rnnlab.engines.fused_cpu.microkernel import LANES

_LINE_BYTES = 64


class Shape(NamedTuple):
    """The sizes of a network and a batch, and the kinds of inputs and targets."""

    inputs: int
    hidden: int
    outputs: int
    longest: int
    """Maximum number of steps of a sequence."""
    batch: int
    one_hot: bool
    """Whether a step's input is a symbol; otherwise it is `inputs` numbers."""
    each_step: bool
    """Whether there is a target class at each step."""
    numbers: bool
    """Whether the targets are numbers, not classes."""

    @property
    def width(self) -> int:
        """Hidden units with their padding."""
        return padded(self.hidden)

    @property
    def answers(self) -> int:
        """Outputs with their padding."""
        return padded(self.outputs)


class Network(NamedTuple):
    """Addresses of the parameters, or of their gradients, in one float32 array.

    Hidden units run along `width`, a multiple of 16, and outputs along `answers`.
    """

    flat: int
    """All of them, in the order below."""
    floats: int
    """Their number, including padding."""
    w_rec: int
    """(hidden, width): row i holds the weights into unit i."""
    w_in: int
    """(inputs, width): row s holds the weights from input s."""
    bias: int
    """(width)"""
    w_out: int
    """(outputs, width)"""
    bias_out: int
    """(answers)"""


class Work(NamedTuple):
    """Sizes, and addresses of an update's inputs and intermediate results."""

    inputs: int
    hidden: int
    outputs: int
    longest: int
    batch: int
    one_hot: bool
    each_step: bool
    numbers: bool
    width: int
    answers: int
    block: int
    """Steps in one product for the gradient of W_rec."""
    places: int
    """Steps that `h` holds: all of the longest sequence and h_0, or two if only h_T is needed."""
    back_places: int
    """Steps that `v` holds: all plus one for Ω, otherwise one more than a block."""
    rides: bool
    """Whether the inputs, and a 1 after numbers, fit into the padding of a row."""
    settings: int
    """(settings), int64: parameters of the task."""
    setting_count: int
    drawn: int
    """(rows, longest), float64: the inputs of the sequence being drawn."""
    drawn_targets: int
    """(targets), float64: its targets."""
    symbols: int
    """(batch, longest), int64: the one-hot inputs."""
    values: int
    """(batch, longest, inputs): the inputs in numbers."""
    classes: int
    """(steps, batch), int64: the target classes, at each step or at the last."""
    wanted: int
    """(batch, outputs): the target numbers."""
    counting: int
    """0, 1, 2, …, int64: the rows of an array, in order."""
    zero: int
    """(width): 0."""
    half: int
    """(width): ½ for a unit, 0 for padding."""
    w_rec_t: int
    """(hidden, width): W_recᵀ."""
    w_out_t: int
    """(hidden, answers): W_outᵀ."""
    arriving: int
    """(inputs, width): W_in u + b for each symbol."""
    from_bias: int
    """(answers): b_out; before a softmax, padding is very negative."""
    bias_sums: int
    """(answers), float64: ∂C/∂b_out while it is summed."""
    y: int
    """(batch, answers), or that for each step: y = W_out h + b_out, then ∂C/∂y."""
    h: int
    """(places, batch, width): h_0..h_T."""
    v: int
    """(back_places, batch, width): at t, v_{t+1}, which arrives through the recurrence;
    at T, the derivative of the cost."""
    d: int
    """(batch, width): d_t with a cost at each step; otherwise d_t is in `v`."""
    delta: int
    """(block, batch, width): δ of the current block of steps."""
    v_squared: int
    """(longest + 1, batch): ‖v_1‖²..‖v_T‖²."""
    d_squared: int
    """(longest + 1, batch): ‖d_0‖²..‖d_T‖². If d_t = v_{t+1}, the same memory."""
    factor: int
    """(longest + 1, batch): the multiple of v_t that is added to h_{t−1} for Ω."""
    sums: int
    """(batch): Ω's terms of each example."""
    shifted: int
    """(block, batch, width): h_{t−1} + factor_t v_t."""


class Memory:
    """Owns the arrays whose addresses compiled code uses."""

    def __init__(self) -> None:
        """Start without arrays."""
        self._owned: list[np.ndarray] = []

    def floats(self, *shape: int) -> np.ndarray:
        """Allocate float32 zeros, aligned to a cache line."""
        size = int(np.prod(shape))
        raw = np.zeros(4 * size + _LINE_BYTES, np.uint8)
        first = -raw.ctypes.data % _LINE_BYTES
        return self.keep(raw[first : first + 4 * size].view(np.float32).reshape(shape))

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Keep an array alive as long as this object."""
        self._owned.append(array)
        return array


def padded(count: int) -> int:
    """Round up to a whole number of vectors."""
    return -(-count // LANES) * LANES


class Arrays(NamedTuple):
    """The parameters, or their gradients, as padded arrays: views of one flat array."""

    flat: np.ndarray
    w_rec: np.ndarray
    w_in: np.ndarray
    bias: np.ndarray
    w_out: np.ndarray
    bias_out: np.ndarray

    @property
    def network(self) -> Network:
        """The addresses."""
        places = [array.ctypes.data for array in self]
        return Network(places[0], self.flat.size, *places[1:])


def arrays(shape: Shape, memory: Memory) -> Arrays:
    """Allocate memory for the parameters of a network."""
    shapes = [
        (shape.hidden, shape.width),
        (shape.inputs, shape.width),
        (shape.width,),
        (shape.outputs, shape.width),
        (shape.answers,),
    ]
    ends = np.cumsum([int(np.prod(each)) for each in shapes])
    flat = memory.floats(int(ends[-1]))
    parts = np.split(flat, ends[:-1])
    views = [part.reshape(each) for part, each in zip(parts, shapes, strict=True)]
    return Arrays(flat, *views)


class Given(NamedTuple):
    """The arrays that a batch is copied into; those of unused kinds are empty."""

    symbols: np.ndarray
    values: np.ndarray
    classes: np.ndarray
    wanted: np.ndarray


def work(
    shape: Shape,
    settings: tuple[int, ...],
    memory: Memory,
    *,
    block: int,
    places: int,
    back_places: int,
) -> tuple[Work, Given]:
    """Allocate memory for one batch shape.

    Args:
        shape: The sizes.
        settings: Parameters of the task.
        memory: Owner of the arrays.
        block: Steps in one product for the gradient of W_rec.
        places: Steps of h to keep: longest + 1 to train, 2 if only the last one is needed.
        back_places: Steps of v to keep: longest + 1 for Ω, block + 1 without Ω, 0 for none.
    """
    longest, batch, hidden, inputs = shape.longest, shape.batch, shape.hidden, shape.inputs
    width, answers = shape.width, shape.answers
    half = memory.floats(width)
    half[:hidden] = 0.5
    steps = longest if shape.each_step else 1
    of_symbols, of_values = (inputs, 0) if shape.one_hot else (0, inputs)
    of_classes, of_numbers = (0, shape.outputs) if shape.numbers else (steps, 0)
    given = Given(
        symbols=memory.keep(np.zeros((batch, min(1, of_symbols) * longest), np.int64)),
        values=memory.floats(batch, longest, of_values),
        classes=memory.keep(np.zeros((of_classes, batch), np.int64)),
        wanted=memory.floats(batch, of_numbers),
    )
    v_squared = memory.floats(longest + 1, batch).ctypes.data
    room = Work(
        *shape,
        width=width,
        answers=answers,
        block=block,
        places=places,
        back_places=back_places,
        rides=width - hidden >= inputs + (not shape.one_hot),
        settings=memory.keep(np.array(settings, np.int64)).ctypes.data,
        setting_count=len(settings),
        drawn=memory.keep(np.zeros((max(1, of_values), longest))).ctypes.data,
        drawn_targets=memory.keep(np.zeros(max(of_classes, of_numbers))).ctypes.data,
        symbols=given.symbols.ctypes.data,
        values=given.values.ctypes.data,
        classes=given.classes.ctypes.data,
        wanted=given.wanted.ctypes.data,
        counting=memory.keep(np.arange(max(hidden, shape.outputs, batch))).ctypes.data,
        zero=memory.floats(width).ctypes.data,
        half=half.ctypes.data,
        w_rec_t=memory.floats(hidden, width).ctypes.data,
        w_out_t=memory.floats(hidden, answers).ctypes.data,
        arriving=memory.floats(of_symbols, width).ctypes.data,
        from_bias=memory.floats(answers).ctypes.data,
        bias_sums=memory.keep(np.zeros(answers)).ctypes.data,
        y=memory.floats(steps, batch, answers).ctypes.data,
        h=memory.floats(places, batch, width).ctypes.data,
        v=memory.floats(back_places, batch, width).ctypes.data,
        d=memory.floats(batch if shape.each_step else 0, width).ctypes.data,
        delta=memory.floats(block, batch, width).ctypes.data,
        v_squared=v_squared,
        d_squared=memory.floats(longest + 1, batch).ctypes.data
        if shape.each_step
        else v_squared,
        factor=memory.floats(longest + 1, batch).ctypes.data,
        sums=memory.floats(batch).ctypes.data,
        shifted=memory.floats(block, batch, width).ctypes.data,
    )
    return room, given
