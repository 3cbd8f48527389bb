"""A sweep: a name, distinct trials, and how long to train them."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rnnlab import Trial
from rnnlab.spec import SHOWN_DIGITS, require_budget
from rnnlab.tasks import TASKS
from sweeps.errors import SweepError
from sweeps.spec.where import select


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All trials of one question."""

    name: str
    """Names the results folder: letters, digits, `_` and `-`."""
    trials: list[Trial]
    """Distinct trials."""
    budget: int
    """Updates at most, a multiple of every trial's `check_every`."""
    quick_budget: int
    """Updates at most under `--quick`."""
    quick_where: str | None = None
    """The part of the trials that `--quick` trains, as a `--where` expression."""

    def __post_init__(self) -> None:
        """Refuse an empty sweep, a bad name, bad budgets and repeated trials.

        Raises:
            ValueError: Naming what is wrong.
        """
        if not self.name or self.name.strip("-_") == "" or not _is_plain(self.name):
            raise ValueError(
                f"A sweep's name is made of letters, digits, _ and -, got {self.name!r}."
            )
        if not isinstance(self.trials, list):
            raise ValueError(
                f"Sweep {self.name!r}: trials must be a list, got {self.trials!r}. "
                "Write the comprehension in square brackets."
            )
        if not self.trials:
            raise ValueError(f"Sweep {self.name!r} has no trials. List at least one.")
        self._require_known_tasks()
        self.require_budget(self.budget)
        self.require_budget(self.quick_budget)
        try:
            select(self.trials, self.quick_where)
        except SweepError as error:
            raise ValueError(f"Sweep {self.name!r}: its quick_where: {error}") from None
        counts = Counter(trial.trial_id for trial in self.trials)
        repeated = [trial_id for trial_id, count in counts.items() if count > 1]
        if repeated:
            surplus = len(self.trials) - len(counts)
            raise ValueError(
                f"Sweep {self.name!r} repeats {surplus} trials, "
                f"first {repeated[0][:SHOWN_DIGITS]}. "
                "Drop the loop variable that changes nothing, or vary `seed`."
            )

    def _require_known_tasks(self) -> None:
        """Refuse a task that workers and readers of the results would not find."""
        for kind in {type(trial.task) for trial in self.trials} - set(TASKS):
            raise ValueError(
                f"Sweep {self.name!r}: the task {kind.__name__} stands in {kind.__module__}, "
                "where a worker cannot find it. Give it a file in rnnlab/tasks and a line in "
                "rnnlab/tasks/__init__.py; docs/how-to/add-a-task.md shows how."
            )

    def require_budget(self, budget: int) -> None:
        """Refuse a budget at which some trial would end between two checks.

        Raises:
            ValueError: If it is not a positive multiple of each trial's `check_every`.
        """
        require_budget(math.lcm(*(trial.check_every for trial in self.trials)), budget)


def _is_plain(name: str) -> bool:
    kept = name.replace("-", "").replace("_", "")
    return kept.isascii() and kept.isalnum() and Path(name).name == name
