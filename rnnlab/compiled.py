"""Compile the scalar functions that data generation is written in.

Numba is imported only when something is compiled: planning a sweep needs none of it.
"""

import functools
import inspect
import logging
import pickle
import types
from collections.abc import Callable
from typing import Any

from rnnlab.code_cache import has_file, keeping, kept

_log = logging.getLogger(__name__)


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar function, and every function of ours that it calls, with Numba.

    Args:
        function: Plain Python over scalars and arrays, in a module of `rnnlab`.

    Returns:
        The same function, callable from Python and from other compiled functions.

    Raises:
        OSError: If there is no place for compiled code; see `rnnlab.code_cache`.

    Example:
        >>> from rnnlab.rng import philox
        >>> compiled(philox)(1, 2, 3, 4, 5, 6) == philox(1, 2, 3, 4, 5, 6)
        True
    """
    return kept(_inner(function))


@functools.cache
def drawer(draw_example: Callable[..., None]) -> Any:
    """Compile a task's `draw_example` into a value that compiled code is given.

    The code that is given it need not be compiled again for another task.

    Args:
        draw_example: As in `rnnlab.tasks.Task`.

    Raises:
        OSError: If there is no place for compiled code; see `rnnlab.code_cache`.
    """
    import numba

    integer, number = numba.int64, numba.float64
    rows = number[:, ::1]
    signature = numba.void(*[integer] * 5, integer[::1], rows, number[::1])
    twin = _twin(draw_example)
    try:
        with keeping():
            return numba.cfunc(signature, cache=has_file(draw_example))(twin)
    except (EOFError, pickle.UnpicklingError):
        _log.warning("the kept code of %s is damaged: compiling", draw_example.__qualname__)
        return numba.cfunc(signature)(twin)


@functools.cache
def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function as part of another: only what is called from Python is kept."""
    import numba

    return numba.njit(error_model="numpy", nogil=True)(_twin(function))  # pyright: ignore


def _twin(function: Callable[..., Any]) -> types.FunctionType:
    """Copy a function, with compiled functions in place of those of ours that it calls."""
    plain = inspect.unwrap(function)
    called = {
        name: _inner(value)
        for name in plain.__code__.co_names
        if isinstance(value := plain.__globals__.get(name), types.FunctionType)
    }
    return types.FunctionType(
        plain.__code__, {**plain.__globals__, **called}, plain.__name__
    )
