"""What a run finds on this machine: cores, memory, GPUs, versions, caches, disks, ports."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from cluster.gpus import gpus
from sweeps.spec.run_options import LOOPBACK, RunOptions

PACKAGES = ("rnnlab", "ray", "torch", "numba", "numba-cuda", "numpy", "pyarrow")
PORTS = {"dashboard": 8265}
"""Preferred ports of a run; if one is taken, the next free one is used."""
GIB = 2**30


def doctor(results: str, caches: Mapping[str, Path]) -> dict[str, Any]:
    """Inspect this machine; start nothing except `nvidia-smi`, if installed.

    Args:
        results: Folder of the results, or an address in an object store.
        caches: Folders of compiled code, by name.
    """
    memory = psutil.virtual_memory()
    there = gpus()
    return {
        "cores": os.cpu_count(),
        "usable_cores": RunOptions().cores,
        "memory_gib": _gib(memory.total),
        "free_memory_gib": _gib(memory.available),
        "gpus": [
            {"name": each.name, "memory_gib": _gib((each.memory_mib or 0) * 2**20)}
            for each in there
        ],
        "driver": next((each.driver for each in there), None),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in PACKAGES},
        "caches": [_cache(name, path) for name, path in caches.items()],
        "free_disk_gib": {
            str(path): _gib(shutil.disk_usage(path).free) for path in _disks(results)
        },
        "ports": {name: _is_free(port) for name, port in PORTS.items()},
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """Return the facts as lines of text."""
    found = {
        "cores": f"{facts['usable_cores']} of {facts['cores']} usable",
        "memory": f"{facts['free_memory_gib']} of {facts['memory_gib']} GiB free",
        "GPUs": _gpu_line(facts),
        "Python": facts["python"],
        **{name: version or "not installed" for name, version in facts["versions"].items()},
        **{
            f"cache {each['name']}": f"{each['path']}, {each['mib']} MiB"
            for each in facts["caches"]
        },
        **{
            f"disk {path}": f"{free} GiB free"
            for path, free in facts["free_disk_gib"].items()
        },
        **{
            f"port {PORTS[name]}": f"{'free' if free else 'taken'} ({name})"
            for name, free in facts["ports"].items()
        },
    }
    width = max(map(len, found))
    return [f"{name:<{width}}  {value}" for name, value in found.items()]


def _gpu_line(facts: dict[str, Any]) -> str:
    if not facts["gpus"]:
        hidden = facts["cuda_visible_devices"]
        return "none" if hidden is None else f"none (CUDA_VISIBLE_DEVICES={hidden!r})"
    names = ", ".join(
        f"{each['name']} ({each['memory_gib']} GiB)" for each in facts["gpus"]
    )
    return f"{names}; driver {facts['driver'] or 'unknown'}"


def _gib(count: float) -> float:
    return round(count / GIB, 1)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cache(name: str, path: Path) -> dict[str, Any]:
    sizes = [each.stat().st_size for each in path.rglob("*") if each.is_file()]
    return {"name": name, "path": str(path), "mib": round(sum(sizes) / 2**20, 1)}


def _disks(results: str) -> list[Path]:
    """Return the folders of the results and of temporary files; the shared memory of Ray."""
    folders = [Path(tempfile.gettempdir()), Path("/dev/shm")]
    if "://" not in results:
        wanted = Path(results).absolute()
        there = next(each for each in (wanted, *wanted.parents) if each.is_dir())
        folders.insert(0, there)
    return [each for each in folders if each.is_dir()]


def _is_free(port: int) -> bool:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
