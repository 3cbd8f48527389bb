"""A trial is a value: everything that determines one training run, and its id.

Equal trials have the same `trial_id`, a hash of their content. The budget, in updates, is
not content: raising it later continues the same trial.
"""

import dataclasses
import functools
import hashlib
import json
import sys
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from rnnlab.tasks.task import Task
from rnnlab.tasks.temporal_order import TemporalOrder

Initialiser = Literal["sigmoid", "basic_tanh", "smart_tanh"]
Activation = Literal["logistic", "tanh"]
ClipBy = Literal["norm", "value"]
Stop = Literal["below_1_percent", "zero_errors"]
Outcome = Literal["solved", "unsolved", "diverged"]

TRIAL_ID_DIGITS = 32
SHOWN_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run: equal trials give equal results."""

    task: Task = field(default_factory=TemporalOrder)
    """The learning problem."""

    init: Initialiser = "smart_tanh"
    """How parameters are drawn, and with it the unit: logistic for `sigmoid`, tanh for the others."""

    hidden: int = 50
    """Hidden units, 1 to 512."""

    batch: int = 20
    """Sequences per update."""

    lr: float = 1e-2
    """Constant learning rate of plain SGD."""

    clip_norm: float | None = 1.0
    """Threshold on the global gradient norm (Algorithm 1), or on each entry of the gradient;
    None trains without clipping."""

    clip_by: ClipBy = "norm"
    """Clip the global norm, or each entry (Mikolov's variant)."""

    clip_multiple: float | None = None
    """Clip at this multiple of the mean gradient norm that is measured while clipping at
    `clip_norm`; see `rnnlab.threshold`. None clips at `clip_norm` itself."""

    omega_weight: float = 0.0
    """Weight of the regulariser Ω (Eq. 9); 0 trains without it."""

    repair_nonfinite: bool = False
    """Replace the step by W_rec ← (1 − 0.02·lr) W_rec where the norm is not finite or above 1e10."""

    check_every: int = 2000
    """Updates between two checks on fresh sequences."""

    stop: Stop = "below_1_percent"
    """Which check ends the trial: the first with under 1 % wrong, or the first with none wrong."""

    test_lengths: tuple[int, ...] = ()
    """Lengths at which a solved trial is tested, on 10,000 fresh sequences each."""

    seed: int = 0
    """Replicate: determines every random number of the trial."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained.

        Raises:
            ValueError: Naming the field, its value and the remedy.
        """
        if not isinstance(self.task, Task):
            raise ValueError(
                f"task must be a task such as TemporalOrder(length=100), got {self.task!r}."
            )
        _require_choice("init", self.init, get_args(Initialiser))
        _require_choice("stop", self.stop, get_args(Stop))
        _require_choice("clip_by", self.clip_by, get_args(ClipBy))
        if not isinstance(self.repair_nonfinite, bool):
            raise ValueError(
                f"repair_nonfinite must be True or False, got {self.repair_nonfinite!r}."
            )
        for name, low, high in _INTEGER_RANGES:
            _require_integer(name, getattr(self, name), low, high)
        _require_finite("lr", self.lr)
        if self.lr <= 0:
            raise ValueError(f"lr must be positive, got {self.lr}. A usual value is 0.01.")
        self._check_clipping()
        self._check_test_lengths()
        _require_finite("omega_weight", self.omega_weight)
        if self.omega_weight < 0:
            raise ValueError(
                f"omega_weight must not be negative, got {self.omega_weight}. "
                "To train without Ω, set Trial.omega_weight to 0."
            )

    def _check_clipping(self) -> None:
        if self.clip_multiple is not None:
            _require_finite("clip_multiple", self.clip_multiple)
            if self.clip_multiple <= 0 or self.clip_norm is None:
                raise ValueError(
                    f"clip_multiple is {self.clip_multiple}, with clip_norm "
                    f"{self.clip_norm}. It must be positive, and clip_norm a threshold: "
                    "under it the mean norm is measured that is multiplied."
                )
        if self.clip_norm is not None:
            _require_finite("clip_norm", self.clip_norm)
            if self.clip_norm <= 0:
                raise ValueError(
                    f"clip_norm must be positive, got {self.clip_norm}. "
                    "To train without clipping, set Trial.clip_norm to None."
                )
        elif self.repair_nonfinite:
            raise ValueError(
                "repair_nonfinite is True but clip_norm is None: the authors repair "
                "gradients only under clipping. Set clip_norm, or leave the repair off."
            )

    def _check_test_lengths(self) -> None:
        if not isinstance(self.test_lengths, tuple):
            raise ValueError(
                f"test_lengths must be a tuple such as (50, 100), got {self.test_lengths!r}."
            )
        for length in self.test_lengths:
            self.task.of_length(length)

    @property
    def activation(self) -> Activation:
        """The hidden unit that goes with `init`."""
        return "logistic" if self.init == "sigmoid" else "tanh"

    @classmethod
    def describe_trials(cls) -> Any:
        """Return the description for `sweeps`; see `rnnlab.trainer`."""
        from rnnlab.trainer import RecurrentTrials

        return RecurrentTrials()

    @functools.cached_property
    def trial_id(self) -> str:
        """A hash of the content, 32 hex digits.

        Class names are included and fields at their default omitted, so that a new field
        changes no id. Numbers are written by the field's type: `lr=1` equals `lr=1.0`.

        Example:
            >>> Trial().trial_id == Trial(lr=0.01, hidden=50).trial_id
            True
            >>> Trial(seed=1).trial_id == Trial(seed=2).trial_id
            False
        """
        text = json.dumps(content(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:TRIAL_ID_DIGITS]


_INTEGER_RANGES: list[tuple[str, int, int]] = [
    ("hidden", 1, 512),
    ("batch", 1, 100_000),
    ("check_every", 1, 2**31),
    ("seed", 0, 2**32 - 1),
]


def content(value: Any) -> dict[str, Any]:
    """Return the class name and the non-default fields of a frozen dataclass.

    Args:
        value: An instance of a frozen dataclass of `rnnlab`.

    Returns:
        A JSON-serialisable dictionary, nested if a field is a dataclass.

    Example:
        >>> content(Trial(lr=1, seed=3))
        {'class': 'Trial', 'lr': '1.0', 'seed': 3}
    """
    written: dict[str, Any] = {"class": type(value).__name__}
    for each in fields(value):
        here = getattr(value, each.name)
        if here == _default(each):
            continue
        written[each.name] = _written(here, each.type)
    return written


def _default(each: "dataclasses.Field[Any]") -> Any:
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default


def _written(value: Any, annotation: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return content(value)
    if value is not None and annotation in (float, float | None):
        return repr(float(value))
    return value


def require_budget(check_every: int, budget: int) -> None:
    """Refuse a budget that does not end on a check.

    Args:
        check_every: Updates between two checks of a trial.
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


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")


def _require_integer(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f"{name} must be a whole number, got {value!r}. Write it as int(...)."
        )
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low} and {high}, got {value}.")


def _require_finite(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a number, got {value!r}.")
    if not abs(value) <= sys.float_info.max or float(value) != value:
        raise ValueError(f"{name} must be finite and fit a float, got {value}.")
