"""Dataclasses that a trial of a test may hold in its fields."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Constant:
    value: float = 0.1


@dataclass(frozen=True)
class Halving(Constant):
    every: int = 100


@dataclass(frozen=True)
class Momentum:
    beta: float = 0.9
    schedule: Constant = field(default_factory=Constant)


@dataclass(frozen=True)
class Sgd:
    pass
