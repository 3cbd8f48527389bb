"""The law of checkpoints: what is kept comes back, bit for bit and type for type."""

import sys
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from states import same

from sweeps.store.checkpoints import Position, decoded, encoded
from sweeps.store.torch_values import IN_NUMPY

NUMBERS = ["bool", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", *IN_NUMPY]
EXACT = [getattr(torch, name) for name in sorted(NUMBERS) if hasattr(torch, name)]
shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
dtypes = st.one_of(npst.scalar_dtypes(), npst.complex_number_dtypes(endianness=">"))


@st.composite
def strided(draw: st.DrawFn, flat: st.SearchStrategy[Any]) -> Any:
    """An array or a tensor, turned and cut or not."""
    value = draw(flat)
    turned = value.T if value.ndim == 2 and draw(st.booleans()) else value
    return turned[::2] if turned.ndim and draw(st.booleans()) else turned


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype, shape = draw(st.sampled_from(EXACT)), draw(shapes)
    size = int(np.prod(shape)) * dtype.itemsize
    data = bytearray(draw(st.binary(min_size=size, max_size=size)))
    if dtype is torch.bool:
        data = bytearray(each & 1 for each in data)
    flat = (
        torch.frombuffer(data, dtype=torch.uint8)
        if size
        else torch.empty(0).to(torch.uint8)
    )
    return flat.view(dtype).reshape(shape)


arrays = dtypes.flatmap(lambda dtype: npst.arrays(dtype, shapes))
scalar_dtypes = ["?", "i1", "<u8", ">i4", "f2", "f4", "f8", "c8", "c16", "M8[us]", "m8[D]"]
numpy_scalars = (
    st.sampled_from(scalar_dtypes)
    .flatmap(lambda dtype: npst.arrays(dtype, ()))
    .map(lambda array: array[()])
)
strings = st.text(st.characters(codec=None, exclude_categories=()))
keys = st.one_of(
    strings, st.integers(), st.sampled_from(["a0", "facts", "dict", "", "a/b.c"])
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**63 - 2, 2**200),
    st.floats(),
    st.complex_numbers(),
    strings,
    st.binary(),
    strided(arrays),
    strided(tensors()),
    numpy_scalars,
    st.integers(0, 2**130).map(np.random.default_rng),
)
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)
    ),
    max_leaves=12,
)


@given(states)
def test_a_state_comes_back_bit_for_bit(state: Any) -> None:
    data = encoded(Position(3, state), "trial", "code-1")
    assert data == encoded(Position(3, state), "trial", "code-1")
    found = decoded(data, "trial", "code-1")
    assert same(found.state, state)
    assert same(decoded(encoded(found, "trial", "code-1"), "trial", "code-1").state, state)


measures = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), strings)
checks = st.lists(
    st.dictionaries(strings, measures).map(lambda measured: {**measured, "update": 10})
).map(tuple)


@given(st.integers(0, sys.maxsize), checks, st.booleans())
def test_what_checks_measured_comes_back(
    update: int, made: tuple[dict[str, Any], ...], diverged: bool
) -> None:
    position = Position(update, None, made, diverged)
    found = decoded(encoded(position, "trial", "code-1"), "trial", "code-1")
    assert same(found.checks, made)
    assert (found.update, found.state, found.diverged) == (update, None, diverged)
