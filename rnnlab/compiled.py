"""Compile with Numba, and keep the machine code on disk.

Numba is imported only when something is compiled: planning a sweep needs none of it.

Numba's own cache notices a change of the file that a function stands in, not of the files
that it imports from: an edited generator would leave stale code and wrong science. So the
folder is named by a hash of all sources that decide numbers, of Numba and of the processor.
"""

import functools
import hashlib
import inspect
import os
import types
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnnlab.numerics import source_hash


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar function, and every function of ours that it calls, with Numba.

    Args:
        function: Plain Python over scalars and arrays, in a module of `rnnlab`.

    Returns:
        The same function, callable from Python and from other compiled functions.

    Raises:
        OSError: If the cache folder cannot be written; see `cache_folder`.

    Example:
        >>> from rnnlab.rng import philox
        >>> compiled(philox)(1, 2, 3, 4, 5, 6) == philox(1, 2, 3, 4, 5, 6)
        True
    """
    import numba

    twin = _twin(function)
    return kept(numba.njit(error_model="numpy", nogil=True)(twin))  # pyright: ignore


@functools.cache
def drawer(draw_example: Callable[..., int]) -> Any:
    """Compile a task's `draw_example` into something that compiled code takes as a value.

    Code that is given it need not be compiled again for another task.

    Args:
        draw_example: As in `rnnlab.tasks`.

    Raises:
        OSError: If the cache folder cannot be written; see `cache_folder`.
    """
    import numba

    integer = numba.int64
    signature = integer(*[integer] * 5, integer[::1])
    with _keeping():
        return numba.cfunc(signature, cache=_has_file(draw_example))(_twin(draw_example))


def kept(dispatcher: Any) -> Any:
    """Keep what a Numba function is compiled to in `cache_folder`."""
    if _has_file(dispatcher.py_func):
        with _keeping():
            dispatcher.enable_caching()
    return dispatcher


@functools.cache
def cache_folder() -> Path:
    """Give the folder for machine code, and make it.

    It is `$RNNLAB_CACHE`, else `$XDG_CACHE_HOME/rnnlab`, else `~/.cache/rnnlab`, and in it
    one folder for each state of the sources, version of Numba and kind of processor.

    Raises:
        OSError: If it cannot be made or written.
    """
    import llvmlite
    import numba
    from numba.core.registry import cpu_target

    facts = (source_hash(), numba.__version__, llvmlite.__version__)
    target: Any = cpu_target.target_context
    processor = target.codegen().magic_tuple()
    key = hashlib.sha256("\n".join([*facts, *processor]).encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("RNNLAB_CACHE") or Path(base) / "rnnlab") / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise OSError(f"{_remedy(folder)} ({error.strerror})") from None
    if not writable:
        raise OSError(_remedy(folder))
    return folder


def _remedy(folder: Path) -> str:
    return (
        f"Compiled code is kept in {folder}, which cannot be written. "
        "Set RNNLAB_CACHE to a folder that can."
    )


def _twin(function: Callable[..., Any]) -> types.FunctionType:
    """Copy a function, with compiled functions in place of those of ours that it calls."""
    plain = inspect.unwrap(function)
    called = {
        name: compiled(value)
        for name in plain.__code__.co_names
        if isinstance(value := plain.__globals__.get(name), types.FunctionType)
    }
    return types.FunctionType(
        plain.__code__, {**plain.__globals__, **called}, plain.__name__
    )


def _has_file(function: Any) -> bool:
    """Say whether a function stands in a file; one typed at a prompt is not kept."""
    return Path(function.__code__.co_filename).is_file()


@contextmanager
def _keeping() -> Generator[None]:
    """Let Numba's caches that are made meanwhile lie in our folder."""
    import numba.core.config

    config: Any = numba.core.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        config.CACHE_DIR = before
