"""The learning problems, one per file, each a subclass of `Task`.

To add one, write a new file like `temporal_order.py`, and add a line below.
"""

from rnnlab.tasks.addition import Addition as Addition
from rnnlab.tasks.memorisation import Memorisation as Memorisation
from rnnlab.tasks.multiplication import Multiplication as Multiplication
from rnnlab.tasks.random_permutation import RandomPermutation as RandomPermutation
from rnnlab.tasks.task import Cost as Cost
from rnnlab.tasks.task import Task as Task
from rnnlab.tasks.temporal_order import TemporalOrder as TemporalOrder
from rnnlab.tasks.three_bit_order import ThreeBitOrder as ThreeBitOrder

TASKS: tuple[type[Task], ...] = tuple(Task.__subclasses__())
"""All of them, in the order of the lines above."""
