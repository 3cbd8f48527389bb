"""The learning problems, one a file.

A task is a frozen dataclass with

- `length`: the sequence length asked for, in steps;
- `inputs`, `outputs`: how many input channels and classes it has;
- `draw_example(seed, purpose, index, example, length, symbols) -> target`: a scalar
  function of plain Python that Numba compiles. It writes one symbol (0 to `inputs` − 1,
  one-hot) a step into `symbols` and returns the class asked for after the last step.

To add one: a new file like `temporal_order.py`, and its name in the union below.
"""

from rnnlab.tasks.temporal_order import TemporalOrder

Task = TemporalOrder

__all__ = ["Task", "TemporalOrder"]
