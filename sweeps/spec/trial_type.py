"""Description of a type of trials, without training any: columns, cost, engines."""

import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from cluster.gpus import gpus
from sweeps.errors import SweepError, UnknownNameError
from sweeps.spec.trainer import Trainer
from sweeps.store.columns import Columns, ColumnType


@dataclass(frozen=True)
class Resources:
    """Resources of one worker."""

    cpus: float = 1.0
    """CPU cores."""
    gpus: float = 0.0
    """GPUs, or a share of one."""
    slots: int = 1
    """Approximate number of trials that it trains at a time, for planning; its trainer has the
    exact number."""
    device: str = "cpu"
    """PyTorch's name of the device that it computes on."""
    accelerator: str | None = None
    """The type of its GPUs, as Ray names it: H100; None takes any."""


class Described(Protocol):
    """A description that a type of trials gives of itself, by `describe_trials()`."""

    @property
    def engines(self) -> tuple[str, ...]:
        """Names for `--engine`, the default first; none where there is only one way to train."""
        ...

    @property
    def result_columns(self) -> Mapping[str, ColumnType] | None:
        """The columns of a result in order, `outcome` to `numerics_id`; None: what is measured."""
        ...

    @property
    def check_columns(self) -> Mapping[str, ColumnType] | None:
        """The columns of a check in order, `update` to `numerics_id`; None: what is measured."""
        ...

    @property
    def always_written(self) -> frozenset[str]:
        """Columns that are written even where every row has the default."""
        ...

    @property
    def headline(self) -> str | None:
        """The measurement that is shown while a trial is trained; None: the first."""
        ...

    def cost(self, trial: Any) -> float:
        """Return what an update costs, in any unit."""
        ...

    def shape(self, trial: Any) -> Hashable:
        """Return what decides how long an update takes: equal shapes take equally long."""
        ...

    def assumed_s(self, engine: str | None) -> float:
        """Return the seconds that a unit of cost takes, where nothing was measured."""
        ...

    def resources(self, trial: Any, engine: str | None, device: str | None) -> Resources:
        """Return the resources of a worker that trains the trial.

        Args:
            trial: The trial.
            engine: The engine's name.
            device: The device that the user requested; None: that of the engine. Ignored
                if the engine cannot use it.
        """
        ...

    def refuses(self, trial: Any, engine: str | None) -> str | None:
        """Return why an engine cannot train a trial here, and what to do; None: it can."""
        ...

    def caches(self) -> Mapping[str, Path]:
        """Return the folders of compiled code of its engines, by name."""
        ...

    def trainer(self, engine: str | None, device: str) -> Trainer:
        """Return what trains such trials in this process; may have to compile."""
        ...


@dataclass(frozen=True)
class TrialType:
    """A type of trials and its description."""

    kind: type
    described: Described
    columns: Columns = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the columns."""
        columns = Columns(
            self.kind,
            self.described.result_columns,
            self.described.check_columns,
            self.described.always_written,
        )
        object.__setattr__(self, "columns", columns)

    @staticmethod
    def of(trial: Any) -> "TrialType":
        """Return the type of a trial."""
        return type_of(type(trial))

    def resources(
        self, trials: Sequence[Any], engine: str | None = None, device: str | None = None
    ) -> Resources:
        """Return the largest resources that a worker needs for any of some trials.

        Args:
            trials: The trials, at least one.
            engine: The engine's name.
            device: The device that the user requested.
        """
        found = [self.described.resources(trial, engine, device) for trial in trials]
        devices = [each.device for each in found if each.device != "cpu"]
        return Resources(
            max(each.cpus for each in found),
            max(each.gpus for each in found),
            min(each.slots for each in found),
            devices[0] if devices else "cpu",
        )

    def trainer(
        self, engine: str | None, trials: Sequence[Any], device: str | None = None
    ) -> Trainer:
        """Return the trainer of some trials in this process: on a GPU if they need one."""
        return self.described.trainer(engine, self.resources(trials, engine, device).device)

    def require_trainable(self, trials: Sequence[Any], engine: str | None) -> None:
        """Reject an engine that cannot train some trials.

        Raises:
            SweepError: With the engine's reason, and what to do.
        """
        reasons = (self.described.refuses(trial, engine) for trial in trials)
        if reason := next(filter(None, reasons), None):
            raise SweepError(reason)

    def possible_here(self, trials: Sequence[Any], engine: str | None) -> bool:
        """Return whether this machine has what an engine needs to train some trials."""
        if engine is None or not self.resources(trials, engine).gpus:
            return True
        refused = any(self.described.refuses(trial, engine) for trial in trials)
        return bool(gpus()) and not refused

    def engines(self, asked: str | None) -> list[str | None]:
        """Return the engines to use: several, separated by commas, share the trials.

        Args:
            asked: What the user asked for; None takes the default.

        Raises:
            SweepError: If there is no such engine.
        """
        names = (
            dict.fromkeys(each.strip() for each in asked.split(",")) if asked else [None]
        )
        return [self.engine(name) for name in names]

    def engine(self, asked: str | None) -> str | None:
        """Return the engine to use.

        Args:
            asked: What the user asked for; None takes the default.

        Raises:
            SweepError: If there is no such engine.
        """
        engines = self.described.engines
        if asked is None:
            return engines[0] if engines else None
        if not engines:
            raise SweepError(
                f"--engine {asked} has no effect: trials of type {self.kind.__name__} have one "
                "way to be trained. Leave the option out."
            )
        if asked not in engines:
            raise UnknownNameError("engine", asked, engines)
        return asked


@functools.cache
def type_of(kind: type) -> TrialType:
    """Return the type of trials of a class.

    Raises:
        ValueError: If its instances cannot be trials; naming what is missing.
    """
    describe = getattr(kind, "describe_trials", None)
    if describe is not None:
        return TrialType(kind, cast(Described, describe()))
    from sweeps.spec.own_trials import OwnTrials

    return TrialType(kind, OwnTrials(kind))
