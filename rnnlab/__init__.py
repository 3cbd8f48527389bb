"""The science: a `Trial` in, a `Result` out. No Ray, no Parquet, no command line.

Nouns are exported here; verbs are imported from their module, as in
`from rnnlab.train import train`.
"""

from rnnlab.result import Check, Result
from rnnlab.spec import Activation, Initialiser, Outcome, Stop, Trial
from rnnlab.tasks import (
    Addition,
    Memorisation,
    Multiplication,
    RandomPermutation,
    Task,
    TemporalOrder,
    ThreeBitOrder,
)

__all__ = [
    "Activation",
    "Addition",
    "Check",
    "Initialiser",
    "Memorisation",
    "Multiplication",
    "Outcome",
    "RandomPermutation",
    "Result",
    "Stop",
    "Task",
    "TemporalOrder",
    "ThreeBitOrder",
    "Trial",
]
