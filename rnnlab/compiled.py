"""Compile the scalar functions that data generation is written in.

Numba is imported only when something is compiled: planning a sweep needs none of it.
"""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar function, and every function of ours that it calls, with Numba.

    Args:
        function: Plain Python over scalars and arrays, in a module of `rnnlab`.

    Returns:
        The same function, callable from Python and from other compiled functions.

    Example:
        >>> from rnnlab.rng import philox
        >>> compiled(philox)(1, 2, 3, 4, 5, 6) == philox(1, 2, 3, 4, 5, 6)
        True
    """
    import numba

    plain = inspect.unwrap(function)
    called = {
        name: compiled(value)
        for name in plain.__code__.co_names
        if isinstance(value := plain.__globals__.get(name), types.FunctionType)
    }
    twin = types.FunctionType(
        plain.__code__, {**plain.__globals__, **called}, plain.__name__
    )
    return numba.njit(error_model="numpy", nogil=True)(twin)  # pyright: ignore
