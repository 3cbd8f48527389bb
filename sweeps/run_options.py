"""How a run is carried out; none of it changes a result."""

import dataclasses
import os
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from sweeps.errors import SweepError, UnknownNameError

CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone)
"""How all commands are parsed: no prefixes, and `None` is no word."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `sweep run` besides the selection."""

    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Workers at a time, one core each; without it, every core of this machine."""

    pack: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Trials that a worker trains in one go; without it, some seconds' worth."""

    pilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure for some seconds first, and say how long the run will take."""

    engine: Annotated[str, tyro.conf.arg(metavar="NAME")] = "fused_cpu"
    """What makes the updates: fused_cpu, or plain, which is slower and easy to read."""

    max_failures: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """How many attempts at a trial may fail, over all runs, before it is left out."""

    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """A running Ray to join; without it, one is started on this machine."""

    no_dashboard: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do without the Ray dashboard."""

    def require_possible(self) -> None:
        """Refuse what nothing can be run with.

        Raises:
            SweepError: Naming the option.
        """
        from rnnlab.engines import ENGINES

        if self.cpus is not None and self.cpus < 1:
            raise SweepError(f"--cpus must be at least 1, got {self.cpus}.")
        if self.pack is not None and self.pack < 1:
            raise SweepError(f"--pack must be at least 1, got {self.pack}.")
        if self.max_failures < 1:
            raise SweepError(f"--max-failures must be at least 1, got {self.max_failures}.")
        if self.engine not in ENGINES:
            raise UnknownNameError("engine", self.engine, ENGINES)

    @property
    def workers(self) -> int:
        """How many workers run at a time."""
        if self.cpus is None and sys.platform == "linux":
            return len(os.sched_getaffinity(0))
        return self.cpus or os.cpu_count() or 1

    def argv(self) -> list[str]:
        """Write the options as the command-line words that give them again."""
        words: list[str] = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            flag = "--" + each.name.replace("_", "-")
            if value != each.default:
                words += [flag] if value is True else [flag, str(value)]
        return words
