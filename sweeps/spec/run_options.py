"""How a run is carried out; none of it changes a result."""

import dataclasses
import ipaddress
import os
import socket
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from sweeps.errors import SweepError

LOOPBACK = "127.0.0.1"
CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone)
"""How all commands are parsed: no prefixes, and `None` is no word."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `sweep run` besides the selection."""

    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Cores to use; a trial takes one, unless its type says otherwise. Default: all."""

    gpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """GPUs to use, where one is needed."""

    pack: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Trials that a worker trains in one go; without it, some seconds' worth."""

    pilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure for some seconds first, and say how long the run will take."""

    engine: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """What trains: fused_cpu, fused_gpu (hundreds of trials at once on a GPU), or plain (slow, easy to read). Default: the fastest on cores."""

    device: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """PyTorch's device: cuda, mps, xpu."""

    max_failures: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """How many attempts at a trial may fail, over all runs, before it is left out."""

    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """A running Ray to join; without it, one is started on this machine."""

    in_process: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train in one process, without Ray: slow, for debugging."""

    no_dashboard: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do without the Ray dashboard."""

    dashboard_host: Annotated[str, tyro.conf.arg(metavar="HOST")] = LOOPBACK
    """Address on which the Ray dashboard listens; 0.0.0.0 lets other machines reach it."""

    max_restarts: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """How often to start the driver again where it, or its Ray, was ended from outside."""

    def require_possible(self) -> None:
        """Refuse what nothing can be run with.

        Raises:
            SweepError: Naming the option.
        """
        if self.cpus is not None and self.cpus < 1:
            raise SweepError(f"--cpus must be at least 1, got {self.cpus}.")
        if self.gpus is not None and self.gpus < 1:
            raise SweepError(
                f"--gpus must be at least 1, got {self.gpus}. To train on cores, leave it out."
            )
        if self.pack is not None and self.pack < 1:
            raise SweepError(f"--pack must be at least 1, got {self.pack}.")
        if self.max_failures < 1:
            raise SweepError(f"--max-failures must be at least 1, got {self.max_failures}.")
        if self.max_restarts < 0:
            raise SweepError(
                f"--max-restarts must not be negative, got {self.max_restarts}. "
                "0 starts the driver once."
            )
        if self.in_process and self.address is not None:
            raise SweepError(
                "--in-process trains without Ray, and --address joins one. Leave one of the "
                "two out."
            )
        self._require_possible_dashboard()

    def _require_possible_dashboard(self) -> None:
        """Refuse an address that is not of this machine, or that nothing listens on.

        Raises:
            SweepError: Naming the option to leave out or to change.
        """
        if self.dashboard_host == LOOPBACK:
            return
        for flag, given in (
            ("--no-dashboard", self.no_dashboard),
            ("--in-process", self.in_process),
            ("--address", self.address is not None),
        ):
            if given:
                raise SweepError(
                    f"--dashboard-host does nothing with {flag}: the run starts no "
                    "dashboard then. Leave one of the two out."
                )
        try:
            if not self.dashboard_host:
                raise OSError("it is empty")
            socket.create_server((self.dashboard_host, 0)).close()
        except OSError as error:
            raise SweepError(
                f"--dashboard-host {self.dashboard_host!r} is no address of this machine "
                f"({error}). Give {LOOPBACK} to keep the dashboard to yourself, or 0.0.0.0 "
                "to let other machines reach it."
            ) from None

    @property
    def asked_device(self) -> str | None:
        """The device that the user asked for, by its name or by asking for GPUs."""
        return self.device or ("cuda" if self.gpus else None)

    @property
    def cores(self) -> int:
        """How many cores the run may use."""
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


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    return all(ipaddress.ip_address(each).is_loopback for each in found)
