"""What compiled code does with addresses: calls, and loops over rows of numbers.

Kernels work on addresses (int64) because their rows are strided slices of many buffers. Nothing here checks a bound.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from rnnbench.kernels import host
from rnnbench.kernels.build import Build
from rnnbench.kernels.table import word
from rnnbench.ops.vector import element

I64 = ir.IntType(64)
POINTER = ir.IntType(8).as_pointer()


def call_address(builder, address, result, *arguments):
    """Emit a call of the function at an address, which takes and returns values of these types."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


def smaller(x, y):
    """The smaller of two numbers."""
    return x if x < y else y


def larger(x, y):
    """The larger of two numbers."""
    return y if x < y else x


def copy_rows(target, target_row, source, source_row, size, rows):
    """Copy `size` bytes of each row: all at once where nothing lies between."""
    if target_row == size and source_row == size:
        copy_bytes(target, source, size * rows)
    else:
        for r in range(rows):
            copy_bytes(target + r * target_row, source + r * source_row, size)


def add_rows(build, target, target_row, source, source_row, length, size, rows):
    """The same, adding numbers of so many bytes."""
    if target_row == length and source_row == length:
        add_numbers(build, target, source, length * rows // size)
    else:
        for r in range(rows):
            add_numbers(build, target + r * target_row, source + r * source_row, length // size)


def clear_rows(target, target_row, size, rows):
    """The same, setting bytes to 0."""
    if target_row == size:
        clear_bytes(target, size * rows)
    else:
        for r in range(rows):
            clear_bytes(target + r * target_row, size)


@intrinsic
def call_tile(
    context, table, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels
):  # fmt: skip
    """Call the tile of so many rows of a table of :func:`rnnbench.kernels.build.start`."""

    def codegen(context, builder, sig, args):
        start = builder.load(word(builder, args[0], args[1]), typ=I64)
        result, nothing = cgutils.alloca_once(builder, POINTER), ir.Constant(POINTER, None)
        call_address(builder, start, ir.IntType(32), builder.bitcast(result, POINTER), nothing, nothing, *args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 13), codegen


@intrinsic
def call_stage(context, function, table, rows, vectors):
    """Call a stage's pointwise function at an address, see :mod:`rnnbench.kernels.pointwise`."""

    def codegen(context, builder, sig, args):
        call_address(builder, args[0], ir.VoidType(), ir.Constant(POINTER, None), *args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@intrinsic
def copy_bytes(context, target, source, count):
    """Copy `count` bytes from one address to another; they must not overlap."""

    def codegen(context, builder, sig, args):
        pointers = [builder.inttoptr(a, POINTER) for a in args[:2]]
        name = "llvm.memcpy.p0.p0.i64"
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [*pointers, args[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def clear_bytes(context, target, count):
    """Set `count` bytes at an address to 0."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(ir.VoidType(), [POINTER, ir.IntType(8), I64, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.memset.p0.i64")
        zero = [ir.Constant(ir.IntType(8), 0), args[1], ir.Constant(ir.IntType(1), 0)]
        builder.call(function, [builder.inttoptr(args[0], POINTER), *zero])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def put_line(context, target, first, second, third):
    """Write three int64 to an address."""

    def codegen(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        for i, value in enumerate(args[1:]):
            builder.store(value, builder.gep(pointer, [ir.Constant(I64, i)], source_etype=I64))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@intrinsic
def put_number(context, target, value):
    """Write an int64 to an address."""

    def codegen(context, builder, sig, args):
        builder.store(args[1], builder.inttoptr(args[0], I64.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def byte(context, address):
    """The byte at an address."""

    def codegen(context, builder, sig, args):
        return builder.load(builder.inttoptr(args[0], POINTER), typ=ir.IntType(8))

    return types.uint8(types.int64), codegen


@intrinsic
def add_numbers(context, build, target, source, count):
    """target[i] += source[i] for `count` numbers at two addresses."""
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        scalar = element(sig.args[0])
        lanes = host.lanes(sig.args[0].dtype)
        target, source = (builder.inttoptr(a, scalar.as_pointer()) for a in args[1:3])
        whole = builder.and_(args[3], ir.Constant(I64, -lanes))
        vector = ir.VectorType(scalar, lanes)
        align = sig.args[0].dtype.bitwidth // 8

        def add(index, kind):
            there, here = (
                builder.bitcast(builder.gep(p, [index], source_etype=scalar), kind.as_pointer())
                for p in (target, source)
            )
            total = builder.fadd(builder.load(there, align=align, typ=kind), builder.load(here, align=align, typ=kind))
            builder.store(total, there, align=align)

        step = ir.Constant(I64, lanes)
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), whole, step, I64, inc=True) as (i, _):
            add(i, vector)
        with cgutils.for_range_slice(builder, whole, args[3], ir.Constant(I64, 1), I64, inc=True) as (i, _):
            add(i, scalar)
        return context.get_dummy_value()

    return types.void(build, types.int64, types.int64, types.int64), codegen


@intrinsic
def copy_numbers(context, build, target, target_step, source, source_step, count):
    """Copy `count` numbers that lie so many bytes apart."""
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        _, target, target_step, source, source_step, count = args
        scalar = element(sig.args[0])
        with cgutils.for_range(builder, count, intp=I64) as loop:
            here, there = (
                builder.inttoptr(builder.add(base, builder.mul(loop.index, step)), scalar.as_pointer())
                for base, step in ((source, source_step), (target, target_step))
            )
            builder.store(builder.load(here, typ=scalar), there)
        return context.get_dummy_value()

    return types.void(build, *[types.int64] * 5), codegen


@intrinsic
def add_column(context, build, target, step, source, count):
    """target[i] += source[i] for `count` numbers, those of the target so many bytes apart."""
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        _, target, step, source, count = args
        scalar, size = element(sig.args[0]), ir.Constant(I64, sig.args[0].dtype.bitwidth // 8)
        with cgutils.for_range(builder, count, intp=I64) as loop:
            there, here = (
                builder.inttoptr(builder.add(base, builder.mul(loop.index, apart)), scalar.as_pointer())
                for base, apart in ((target, step), (source, size))
            )
            builder.store(builder.fadd(builder.load(there, typ=scalar), builder.load(here, typ=scalar)), there)
        return context.get_dummy_value()

    return types.void(build, *[types.int64] * 4), codegen


@intrinsic
def copy_vectors(context, build, target, target_row, source, source_row, vectors, rows):
    """Copy `vectors` whole vectors of each of `rows` rows; rows lie so many bytes apart."""
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        _, target, target_row, source, source_row, vectors, rows = args
        vector = ir.VectorType(element(sig.args[0]), host.lanes(sig.args[0].dtype))
        align = sig.args[0].dtype.bitwidth // 8
        width = ir.Constant(I64, vector.count * align)
        for_range = cgutils.for_range
        with for_range(builder, rows, intp=I64) as r, for_range(builder, vectors, intp=I64) as v:
            here, there = (
                builder.inttoptr(
                    builder.add(builder.add(base, builder.mul(r.index, row)), builder.mul(v.index, width)),
                    vector.as_pointer(),
                )
                for base, row in ((source, source_row), (target, target_row))
            )
            builder.store(builder.load(here, align=align, typ=vector), there, align=align)
        return context.get_dummy_value()

    return types.void(build, *[types.int64] * 6), codegen
