"""What a thread may ask of its block, on a card: see `intrinsics`."""

from typing import Any

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import types
from numba.cuda.extending import intrinsic  # pyright: ignore[reportMissingTypeStubs]

cuda: Any = numba.cuda

_ALL = 0xFFFFFFFF

_device = cuda.jit(device=True, forceinline=True)


@_device
def barrier() -> None:
    """Wait until each thread of the block has arrived."""
    cuda.syncthreads()


@_device
def any_of(truth: Any) -> Any:
    """Return to each thread of the block whether it is true in any of them."""
    return cuda.syncthreads_or(np.int32(truth)) != 0


@_device
def separate() -> None:
    """Keep the compiler from moving reads across this line: they would fill registers."""
    cuda.syncwarp()


@_device
def thread() -> Any:
    """Return the index of this thread in its block."""
    return np.uint32(cuda.threadIdx.x)


@_device
def swap(value: Any, lanes: int) -> Any:
    """Return the value of the thread whose index differs in the bits `lanes`."""
    return cuda.shfl_xor_sync(_ALL, value, lanes)


_intrinsic: Any = intrinsic


@_intrinsic
def _reciprocal(context: Any, number: Any) -> Any:
    """Return 1/x within 1 unit in the last place; numbers below 2^−126 count as 0."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
        code = ir.InlineAsm(kind, "rcp.approx.ftz.f32 $0, $1;", "=f,f")
        return builder.call(code, given)

    return types.float32(types.float32), build


@_device
def divide(a: Any, b: Any) -> Any:
    """Return a/b, within 2 units in the last place, for b from 2^−126 to 2^126."""
    return a * _reciprocal(b)


@_intrinsic
def _into_l2(context: Any, array: Any, place: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, given[0])
        pointer = builder.gep(view.data, [given[1]])
        kind = ir.FunctionType(ir.VoidType(), [pointer.type])
        builder.call(
            ir.InlineAsm(kind, "prefetch.L2 [$0];", "l", side_effect=True), [pointer]
        )
        return context.get_dummy_value()

    return types.void(array, types.uint64), build


@_device
def prefetch(array: Any, place: Any) -> None:
    """Ask for the line of memory with an entry, to be read from the L2 cache later."""
    _into_l2(array, place)


@_device
def whole(number: Any) -> Any:
    """Return a number as a signed 64-bit integer."""
    return np.int64(number)
