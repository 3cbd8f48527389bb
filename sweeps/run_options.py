"""How a run is carried out; none of it changes a result."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `sweep run` besides the selection."""

    cpus: int | None = None
    """Workers at a time, one core each; the default is every core of this machine."""

    pack: int = 1
    """Trials that a worker trains in one go."""

    engine: str = "plain"
    """What makes the updates."""

    address: str | None = None
    """A running Ray to join, as in 127.0.0.1:6379; the default starts one of its own."""

    dashboard: Annotated[bool, tyro.conf.FlagCreatePairsOff] = True
    """Leave out the Ray dashboard with --no-dashboard."""

    def __post_init__(self) -> None:
        """Refuse amounts that nothing can be run with.

        Raises:
            ValueError: Naming the option.
        """
        if self.cpus is not None and self.cpus < 1:
            raise ValueError(f"--cpus must be at least 1, got {self.cpus}.")
        if self.pack < 1:
            raise ValueError(f"--pack must be at least 1, got {self.pack}.")

    @property
    def workers(self) -> int:
        """How many workers run at a time."""
        return self.cpus or len(os.sched_getaffinity(0))

    def argv(self) -> list[str]:
        """Write the options as the command-line words that give them again."""
        words: list[str] = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value == each.default:
                continue
            words += (
                [f"--no-{each.name}"] if value is False else [f"--{each.name}", str(value)]
            )
        return words
