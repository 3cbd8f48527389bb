"""The state of any trainer as a JSON tree and arrays, and back, bit for bit.

    None, bool, int of 64 bits, float, str     as JSON has them
    list                                       a JSON list
    all else                                   a JSON object of one key, its kind:
                                               {"tuple": […]}, {"dict": [[key, value], …]},
                                               {"array": "a0"}, {"tensor": {…, "array": "a1"}}

so no key of a user's dict is ever a key or a name of ours. Comes back otherwise:

    arrays and tensors       C-ordered and contiguous, whatever their strides were
    two references to one    two equal values
    a NaN outside an array   the canonical NaN
    OrderedDict              without attributes, such as the `_metadata` of a state_dict()
"""

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sweeps.store.hashed_npz import Array
from sweeps.store.not_kept import refusal
from sweeps.store.torch_values import (
    array_of,
    generator_of,
    is_generator,
    is_tensor,
    objection,
    state_of,
    tensor_of,
)

Steps = tuple[Any, ...]
"""Keys and indices from the state to a value in it."""

DEEPEST = 100
"""Maximum depth of nested containers; JSON and Python's stack limit it too."""
INT64 = range(-(2**63), 2**63)
KINDS_OF_NUMBERS = "biufcmM"
"""`dtype.kind` of numpy scalars; arrays may be of strings (U, S) as well."""
BIT_GENERATORS = {
    each.__name__: each
    for each in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}


def split(state: Any, name: str = "state") -> tuple[Any, dict[str, Array]]:
    """Return a state as a JSON tree, and the arrays that it names `a0`, `a1`, ….

    Args:
        state: Nested dicts (keys: str, int), lists and tuples of numbers, strings, bytes,
            arrays, tensors, random generators and None.
        name: What errors call it.

    Raises:
        TypeError: If it holds anything else, or itself; the error names the place.
    """
    writer = _Writer(name)
    return writer.tree(state, ()), writer.arrays


def joined(tree: Any, arrays: Mapping[str, Array], device: str = "cpu") -> Any:
    """Return the state that was split.

    Args:
        tree: The JSON tree.
        arrays: The arrays that it names.
        device: Where tensors go that were on another device than the CPU.

    Raises:
        KeyError: If the tree is of another format; or ValueError, TypeError.
    """
    return _Reader(arrays, device).value(tree)


def path_text(name: str, path: Steps) -> str:
    """Return the place of a value as the user would write it.

    Example:
        >>> print(path_text("state", ("optimizer", "state", 0)))
        state["optimizer"]["state"][0]
    """
    return name + "".join(f"[{_written(each)}]" for each in path)


def _written(key: object) -> str:
    return json.dumps(key) if isinstance(key, str) else repr(key)


@dataclass
class _Writer:
    """Turns values into trees, and collects the arrays."""

    name: str
    arrays: dict[str, Array] = field(default_factory=dict[str, Array])
    around: set[int] = field(default_factory=set[int])
    """The containers that the value being written is in, by id()."""

    def tree(self, value: Any, path: Steps) -> Any:
        write = _WRITERS.get(type(value))
        if write is not None:
            return write(self, value, path)
        if isinstance(value, np.generic) and value.dtype.kind in KINDS_OF_NUMBERS:
            return {"scalar": [value.dtype.str, value.tobytes().hex()]}
        if is_tensor(value) and objection(value) is None:
            return {"tensor": self.with_array(*array_of(value))}
        if is_generator(value):
            return {"torch_generator": self.with_array(*state_of(value))}
        raise refusal(value, path_text(self.name, path))

    def integer(self, value: int, path: Steps) -> Any:
        # In hexadecimal: Python limits decimal numbers to 4300 digits.
        return value if value in INT64 else {"int": hex(value)}

    def text(self, value: str, path: Steps) -> Any:
        try:
            value.encode()
        except UnicodeEncodeError:  # two halves of a pair would come back as one character
            return {"str": value.encode("utf-8", "surrogatepass").hex()}
        return value

    def binary(self, value: bytes, path: Steps) -> Any:
        return {"bytes": self.keep(np.frombuffer(value, dtype=np.uint8))}

    def complex_number(self, value: complex, path: Steps) -> Any:
        return {"complex": [value.real, value.imag]}

    def array(self, value: Array, path: Steps) -> Any:
        if value.dtype.kind not in KINDS_OF_NUMBERS + "US":
            raise refusal(value, path_text(self.name, path))
        return {"array": self.keep(value)}

    def numpy_generator(self, value: np.random.Generator, path: Steps) -> Any:
        source = value.bit_generator
        if BIT_GENERATORS.get(type(source).__name__) is not type(source):
            raise refusal(source, path_text(self.name, path) + ".bit_generator")
        seed: Any = source.seed_seq  # spawn() continues from it
        if type(seed) is not np.random.SeedSequence:
            raise refusal(seed, path_text(self.name, path) + ".bit_generator.seed_seq")
        parts = [dict(source.state), dict(seed.state)]
        return {"numpy_generator": self.items(parts, enumerate(parts), path)}

    def list_of(self, value: list[Any], path: Steps) -> Any:
        return self.items(value, enumerate(value), path)

    def tuple_of(self, value: tuple[Any, ...], path: Steps) -> Any:
        return {"tuple": self.items(value, enumerate(value), path)}

    def dict_of(self, value: dict[Any, Any], path: Steps) -> Any:
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(
                    f"{path_text(self.name, path)} has the key {key!r}, a "
                    f"{type(key).__qualname__}. Keys must be str or int, as they come back "
                    "equal and of the same type. Use such keys, or a list of pairs."
                )
        values = self.items(value, value.items(), path)
        keys = (self.tree(key, path) for key in value)
        return {_KIND_OF_DICT[type(value)]: list(map(list, zip(keys, values, strict=True)))}

    def items(
        self, container: Any, items: Iterable[tuple[Any, Any]], path: Steps
    ) -> list[Any]:
        """Return the trees of what is in a container."""
        if id(container) in self.around:
            raise TypeError(
                f"{path_text(self.name, path)} is a container that it is in itself, so it has "
                "no end. Take that reference out of the state."
            )
        if len(path) >= DEEPEST:
            raise TypeError(
                f"{path_text(self.name, path[:3])}… is nested over {DEEPEST} deep, which JSON "
                "cannot be relied on to hold. Keep it as a flat list."
            )
        self.around.add(id(container))
        trees = [self.tree(value, (*path, key)) for key, value in items]
        self.around.remove(id(container))
        return trees

    def with_array(self, facts: dict[str, Any], array: Array) -> dict[str, Any]:
        return {**facts, "array": self.keep(array)}

    def keep(self, array: Array) -> str:
        """Return the name that an array is stored under."""
        name = f"a{len(self.arrays)}"
        self.arrays[name] = array
        return name


@dataclass(frozen=True)
class _Reader:
    """Turns trees into values."""

    arrays: Mapping[str, Array]
    device: str

    def value(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return self.values(tree)
        if isinstance(tree, dict):
            ((kind, content),) = tree.items()
            return _READERS[kind](self, content)
        return tree

    def values(self, trees: list[Any]) -> list[Any]:
        return [self.value(each) for each in trees]

    def pairs(self, pairs: list[list[Any]]) -> list[tuple[Any, Any]]:
        return [(self.value(key), self.value(value)) for key, value in pairs]

    def scalar(self, content: list[str]) -> Any:
        dtype, data = content
        return np.frombuffer(bytes.fromhex(data), dtype=dtype)[0]

    def numpy_generator(self, trees: list[Any]) -> np.random.Generator:
        state, seed = self.values(trees)
        source = BIT_GENERATORS[state["bit_generator"]](np.random.SeedSequence(**seed))
        source.state = state
        return np.random.Generator(source)

    def tensor(self, facts: dict[str, Any]) -> Any:
        return tensor_of(facts, self.arrays[facts["array"]], self.device)

    def torch_generator(self, facts: dict[str, Any]) -> Any:
        return generator_of(facts, self.arrays[facts["array"]], self.device)


def _as_it_is(writer: _Writer, value: Any, path: Steps) -> Any:
    return value


_KIND_OF_DICT = {dict: "dict", OrderedDict: "ordered_dict", Counter: "counter"}
"""Counter: the `milestones` of torch's MultiStepLR."""
_WRITERS: dict[type, Callable[[_Writer, Any, Steps], Any]] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    float: _as_it_is,
    int: _Writer.integer,
    complex: _Writer.complex_number,
    str: _Writer.text,
    bytes: _Writer.binary,
    list: _Writer.list_of,
    tuple: _Writer.tuple_of,
    np.ndarray: _Writer.array,
    np.random.Generator: _Writer.numpy_generator,
    **dict.fromkeys(_KIND_OF_DICT, _Writer.dict_of),
}
_READERS: dict[str, Callable[[_Reader, Any], Any]] = {
    "int": lambda reader, content: int(content, 16),
    "str": lambda reader, content: bytes.fromhex(content).decode("utf-8", "surrogatepass"),
    "complex": lambda reader, content: complex(*content),
    "bytes": lambda reader, content: reader.arrays[content].tobytes(),
    "array": lambda reader, content: reader.arrays[content],
    "scalar": _Reader.scalar,
    "tuple": lambda reader, content: tuple(reader.values(content)),
    "dict": lambda reader, content: dict(reader.pairs(content)),
    "ordered_dict": lambda reader, content: OrderedDict(reader.pairs(content)),
    "counter": lambda reader, content: Counter(dict(reader.pairs(content))),
    "tensor": _Reader.tensor,
    "numpy_generator": _Reader.numpy_generator,
    "torch_generator": _Reader.torch_generator,
}
