"""The microkernel: a small matrix product held in registers, in LLVM's vector types.

In a plain loop over a product, LLVM keeps the accumulators in memory. Here each is a phi
node of the loop over k, so that it stays in a register; LLVM does the rest. All vectors
have 16 lanes; narrower registers hold a vector in two or four parts. So every element of a
product is the same chain of fused multiply-adds, with k ascending: the bits do not depend
on the vector width.

The functions here build LLVM code independently of Numba; `rnnlab.engines.fused_cpu.
operations` makes them callable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

Builder = Any
"""llvmlite's `ir.IRBuilder`, which is only partly typed."""
Value = Any
"""llvmlite's `ir.Value`."""

LANES = 16
"""Floats per vector, and the unit of padding."""

FLOAT = ir.FloatType()
_BITS = ir.IntType(32)
_FRACTION_BITS, _BIAS = 23, 127
"""Of a float32."""
DOUBLE = ir.DoubleType()
INDEX = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
DOUBLES = ir.VectorType(DOUBLE, LANES)
_INT32 = ir.IntType(32)
_LINE_BYTES = 4 * LANES
_OVERLOADS = {
    str(FLOAT): "f32",
    str(VECTOR): f"v{LANES}f32",
    str(DOUBLES): f"v{LANES}f64",
}


@dataclass(frozen=True)
class Machine:
    """The properties of a processor that the microkernel depends on."""

    name: str
    """The instruction set, which decides the tiles."""
    tile_rows: tuple[int, ...]
    """Height of the tallest tile of 1, 2, … vectors across that fits the registers."""
    fused: bool
    """Whether it has a fused multiply-add, with one rounding."""


AVX512 = Machine("avx512", (12, 12, 8, 6), fused=True)
"""32 registers of 16 floats."""
AVX2 = Machine("avx2", (6,), fused=True)
"""16 registers of 8 floats."""
NEON = Machine("neon", (6,), fused=True)
"""32 registers of 4 floats. Compiled only, never run."""
PORTABLE = Machine("portable", (2,), fused=False)
"""Anything else: no fused multiply-add, so the bits differ."""


def machine(triple: str, features: str) -> Machine:
    """Choose the tiles for a processor from LLVM's description.

    Args:
        triple: Such as `x86_64-unknown-linux-gnu`.
        features: Such as `+avx2,-avx512f,+fma`.
    """
    have = {name.removeprefix("+") for name in features.split(",") if name.startswith("+")}
    if triple.startswith(("aarch64", "arm64")):
        return NEON
    if {"avx512f", "avx512vl", "fma"} <= have:
        return AVX512
    if {"avx2", "fma"} <= have:
        return AVX2
    return PORTABLE


def tile_function(
    module: ir.Module, rows: int, vectors: int, *, fused: bool
) -> ir.Function:
    """Emit C[r, :] = S[index[r·index_step], :] + Σ_k A[r, k] B[k, :], once per module.

    `rows` rows of `vectors`·16 floats each. The function takes, in this order, the
    addresses and steps below; steps count elements, and B, C and S are aligned.

        start, start_row, index, index_step, a, a_row, a_k, b, b_k, c, c_row, depth

    Args:
        module: Module of the function.
        rows: Height of the tile.
        vectors: Width of the tile, in vectors.
        fused: Whether to multiply and add with one rounding.
    """
    name = f"tile_{rows}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INDEX] * 12), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder: Builder = ir.IRBuilder(function.append_basic_block("entry"))
    start, start_row, index, index_step, a, a_row, a_k, b, b_k, c, c_row, depth = (
        function.args
    )
    columns = [number(each * LANES) for each in range(vectors)]

    def row_of(base: Value, row: Value, step: Value) -> Value:
        return builder.gep(base, [builder.mul(row, step)])

    first: list[Value] = []
    for r in range(rows):
        place = builder.gep(
            pointer(builder, index, INDEX), [builder.mul(index_step, number(r))]
        )
        source = row_of(pointer(builder, start), builder.load(place), start_row)
        first += [load(builder, source, column) for column in columns]

    def body(k: Value, sums: list[Value]) -> list[Value]:
        b_row = row_of(pointer(builder, b), k, b_k)
        across = [load(builder, b_row, column) for column in columns]
        down = row_of(pointer(builder, a), k, a_k)
        new: list[Value] = []
        for r in range(rows):
            factor = splat(builder, builder.load(row_of(down, number(r), a_row)), VECTOR)
            for v in range(vectors):
                new.append(
                    multiply_add(builder, factor, across[v], sums[r * vectors + v], fused)
                )
        return new

    sums = loop(builder, depth, first, body)
    for r in range(rows):
        target = row_of(pointer(builder, c), number(r), c_row)
        for v in range(vectors):
            store(builder, sums[r * vectors + v], target, columns[v])
    builder.ret_void()
    return function


def squares_function(module: ir.Module, *, fused: bool) -> ir.Function:
    """Emit the sum of squares of `vectors`·16 floats, in float32.

    Each lane sums its own squares in order; then the lanes are added as a tree.
    """
    return _squares(module, "squares", VECTOR, fused=fused)


def wide_squares_function(module: ir.Module, *, fused: bool) -> ir.Function:
    """Emit the same in float64, where a sum does not overflow before 1.8e308."""
    return _squares(module, "wide_squares", DOUBLES, fused=fused)


def _squares(
    module: ir.Module, name: str, kind: ir.VectorType, *, fused: bool
) -> ir.Function:
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(kind.element, [INDEX, INDEX]), name)
    function.linkage = "internal"
    function.attributes.add("nounwind")
    builder: Builder = ir.IRBuilder(function.append_basic_block("entry"))
    address, vectors = function.args
    base = pointer(builder, address)

    def body(k: Value, sums: list[Value]) -> list[Value]:
        value = load(builder, base, builder.mul(k, number(LANES)))
        if kind == DOUBLES:
            value = builder.fpext(value, DOUBLES)
        return [multiply_add(builder, value, value, sums[0], fused)]

    (total,) = loop(builder, vectors, [ir.Constant(kind, [0.0] * LANES)], body)
    builder.ret(sum_of_lanes(builder, total))
    return function


def sum_of_lanes(builder: Builder, vector: Value) -> Value:
    """Add the 16 lanes as a tree: lane i to lane i + 8, then + 4, + 2, + 1."""
    half = LANES // 2
    while half:
        order = ir.Constant(ir.VectorType(_INT32, half), list(range(half, 2 * half)))
        low = ir.Constant(ir.VectorType(_INT32, half), list(range(half)))
        nothing = ir.Constant(vector.type, ir.Undefined)
        vector = builder.fadd(
            builder.shuffle_vector(vector, nothing, low),
            builder.shuffle_vector(vector, nothing, order),
        )
        half //= 2
    return builder.extract_element(vector, ir.Constant(_INT32, 0))


def loop(
    builder: Builder,
    count: Value,
    first: list[Value],
    body: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:
    """Emit `values = body(k, values)` for k in range(count), with values in registers."""
    entry, again, done = (
        builder.block,
        builder.append_basic_block("again"),
        builder.append_basic_block("done"),
    )
    builder.cbranch(builder.icmp_signed(">", count, number(0)), again, done)
    builder.position_at_end(again)
    k = builder.phi(INDEX)
    carried = [builder.phi(value.type) for value in first]
    new = body(k, carried)
    following = builder.add(k, number(1))
    builder.cbranch(builder.icmp_signed("<", following, count), again, done)
    k.add_incoming(number(0), entry)
    k.add_incoming(following, again)
    for phi, before, after in zip(carried, first, new, strict=True):
        phi.add_incoming(before, entry)
        phi.add_incoming(after, again)
    builder.position_at_end(done)
    last = [builder.phi(value.type) for value in first]
    for phi, before, after in zip(last, first, new, strict=True):
        phi.add_incoming(before, entry)
        phi.add_incoming(after, again)
    return last


def multiply_add(builder: Builder, a: Value, b: Value, c: Value, fused: bool) -> Value:
    """Emit a·b + c, with one rounding if `fused`."""
    if not fused:
        return builder.fadd(builder.fmul(a, b), c)
    kind = a.type
    name = "llvm.fma." + _OVERLOADS[str(kind)]
    module = builder.module
    fma = module.globals.get(name) or ir.Function(
        module, ir.FunctionType(kind, [kind] * 3), name
    )
    return builder.call(fma, [a, b, c])


def two_to_the(builder: Builder, shifted: Value) -> Value:
    """Emit 2ⁿ for a float n + 1.5·2²³: its last bits are n, and are shifted into the exponent."""
    bits = builder.bitcast(shifted, _BITS)
    exponent = builder.shl(bits, ir.Constant(_BITS, _FRACTION_BITS))
    biased = builder.add(exponent, ir.Constant(_BITS, _BIAS << _FRACTION_BITS))
    return builder.bitcast(biased, FLOAT)


def number(value: int) -> Value:
    """Return a constant index."""
    return ir.Constant(INDEX, value)


def pointer(builder: Builder, address: Value, kind: ir.Type = FLOAT) -> Value:
    """Convert an address to a pointer to numbers."""
    return builder.inttoptr(address, kind.as_pointer())


def load(builder: Builder, base: Value, offset: Value) -> Value:
    """Load an aligned vector."""
    place = builder.bitcast(builder.gep(base, [offset]), VECTOR.as_pointer())
    value = builder.load(place)
    value.align = _LINE_BYTES
    return value


def store(builder: Builder, value: Value, base: Value, offset: Value) -> None:
    """Store an aligned vector."""
    place = builder.bitcast(builder.gep(base, [offset]), VECTOR.as_pointer())
    builder.store(value, place).align = _LINE_BYTES


def splat(builder: Builder, scalar: Value, kind: ir.VectorType) -> Value:
    """Return a vector with one number in all lanes."""
    nothing = ir.Constant(kind, ir.Undefined)
    zero = ir.Constant(_INT32, 0)
    everywhere = ir.Constant(ir.VectorType(_INT32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(
        builder.insert_element(nothing, scalar, zero), nothing, everywhere
    )


_FLUSH_X86 = 0x8040
"""Flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR."""
_FLUSH_ARM = 1 << 24
"""FZ of FPCR."""


def denormals_to_zero(builder: Builder, triple: str) -> Value:
    """Emit: treat denormal numbers as zero from here on; return the previous flags.

    Vanishing gradients become denormal numbers, which are slow. Processors other than
    x86-64 and ARM64 keep them.
    """
    flags = _flags(builder, triple)
    mask = _FLUSH_X86 if triple.startswith("x86_64") else _FLUSH_ARM
    restore_denormals(builder, triple, builder.or_(flags, number(mask)))
    return flags


def restore_denormals(builder: Builder, triple: str, flags: Value) -> None:
    """Emit: set the flags that control denormal numbers."""
    if triple.startswith("x86_64"):
        slot = builder.alloca(_INT32)
        builder.store(builder.trunc(flags, _INT32), slot)
        _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [_bytes(builder, slot)])
    elif triple.startswith(("aarch64", "arm64")):
        _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [flags])


def _flags(builder: Builder, triple: str) -> Value:
    if triple.startswith("x86_64"):
        slot = builder.alloca(_INT32)
        _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [_bytes(builder, slot)])
        return builder.zext(builder.load(slot), INDEX)
    if triple.startswith(("aarch64", "arm64")):
        return _call(builder, "llvm.aarch64.get.fpcr", INDEX, [])
    return number(0)


def _bytes(builder: Builder, slot: Value) -> Value:
    return builder.bitcast(slot, ir.IntType(8).as_pointer())


def _call(builder: Builder, name: str, gives: ir.Type, values: list[Value]) -> Value:
    kind = ir.FunctionType(gives, [value.type for value in values])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, values)
