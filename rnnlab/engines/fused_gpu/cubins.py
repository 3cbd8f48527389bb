"""Kernels that were compiled for a card, kept in files: a later process loads them in milliseconds.

Numba's own cache does not know these kernels again: they close over functions that are made
anew in each process. Here a kernel has a file, named by what its machine code depends on.
"""

import hashlib
import logging
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba.cuda.dispatcher  # pyright: ignore[reportMissingTypeStubs]
import numba.cuda.serialize  # pyright: ignore

from rnnlab.code_cache import mark_used

_dispatcher: Any = numba.cuda.dispatcher
_serialize: Any = numba.cuda.serialize  # pyright: ignore

_log = logging.getLogger(__name__)


class CubinCache:
    """The cache of one kernel, as Numba's dispatcher asks it: before and after it compiles."""

    def __init__(self, file: Path) -> None:
        """Keep the kernel in a file, or find it there."""
        self._file = file

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the kernel, or None if it is not there or damaged."""
        try:
            digest, code = self._file.read_bytes().split(b"\n", 1)
        except (OSError, ValueError):
            return None
        if hashlib.sha256(code).hexdigest().encode() != digest:
            _log.warning("the kept kernel %s is damaged: compiling", self._file)
            return None
        mark_used(self._file.parent)
        return _dispatcher._Kernel._rebuild(**pickle.loads(code))

    def save_overload(self, signature: Any, kernel: Any) -> None:
        """Write the kernel, whole or not at all; if that fails, the next process compiles."""
        states = kernel._reduce_states()
        states["codelibrary"]._llvm_strs = [""]  # large, and never read again
        code = _serialize.dumps(states)
        beside = self._file.with_suffix(f".{os.getpid()}")
        try:
            beside.write_bytes(hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
            beside.replace(self._file)
            mark_used(self._file.parent)
        except OSError as error:
            _log.warning(
                "the compiled kernel cannot be kept in %s (%s)", self._file.parent, error
            )
            with suppress(OSError):
                beside.unlink(missing_ok=True)
