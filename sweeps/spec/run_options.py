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
"""How all commands are parsed: no prefixes, and `None` is not accepted."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `sweep run` besides the selection."""

    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Cores to use, all if omitted; a trial takes one unless its type says otherwise."""

    gpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """GPUs to use, if the engine needs one."""

    accelerator_type: Annotated[str | None, tyro.conf.arg(metavar="T")] = None
    """Only GPUs of this type, such as H100."""

    pack: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Trials per pack, which a worker trains in one go; if omitted, some seconds' worth."""

    pilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure for some seconds first, and estimate how long the run will take."""

    engine: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """fused_cpu (the default), fused_gpu (hundreds of trials at once on a GPU), plain (slow, easy
    to read), or fused_cpu,fused_gpu together."""

    device: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """PyTorch's device: cuda, mps, xpu."""

    max_failures: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Skip trials that have failed N times, counted over all runs."""

    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """Join this Ray; if omitted, start one."""

    in_process: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train without Ray, for debugging."""

    no_dashboard: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do not start the Ray dashboard."""

    dashboard_host: Annotated[str, tyro.conf.arg(metavar="HOST")] = LOOPBACK
    """Address on which the Ray dashboard listens; 0.0.0.0 lets other machines reach it."""

    max_restarts: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Restart up to N times if the driver or Ray is killed."""

    def require_possible(self) -> None:
        """Reject options that cannot be used.

        Raises:
            SweepError: Naming the option.
        """
        if self.cpus is not None and self.cpus < 1:
            raise SweepError(f"--cpus must be at least 1, got {self.cpus}.")
        if self.gpus is not None and self.gpus < 1:
            raise SweepError(
                f"--gpus must be at least 1, got {self.gpus}. To train on cores, omit it."
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
                "--in-process trains without Ray, and --address joins one. Omit one of the two."
            )
        self._require_possible_dashboard()

    def _require_possible_dashboard(self) -> None:
        """Reject an address that is not one of this machine, or has no effect.

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
                    f"--dashboard-host has no effect with {flag}: the run starts no "
                    "dashboard then. Omit one of the two."
                )
        try:
            if not self.dashboard_host:
                raise OSError("it is empty")
            socket.create_server((self.dashboard_host, 0)).close()
        except OSError as error:
            raise SweepError(
                f"--dashboard-host {self.dashboard_host!r} is not an address of this machine "
                f"({error}). Use {LOOPBACK} to keep the dashboard private, or 0.0.0.0 "
                "to let other machines reach it."
            ) from None

    @property
    def asked_device(self) -> str | None:
        """The device that the user requested: by name, or as a number or a type of GPUs."""
        return self.device or ("cuda" if self.gpus or self.accelerator_type else None)

    @property
    def device_option(self) -> str:
        """The option that requests a device, --device or --gpus."""
        return f"--device {self.device}" if self.device else f"--gpus {self.gpus}"

    @property
    def cores(self) -> int:
        """Number of cores that the run may use."""
        if self.cpus is None and sys.platform == "linux":
            return len(os.sched_getaffinity(0))
        return self.cpus or os.cpu_count() or 1

    def argv(self) -> list[str]:
        """Return the options as command-line arguments."""
        words: list[str] = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            flag = "--" + each.name.replace("_", "-")
            if value != each.default:
                words += [flag] if value is True else [flag, str(value)]
        return words


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    return all(ipaddress.ip_address(each).is_loopback for each in found)
