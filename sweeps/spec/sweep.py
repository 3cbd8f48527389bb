"""A sweep: a name, distinct trials, and how long to train them."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.spec.trial_type import TrialType, type_of
from sweeps.spec.where import select
from sweeps.store.trial_id import SHOWN_DIGITS, id_of


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All trials of one question."""

    name: str
    """Names the results folder: letters, digits, `_` and `-`."""
    trials: Sequence[Any]
    """Distinct trials of one type; see `sweeps.spec.trainer`."""
    budget: int
    """Maximum number of updates, a multiple of every trial's `check_every`."""
    quick_budget: int | None = None
    """Maximum number of updates under `--quick`; None: there is no quick preset."""
    quick_where: str | None = None
    """The part of the trials that `--quick` trains, as a `--where` expression."""

    def __post_init__(self) -> None:
        """Reject an empty sweep, an invalid name or budget, and repeated trials.

        Raises:
            ValueError: With what is wrong.
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
        self._require_one_type()
        self.require_budget(self.budget)
        if self.quick_budget is not None:
            self.require_budget(self.quick_budget)
        try:
            select(self.trials, self.quick_where)
        except SweepError as error:
            raise ValueError(f"Sweep {self.name!r}: its quick_where: {error}") from None
        counts = Counter(id_of(trial) for trial in self.trials)
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            surplus = len(self.trials) - len(counts)
            raise ValueError(
                f"Sweep {self.name!r} repeats {surplus} trials, "
                f"first {repeated[0][:SHOWN_DIGITS]}. "
                "Drop the loop variable that changes nothing, or vary `seed`."
            )

    @property
    def type(self) -> TrialType:
        """The type of its trials."""
        return type_of(type(self.trials[0]))

    def _require_one_type(self) -> None:
        """Reject trials of several types, and trials that cannot be trained."""
        kinds = list(dict.fromkeys(type(trial) for trial in self.trials))
        if len(kinds) > 1:
            names = ", ".join(each.__name__ for each in kinds)
            raise ValueError(
                f"Sweep {self.name!r} has trials of several types: {names}. Make a sweep of "
                "each, or one type with a field that distinguishes them."
            )
        try:
            _ = self.type
        except ValueError as error:
            raise ValueError(f"Sweep {self.name!r}: {error}") from None

    def require_budget(self, budget: int) -> None:
        """Reject a budget at which a trial would end between two checks.

        Raises:
            ValueError: If it is not a positive multiple of each trial's `check_every`.
        """
        for each in {trial.check_every for trial in self.trials}:
            if isinstance(each, bool) or not isinstance(each, int) or each < 1:
                raise ValueError(
                    f"check_every is {each!r}, but it must be a whole number of updates, at "
                    "least 1."
                )
        require_multiple(math.lcm(*(trial.check_every for trial in self.trials)), budget)


def require_multiple(check_every: int, budget: int) -> None:
    """Reject a budget that does not end on a check.

    Args:
        check_every: Updates between two checks.
        budget: Maximum number of updates.

    Raises:
        ValueError: If the budget is not a positive multiple of `check_every`.
    """
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise ValueError(
            f"A budget must be a whole number of updates, got {budget!r}. "
            "Write 5_000_000 rather than 5e6."
        )
    if budget < 1 or budget % check_every:
        nearest = max(check_every, round(budget / check_every) * check_every)
        raise ValueError(
            f"The budget is {budget} updates, but checks come every {check_every} and a "
            f"trial ends on one. Choose a positive multiple of {check_every}, "
            f"such as {nearest}."
        )


def _is_plain(name: str) -> bool:
    kept = name.replace("-", "").replace("_", "")
    return kept.isascii() and kept.isalnum() and Path(name).name == name
