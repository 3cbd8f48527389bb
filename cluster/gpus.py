"""The GPUs of this machine, found with `nvidia-smi` or the driver's files, without a library.

On a machine without `nvidia-smi` no process is started.
"""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DRIVER_FOLDER = Path("/proc/driver/nvidia/gpus")
TIMEOUT_S = 20.0
MODEL = re.compile(r"\w+ +((?:[A-Z]+ +)*[A-Z0-9]*\d[A-Z0-9]*)")
"""The make, then the model: words in capitals up to the first with a digit."""
FIELDS = ("index", "uuid", "name", "memory.total", "driver_version")


@dataclass(frozen=True)
class Gpu:
    """A GPU that this process may use."""

    index: str
    uuid: str
    name: str
    memory_mib: int | None = None
    driver: str | None = None

    @property
    def accelerator_type(self) -> str:
        """Its type, as Ray names it.

        Example:
            >>> Gpu("0", "", "NVIDIA H100 80GB HBM3").accelerator_type
            'H100'
            >>> Gpu("0", "", "NVIDIA GeForce RTX 5090").accelerator_type
            'GeForce-RTX-5090'
        """
        match = MODEL.match(self.name)
        model = match.group(1) if match else self.name.removeprefix("NVIDIA").strip()
        return model.replace(" ", "-")


def gpus() -> list[Gpu]:
    """Return the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, if it is set."""
    command = shutil.which("nvidia-smi")
    found = _asked(command) if command else _of_driver()
    return _visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


@functools.cache
def _asked(command: str) -> list[Gpu]:
    """Ask `nvidia-smi`; without a working driver it lists none."""
    query = [f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            [command, *query],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[each.strip() for each in line.split(",")] for line in done.stdout.splitlines()]
    return [_gpu(*row) for row in rows if len(row) == len(FIELDS)]


def _gpu(index: str, uuid: str, name: str, memory: str, driver: str) -> Gpu:
    return Gpu(index, uuid, name, int(memory) if memory.isdigit() else None, driver)


def _of_driver() -> list[Gpu]:
    """Read the driver's files about its GPUs; used if `nvidia-smi` is not installed."""
    found: list[Gpu] = []
    for index, path in enumerate(sorted(DRIVER_FOLDER.glob("*/information"))):
        lines = (line.partition(":") for line in path.read_text().splitlines())
        facts = {name.strip(): value.strip() for name, _, value in lines}
        found.append(Gpu(str(index), facts.get("GPU UUID", ""), facts.get("Model", "GPU")))
    return found


def _visible(found: list[Gpu], named: str | None) -> list[Gpu]:
    """Choose GPUs as CUDA does: by index or by a prefix of their UUID, up to an unknown one.

    Args:
        found: All GPUs of the machine.
        named: The value of CUDA_VISIBLE_DEVICES; None if it is not set.
    """
    if named is None:
        return found
    chosen: list[Gpu] = []
    for word in (each.strip() for each in named.split(",")):
        fits = [each for each in found if _is(each, word)]
        if not fits:
            break
        chosen.append(fits[0])
    return chosen


def _is(gpu: Gpu, word: str) -> bool:
    return bool(word) and (gpu.index == word or gpu.uuid.startswith(word))
