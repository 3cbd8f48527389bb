"""The science: a `Trial` in, a `Result` out. No Ray, no Parquet, no command line.

Nouns are exported here; verbs are imported from their module, as in
`from rnnlab.train import train`.
"""

from rnnlab.result import Check, Result
from rnnlab.spec import Activation, Initialiser, Outcome, Stop, Trial
from rnnlab.tasks import Task, TemporalOrder

__all__ = [
    "Activation",
    "Check",
    "Initialiser",
    "Outcome",
    "Result",
    "Stop",
    "Task",
    "TemporalOrder",
    "Trial",
]
