"""Values that a checkpoint cannot hold, and what to store instead."""

import collections
import dataclasses
import enum
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from sweeps.store.torch_values import is_tensor, objection

WHY = (
    "A checkpoint is not a pickle: it holds numbers, strings, bytes, arrays, tensors, random "
    "generators of numpy and torch, and dicts, lists and tuples of them."
)
OTHERWISE = "Keep the values that it is made of"
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
ADVICE: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda v: isinstance(v, type), "Keep its name, a string"),
    (lambda v: isinstance(v, (set, frozenset)), "Keep sorted(…) of it, a list"),
    (lambda v: isinstance(v, FUNCTIONS), "Keep its name, a string, or leave it out"),
    (lambda v: isinstance(v, enum.Enum), "Keep its .value"),
    (lambda v: hasattr(v, "_asdict"), "Keep its ._asdict()"),
    (dataclasses.is_dataclass, "Keep dataclasses.asdict(…) of it"),
    (lambda v: isinstance(v, random.Random), "Keep its .getstate()"),
    (lambda v: isinstance(v, np.random.RandomState), "Keep its .get_state()"),
    (
        lambda v: isinstance(v, np.random.BitGenerator),
        "Keep numpy.random.Generator(…) of it",
    ),
    (lambda v: hasattr(v, "state_dict"), "Keep its .state_dict()"),
    (lambda v: isinstance(v, np.str_), "Keep str(…) of it"),
    (lambda v: isinstance(v, (bytearray, memoryview, np.bytes_)), "Keep bytes(…) of it"),
    (lambda v: isinstance(v, np.ndarray), "Keep numpy.array(…) of it"),
    (lambda v: isinstance(v, np.generic), "Keep its .item()"),
    (lambda v: isinstance(v, dict), "Keep dict(…) of it"),
    (lambda v: isinstance(v, tuple), "Keep tuple(…) of it"),
    (lambda v: isinstance(v, (list, range, collections.deque)), "Keep list(…) of it"),
)


def refusal(value: object, path: str) -> TypeError:
    """Return the error for a value that a checkpoint cannot hold.

    Args:
        value: The value.
        path: Its location, as the user would write it.

    Example:
        >>> print(str(refusal({1, 2}, 'state["seen"]')).splitlines()[0][:70])
        state["seen"] is a set. A checkpoint is not a pickle: it holds numbers
    """
    what, advice = _objection(value)
    return TypeError(f"{path} is {what}. {WHY} {advice}.")


def _objection(value: Any) -> tuple[str, str]:
    """Return a description of a value, and advice."""
    found = objection(value) if is_tensor(value) else None
    if found is not None:
        return found
    if type(value) is np.ndarray:
        return f"an array of dtype {value.dtype}", "Keep arrays of numbers, or a list"
    advice = (text for fits, text in ADVICE if fits(value))
    return _with_article(type(value).__qualname__), next(advice, OTHERWISE)


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"
