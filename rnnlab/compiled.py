"""Compile the scalar functions of data generation.

Numba is imported only when something is compiled: planning a sweep does not need it.
"""

import functools
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnlab.code_cache import cache_folder, compile_once, file_of_function, keeping

DRAW = "void(int64, int64, int64, int64, int64, int64[::1], float64[:, ::1], float64[::1])"
"""The type of a task's `draw_example`, compiled."""


@functools.cache
def compiled(
    function: Callable[..., Any], signature: str | None = None
) -> Callable[..., Any]:
    """Compile a scalar function, and all Python functions that it calls, with Numba.

    Args:
        function: Plain Python over scalars and arrays.
        signature: Numba's types of its arguments. With it, machine code is cached for later
            processes; without it, each process compiles for the types of each call.

    Returns:
        The same function, callable from Python and from other compiled functions.

    Raises:
        OSError: If there is no folder for compiled code; see `rnnlab.code_cache`.

    Example:
        >>> from rnnlab.rng import philox
        >>> compiled(philox)(1, 2, 3, 4, 5, 6) == philox(1, 2, 3, 4, 5, 6)
        True
    """
    if signature is None:
        return _inner(function)
    import numba

    compiling = numba.njit(  # pyright: ignore
        [signature], error_model="numpy", nogil=True, cache=_is_kept(function)
    )
    return _compiled_once(function, lambda: compiling(_twin(function)))


@functools.cache
def drawer(draw_example: Callable[..., None]) -> Any:
    """Compile a task's `draw_example` to a value that is passed to compiled code.

    That code need not be recompiled for another task.

    Args:
        draw_example: As in `rnnlab.tasks.Task`.

    Raises:
        OSError: If there is no folder for compiled code; see `rnnlab.code_cache`.
    """
    import numba

    compiling = numba.cfunc(DRAW, cache=_is_kept(draw_example))
    return _compiled_once(draw_example, lambda: compiling(_twin(draw_example)))


def _is_kept(function: Callable[..., Any]) -> bool:
    return file_of_function(function) is not None


def _compiled_once(function: Callable[..., Any], compile_it: Callable[[], Any]) -> Any:
    """Compile a function, or load its cached machine code."""
    file, made = file_of_function(function), list[Any]()
    if file is None:
        return compile_it()
    name = f"{function.__module__}.{function.__qualname__}"
    folder = cache_folder(name, file, Path(__file__))
    with keeping(folder):
        compile_once(name, folder, lambda: made.append(compile_it()))
        return made[0] if made else compile_it()


@functools.cache
def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function in memory, as part of another."""
    import numba

    return numba.njit(error_model="numpy", nogil=True)(_twin(function))  # pyright: ignore


def _twin(function: Callable[..., Any]) -> types.FunctionType:
    """Copy a function, replacing the Python functions that it calls by compiled ones."""
    plain = inspect.unwrap(function)
    called = {
        name: _inner(value)
        for name in plain.__code__.co_names
        if isinstance(value := plain.__globals__.get(name), types.FunctionType)
    }
    return types.FunctionType(
        plain.__code__, {**plain.__globals__, **called}, plain.__name__
    )
