"""Compile the kernels for a card that is not there, and say what they take of it.

A spilled register or a kernel that takes half of the shared memory is seen here, not on a
bill. Needs the wheels `nvidia-nvvm` and `nvidia-cuda-nvcc`.
"""

import re
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
import numba.cuda.dispatcher  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from numba import types

from rnnlab.engines.fused_gpu.engine import Kind, kernels
from rnnlab.engines.fused_gpu.kernel import Items, Memory, Settings
from rnnlab.engines.fused_gpu.layout import layout

cuda: Any = numba.cuda
_dispatcher: Any = numba.cuda.dispatcher
_types: Any = types

_SETTINGS: dict[str, tuple[Any, int]] = dict.fromkeys(Settings._fields, (np.int64, 1)) | {
    "threshold": (np.float64, 1),
    "lr": (np.float64, 1),
    "omega_weight": (np.float64, 1),
    "task": (np.int64, 2),
    "steps": (np.int64, 2),
}
_MEMORY: dict[str, tuple[Any, int]] = dict.fromkeys(Memory._fields, (np.float32, 2)) | {
    "totals": (np.float64, 2),
    "measured": (np.float64, 2),
    "ended": (np.int64, 2),
    "words": (np.uint32, 3),
    "values": (np.float32, 3),
    "targets": (np.float64, 4),
    "norms": (np.float32, 3),
    "wrong": (np.uint8, 2),
}
_ITEMS: dict[str, tuple[Any, int]] = dict.fromkeys(Items._fields, (np.int64, 1))
"""Kind of number and dimensions of the arrays that a kernel is given."""


class Usage(NamedTuple):
    """What a kernel takes of a multiprocessor."""

    registers: int
    spilled: int
    """Bytes of registers that are kept in memory, for each thread."""
    shared: int
    """Bytes of shared memory, for each block."""


def ptx(kind: Kind, capability: tuple[int, int]) -> dict[str, str]:
    """Compile the kernels of a kind for a compute capability such as (9, 0)."""
    given, made = arguments(kind), dict[str, str]()
    with pretended(capability):
        for name, kernel in kernels(kind)._asdict().items():
            code, _ = cuda.compile(
                kernel.py_func,
                _types.void(*given[name]),
                cc=capability,
                device=False,
                abi="numba",
                output="ptx",
            )
            made[name] = code if isinstance(code, str) else code.decode()
    return made


def arguments(kind: Kind) -> dict[str, tuple[Any, ...]]:
    """Return Numba's types of the arguments of each kernel."""
    inputs = (np.uint8 if kind.shape.one_hot else np.float64, 5)
    both = _tuple(Settings, _SETTINGS), _tuple(Memory, _MEMORY | {"drawn": inputs})
    return {"advance": both, "evaluate": (*both, _tuple(Items, _ITEMS))}


def usage(kind: Kind, code: str, capability: tuple[int, int], ptxas: Path) -> Usage:
    """Assemble PTX, and return what it takes.

    Args:
        kind: The kind, whose layout limits the registers.
        code: The PTX.
        capability: The compute capability.
        ptxas: The assembler.

    Raises:
        subprocess.CalledProcessError: If it cannot be assembled.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(code, encoding="utf-8")
        said = subprocess.run(
            [
                ptxas,
                f"-arch=sm_{capability[0]}{capability[1]}",
                f"-maxrregcount={layout(kind.shape).registers}",
                "-v",
                source,
                "-o",
                source.with_suffix(".cubin"),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stderr
    return Usage(
        registers=_number(r"Used (\d+) registers", said),
        spilled=_number(r"(\d+) bytes spill stores", said),
        shared=_number(r"(\d+) bytes smem", said),
    )


@contextmanager
def pretended(capability: tuple[int, int]) -> Generator[None]:
    """Let Numba believe in a card: device functions ask which it is, even to be compiled."""

    class Card:
        compute_capability = capability
        id = 0

    before = _dispatcher.get_current_device
    _dispatcher.get_current_device = Card
    try:
        yield
    finally:
        _dispatcher.get_current_device = before


def _tuple(kind: Any, arrays: dict[str, tuple[Any, int]]) -> Any:
    made = [
        _types.Array(numba.from_dtype(np.dtype(number)), dimensions, "C")
        for number, dimensions in (arrays[name] for name in kind._fields)
    ]
    return _types.NamedTuple(made, kind)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0
