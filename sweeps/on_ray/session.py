"""Start and stop Ray for a run: without output, on 127.0.0.1, with its own token.

`ray_session` must be entered before `ray` is imported: Ray reads its environment on import.
"""

import logging
import math
import os
import secrets
import signal
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cluster.gpus import gpus
from sweeps.environment import for_children
from sweeps.errors import SweepError
from sweeps.on_ray.watchdog import watchdog
from sweeps.spec.run_options import LOOPBACK
from sweeps.spec.trial_type import Resources
from sweeps.worker.scheduler import TYPE_PREFIX, Setup, require

TOKEN_BYTES = 32
OBJECT_STORE_BYTES = 128 * 2**20
LONGEST_FOLDER = 30
"""Characters of a folder in which Ray can make sockets: their paths end at 107."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_metrics_report_interval_ms": "5000",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "5",
}


@dataclass(frozen=True)
class RaySession:
    """A Ray instance that this process started or joined."""

    dashboard: str | None
    """Address of the dashboard, as in http://127.0.0.1:8265."""
    token_file: Path | None
    """File with the dashboard's token; readable by its owner only."""
    cpus: int
    """Cores available, over all machines."""
    gpus: float = 0.0
    """GPUs available, over all machines; those of one type, if the run asks for it."""

    def workers(self, resources: Resources) -> int:
        """Return the number of workers that fit, at least one."""
        room = self.cpus / max(resources.cpus, 1e-9)
        if resources.gpus:
            room = min(room, self.gpus / resources.gpus)
        return max(1, int(room + 1e-9))


@contextmanager
def ray_session(setup: Setup, private: Path) -> Generator[RaySession]:
    """Start a Ray on this machine, or join one, for the duration of a run.

    Args:
        setup: The name of the job in the dashboard, the number of cores, and the Ray to join
            if any.
        private: A folder that only its owner can enter, for the token.

    Raises:
        SweepError: If no Ray answers at the address, or it lacks the resources of a worker.
    """
    address = setup.address
    token_file = _make_token(private) if address is None else None
    where = _start(setup) if address is None else _join(address)
    most = max(crew.resources.cpus for crew in setup.crews)
    threads = dict.fromkeys(THREADS, str(max(1, int(most))))
    os.environ.update({**QUIET, **threads, **for_children()})
    silence_ray_threads()
    import ray
    from ray.job_config import JobConfig

    started = threading.Event()

    def not_started(why: str) -> NoReturn:
        setup.not_started(f"{why}; Ray's logs are in {_logs(where)}")

    def lost(why: str) -> NoReturn:
        (setup.lost if started.is_set() else not_started)(why)

    with watchdog(setup.offspring, lost) as watch:
        try:
            context = ray.init(
                **where,
                log_to_driver=False,
                logging_level=logging.ERROR,
                job_config=JobConfig(metadata={"job_name": setup.name, **setup.metadata}),
            )
        except Exception as error:
            if address is not None:
                raise
            not_started(f"Ray has not started ({_first_line(error)})")
        started.set()
        watch.running(_own_node_alive)
        with suppress(OSError):  # the raylet has died: asking Ray will detect it
            watch.depend_on(_own_raylet(), "raylet")
        try:
            url = context.dashboard_url
            found = ray.cluster_resources()
            for crew in setup.crews:
                require(crew.resources, found, "Ray")
            cpus, there = int(found.get("CPU", 0)), gpus_of(setup.accelerator, ray.nodes())
            yield RaySession(f"http://{url}" if url else None, token_file, cpus, there)
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(
                    each, signal.SIG_IGN
                )  # an aborted shutdown leaves agents running
            watch.stopping()
            ray.shutdown()


def _logs(where: dict[str, Any]) -> str:
    """Return the folder below which a Ray that was started here writes its logs."""
    usual = os.environ.get("RAY_TMPDIR", tempfile.gettempdir())
    return str(where.get("_temp_dir") or Path(usual, "ray"))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def gpus_of(accelerator: str | None, nodes: list[dict[str, Any]]) -> float:
    """Return the number of GPUs of a type, over all machines; None counts all."""
    found = [each["Resources"] for each in nodes if each["Alive"]]
    name = f"{TYPE_PREFIX}{accelerator}"
    return sum(
        each.get("GPU", 0.0) for each in found if accelerator is None or name in each
    )


def silence_ray_threads() -> None:
    """Do not print exceptions in Ray's threads: the watchdog reports that Ray has died."""
    report = threading.excepthook

    def report_others(error: threading.ExceptHookArgs) -> None:
        if error.thread is None or not error.thread.name.startswith("ray_"):
            report(error)

    threading.excepthook = report_others


def _own_node() -> dict[str, Any]:
    """Return the node of this process, as Ray describes it."""
    import ray

    own = ray.get_runtime_context().get_node_id()
    return next(each for each in ray.nodes() if each["NodeID"] == own)


def _own_node_alive() -> bool:
    return _own_node()["Alive"]


def _own_raylet() -> int | None:
    """Return the process id of this process's raylet, which may not be a child of it.

    The kernel knows which process listens on the raylet's socket. If the raylet has died,
    Ray ends this process some seconds later, without a message.
    """
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_own_node()["RayletSocketName"])
        size = struct.calcsize("3i")
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", peer)[0]


def _start(setup: Setup) -> dict[str, Any]:
    """Return how to start a Ray on this machine."""
    os.environ.pop("RAY_ADDRESS", None)
    wanted = math.ceil(sum(crew.workers * crew.resources.gpus for crew in setup.crews))
    cores = math.ceil(sum(crew.workers * crew.resources.cpus for crew in setup.crews))
    there = len(gpus()) if wanted else 0
    kind = setup.accelerator
    return {
        **(
            {"num_gpus": min(wanted, there)} if there else {}
        ),  # otherwise Ray looks for others
        **({"resources": {f"{TYPE_PREFIX}{kind}": 1}} if kind else {}),
        "address": "local",
        "num_cpus": max(1, cores),
        "include_dashboard": setup.dashboard is not None,
        "dashboard_host": setup.dashboard or LOOPBACK,
        "object_store_memory": OBJECT_STORE_BYTES,
        **_short_folder(),
    }


def _short_folder() -> dict[str, str]:
    """Return a folder for Ray's sockets, if the usual one is too long for their names."""
    if os.environ.get("RAY_TMPDIR") or len(tempfile.gettempdir()) <= LONGEST_FOLDER:
        return {}
    return {"_temp_dir": f"/tmp/ray-{os.getuid()}"}


def _join(address: str) -> dict[str, Any]:
    """Return the arguments of `ray.init` that join a Ray; reject a dead address.

    Ray itself would wait for ever there.

    Raises:
        SweepError: If nothing listens at the address.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise SweepError(
            f"No Ray answers at --address {address!r} ({error}). Pass HOST:PORT of a running "
            "Ray, or omit it to start one."
        ) from None
    return {"address": address}


def _make_token(private: Path) -> Path:
    """Write a token that only its owner can read; Ray's own would be readable by all users."""
    os.environ.pop("RAY_AUTH_TOKEN", None)
    path = private / "ray-token"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(TOKEN_BYTES))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
    return path
