"""States of trainers, compared bit for bit."""

import struct
from typing import Any

import numpy as np
import torch


def same(a: Any, b: Any) -> bool:
    """Whether two states are of the same types, structure and bits, any NaN being the same."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(
            type(x) is type(y) and same(a[x], b[y]) for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype.str, a.shape, a.tobytes()) == (b.dtype.str, b.shape, b.tobytes())
    if isinstance(a, torch.Tensor):
        return a.device == b.device and _tensor_bits(a) == _tensor_bits(b)
    if isinstance(a, torch.Generator):
        return a.device == b.device and torch.equal(a.get_state(), b.get_state())
    if isinstance(a, np.random.Generator):
        return same(_generator_state(a), _generator_state(b))
    if isinstance(a, float):
        return (a != a and b != b) or struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, complex):
        return same((a.real, a.imag), (b.real, b.imag))
    return a == b


def _tensor_bits(tensor: torch.Tensor) -> tuple[Any, ...]:
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    data = bytes(
        plain.clone(memory_format=torch.contiguous_format).untyped_storage().tolist()
    )
    return tensor.dtype, tensor.shape, data


def _generator_state(generator: np.random.Generator) -> list[Any]:
    source: Any = generator.bit_generator
    return [source.state, source.seed_seq.state]
