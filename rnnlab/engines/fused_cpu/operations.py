"""The microkernel and other instructions that Numba lacks, as functions for compiled Python.

They can be called from compiled functions only. Each is typed by hand below its definition:
`intrinsic` returns a function with one parameter fewer, which type checkers cannot infer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from rnnlab.engines.fused_cpu import microkernel
from rnnlab.engines.fused_cpu.microkernel import Builder, Value

_COMPILER: Any = cpu_target.target_context
_TRIPLE, _, _FEATURES = _COMPILER.codegen().magic_tuple()
_intrinsic: Any = intrinsic

MACHINE = microkernel.machine(_TRIPLE, _FEATURES)
"""The processor that Numba compiles for: this one, unless NUMBA_CPU_NAME is set."""

TILE_ROWS = MACHINE.tile_rows
MAX_VECTORS = len(TILE_ROWS)
_SHAPES = 64
"""Exceeds the rows of any tile: a shape is encoded as vectors · 64 + rows."""


def _tile(
    typingctx: Any,
    rows: Any,
    vectors: Any,
    start: Any,
    start_row: Any,
    index: Any,
    index_step: Any,
    a: Any,
    a_row: Any,
    a_k: Any,
    b: Any,
    b_k: Any,
    c: Any,
    c_row: Any,
    depth: Any,
) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        rows, vectors, *rest = values
        done = builder.append_basic_block("tiled")
        shape = builder.add(builder.mul(vectors, microkernel.number(_SHAPES)), rows)
        switch = builder.switch(shape, done)
        for across, tallest in enumerate(TILE_ROWS, start=1):
            for down in range(1, tallest + 1):
                block = builder.append_basic_block(f"tile_{down}x{across}")
                switch.add_case(microkernel.number(_SHAPES * across + down), block)
                with builder.goto_block(block):
                    function = microkernel.tile_function(
                        builder.module, down, across, fused=MACHINE.fused
                    )
                    builder.call(function, rest)
                    builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 14), codegen


tile: Callable[[int, int, int, int, int, int, int, int, int, int, int, int, int, int], None]
tile = _intrinsic(_tile)
"""Call the microkernel for a shape: rows, vectors, then the arguments of `tile_function`."""


def _squares(typingctx: Any, address: Any, vectors: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        function = microkernel.squares_function(builder.module, fused=MACHINE.fused)
        return builder.call(function, values)

    return types.float32(types.intp, types.intp), codegen


squares: Callable[[int, int], np.float32] = _intrinsic(_squares)
"""Sum the squares of 16·vectors floats at an address, in float32."""


def _wide_squares(typingctx: Any, address: Any, vectors: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        function = microkernel.wide_squares_function(builder.module, fused=MACHINE.fused)
        return builder.call(function, values)

    return types.float64(types.intp, types.intp), codegen


wide_squares: Callable[[int, int], float] = _intrinsic(_wide_squares)
"""Sum them in float64, where the sum of any finite floats is finite."""


def _fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        return microkernel.multiply_add(builder, *values, fused=MACHINE.fused)

    return types.float32(types.float32, types.float32, types.float32), codegen


fma: Callable[[np.float32, np.float32, np.float32], np.float32] = _intrinsic(_fma)
"""Compute a·b + c, with one rounding if the machine supports it."""


def _two_to_the(typingctx: Any, shifted: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        return microkernel.two_to_the(builder, values[0])

    return types.float32(types.float32), codegen


two_to_the: Callable[[np.float32], np.float32] = _intrinsic(_two_to_the)
"""Compute 2ⁿ from n + 1.5·2²³, whose last bits are n; −126 ≤ n ≤ 127."""


def _denormals_to_zero(typingctx: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        return microkernel.denormals_to_zero(builder, _TRIPLE)

    return types.int64(), codegen


denormals_to_zero: Callable[[], int] = _intrinsic(_denormals_to_zero)
"""Treat denormal numbers as zero from here on; return the previous flags."""


def _restore_denormals(typingctx: Any, flags: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        microkernel.restore_denormals(builder, _TRIPLE, values[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


restore_denormals: Callable[[int], None] = _intrinsic(_restore_denormals)
"""Restore the flags that `denormals_to_zero` returned."""


def _as_pointer(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Builder, _: Any, values: Any) -> Value:
        return builder.inttoptr(values[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.intp), codegen


as_pointer: Callable[[int], Any] = _intrinsic(_as_pointer)
"""Convert an address to a pointer."""


@njit(error_model="numpy", nogil=True, inline="always")
def floats(address: int, count: int) -> np.ndarray:
    """View `count` floats at an address as an array without reference counting."""
    return carray(as_pointer(address), (count,), np.float32)


@njit(error_model="numpy", nogil=True, inline="always")
def integers(address: int, count: int) -> np.ndarray:
    """View `count` int64 at an address as an array without reference counting."""
    return carray(as_pointer(address), (count,), np.int64)


@njit(error_model="numpy", nogil=True, inline="always")
def doubles(address: int, count: int) -> np.ndarray:
    """View `count` float64 at an address as an array without reference counting."""
    return carray(as_pointer(address), (count,), np.float64)


@njit(error_model="numpy", nogil=True, inline="always")
def double_rows(address: int, rows: int, count: int) -> np.ndarray:
    """View `rows` of `count` float64 at an address as an array without reference counting."""
    return carray(as_pointer(address), (rows, count), np.float64)
