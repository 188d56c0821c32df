"""What compiled code builds the named functions from: one LLVM instruction or two each.

Every primitive takes vectors and scalars alike, of float32 or float64.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.cpu import CPUContext
from numba.core.extending import intrinsic

from rnnbench.ops.constants import ROWS
from rnnbench.ops.vector import Mask, Vec, element, is_real, splat

MANTISSA = {types.float32: 23, types.float64: 52}
BIAS = {types.float32: 127, types.float64: 1023}


def scalar_type(numba_type):
    """Return float32 or float64: the type itself or that of a lane."""
    return getattr(numba_type, "dtype", numba_type)


def _constant(llvm_type, value):
    if isinstance(llvm_type, ir.VectorType):
        return ir.Constant(llvm_type, [value] * llvm_type.count)
    return ir.Constant(llvm_type, value)


def _integers(numba_type):
    bits = ir.IntType(32 if scalar_type(numba_type) == types.float32 else 64)
    return ir.VectorType(bits, numba_type.lanes) if isinstance(numba_type, Vec) else bits


def call_llvm(builder, name, llvm_type, *args):
    """Call an LLVM intrinsic such as ``llvm.sqrt`` on scalars or vectors."""
    item = llvm_type.element if isinstance(llvm_type, ir.VectorType) else llvm_type
    suffix = "f32" if item == ir.FloatType() else "f64"
    if isinstance(llvm_type, ir.VectorType):
        suffix = f"v{llvm_type.count}{suffix}"
    function_type = ir.FunctionType(llvm_type, [llvm_type] * len(args))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"{name}.{suffix}")
    return builder.call(function, args)


def _masked(builder, value, mask):
    """The bits of a float scalar that are set in `mask`, as an integer."""
    bits = ir.IntType(32 if value.type == ir.FloatType() else 64)
    return builder.and_(builder.bitcast(value, bits), ir.Constant(bits, mask(bits.width)))


def _sign(bits):
    return 1 << (bits - 1)


def _magnitude(bits):
    return (1 << (bits - 1)) - 1


def _on_cpu(context):
    """Whether LLVM's own intrinsics are all there: NVVM, which compiles for GPUs, has few of them."""
    return isinstance(context, CPUContext)


@intrinsic
def absolute(context, x):
    """The magnitude of x."""
    if not is_real(x):
        return None

    def codegen(context, builder, sig, args):
        (value,) = args
        if _on_cpu(context):
            return call_llvm(builder, "llvm.fabs", value.type, value)
        return builder.bitcast(_masked(builder, value, _magnitude), value.type)

    return x(x), codegen


@intrinsic
def sqrt(context, x):
    """The square root of x."""
    if not is_real(x):
        return None

    def codegen(context, builder, sig, args):
        return call_llvm(builder, "llvm.sqrt", args[0].type, *args)

    return x(x), codegen


def _multiply_add(context, builder, x, y, z):
    name = "llvm.fmuladd" if _on_cpu(context) else "llvm.fma"  # every GPU has the instruction
    return call_llvm(builder, name, x.type, x, y, z)


@intrinsic
def fma(context, x, y, z):
    """x*y + z, rounded once where the machine has the instruction."""
    if not is_real(x) or x != y or x != z:
        return None

    def codegen(context, builder, sig, args):
        return _multiply_add(context, builder, *args)

    return x(x, y, z), codegen


@intrinsic
def horner(context, coefficients, x):
    """Polynomial in x, lowest power first."""
    if not is_real(x):
        return None

    def codegen(context, builder, sig, args):
        numbers, kind = cgutils.unpack_tuple(builder, args[0]), sig.args[1]
        spread = [_in_kind(context, builder, n, t, kind) for n, t in zip(numbers, sig.args[0], strict=True)]
        total = spread[-1]
        for number in spread[-2::-1]:
            total = _multiply_add(context, builder, total, args[1], number)
        return total

    return x(coefficients, x), codegen


@intrinsic
def copysign(context, x, y):
    """The magnitude of x with the sign of y."""
    if not is_real(x) or x != y:
        return None

    def codegen(context, builder, sig, args):
        if _on_cpu(context):
            return call_llvm(builder, "llvm.copysign", args[0].type, *args)
        bits = builder.or_(_masked(builder, args[0], _magnitude), _masked(builder, args[1], _sign))
        return builder.bitcast(bits, args[0].type)

    return x(x, y), codegen


def _in_kind(context, builder, number, number_type, like):
    if number_type == like:
        return number
    if isinstance(like, Vec):
        return splat(context, builder, number, number_type, like)
    return context.cast(builder, number, number_type, like)


@intrinsic
def const(context, value, like):
    """A number in the precision and number system of `like`."""
    if not isinstance(value, types.Number) or not is_real(like):
        return None

    def codegen(context, builder, sig, args):
        return _in_kind(context, builder, args[0], *sig.args)

    return like(value, like), codegen


@intrinsic(prefer_literal=True)
def constants(context, name, like):
    """The row of numbers called `name`, in the precision and number system of `like`.

    Where there are 16 registers, vectors are read from memory by the instructions that use them. LLVM would keep them
    in registers for the length of a loop, and move those to and fro for want of others to work with.
    """
    if not is_real(like):
        return None
    numbers = ROWS[name.literal_value, scalar_type(like)]

    def codegen(context, builder, sig, args):
        values = [_constant(context.get_value_type(like), number) for number in numbers]
        if _on_cpu(context) and isinstance(like, Vec) and like.lanes * like.dtype.bitwidth < 512:
            values = _from_memory(builder, values)
        return context.make_tuple(builder, sig.return_type, values)

    return types.UniTuple(like, len(numbers))(name, like), codegen


def _from_memory(builder, values):
    vector, integer = values[0].type, ir.IntType(64)
    row = cgutils.global_constant(builder, "constants", ir.Constant(ir.ArrayType(vector, len(values)), values))
    row.align = vector.count * (4 if vector.element == ir.FloatType() else 8)
    hide = ir.InlineAsm(ir.FunctionType(integer, [integer]), "", "=r,0")  # LLVM shall not know that it never changes
    start = builder.inttoptr(builder.call(hide, [builder.ptrtoint(row, integer)]), vector.as_pointer())
    places = (builder.gep(start, [ir.Constant(integer, i)], source_etype=vector) for i in range(len(values)))
    return [builder.load(place, align=row.align, typ=vector) for place in places]


@intrinsic
def negative(context, x):
    """Whether x has a minus sign; zeros and NaNs have one or not."""
    if not is_real(x):
        return None
    result = Mask(x.lanes) if isinstance(x, Vec) else types.boolean

    def codegen(context, builder, sig, args):
        integers = _integers(sig.args[0])
        return builder.icmp_signed("<", builder.bitcast(args[0], integers), _constant(integers, 0))

    return result(x), codegen


@intrinsic
def select(context, condition, x, y):
    """`x` where the condition holds, else `y`."""
    if not isinstance(condition, Mask | types.Boolean) or not is_real(x) or x != y:
        return None

    def codegen(context, builder, sig, args):
        return builder.select(*args)

    return x(condition, x, y), codegen


@intrinsic
def unordered(context, x):
    """Whether x is NaN."""
    if not is_real(x):
        return None
    result = Mask(x.lanes) if isinstance(x, Vec) else types.boolean

    def codegen(context, builder, sig, args):
        return builder.fcmp_unordered("uno", args[0], args[0])

    return result(x), codegen


@intrinsic
def power_of_two(context, shifted):
    """2**n from ``shifted = n + 1.5 * 2**mantissa_bits + bias``, whose low bits are the exponent field."""
    if not is_real(shifted):
        return None

    def codegen(context, builder, sig, args):
        integers = _integers(sig.args[0])
        bits = builder.bitcast(args[0], integers)
        mantissa = _constant(integers, MANTISSA[scalar_type(sig.args[0])])
        return builder.bitcast(builder.shl(bits, mantissa), args[0].type)

    return shifted(shifted), codegen


@intrinsic
def split(context, x):
    """(m, e) with x = m * 2**e and m in [0.75, 1.5), for positive normal x; e as a float."""
    if not is_real(x):
        return None

    def codegen(context, builder, sig, args):
        numba_type = sig.args[0]
        dtype, integers = scalar_type(numba_type), _integers(numba_type)
        width, mantissa = (32, 23) if dtype == types.float32 else (64, 52)
        bits = builder.bitcast(args[0], integers)
        three_quarters = ((BIAS[dtype] - 1) << mantissa) | (1 << (mantissa - 1))
        offset = builder.sub(bits, _constant(integers, three_quarters))
        exponent = builder.ashr(offset, _constant(integers, mantissa))
        m = builder.sub(bits, builder.shl(exponent, _constant(integers, mantissa)))
        small = builder.trunc(exponent, _narrow(integers)) if width == 64 else exponent
        floats = args[0].type
        pair = context.make_tuple(builder, sig.return_type, [builder.bitcast(m, floats), builder.sitofp(small, floats)])
        return pair

    return types.UniTuple(x, 2)(x), codegen


def _narrow(integers):
    """int32 in place of int64: AVX2 converts only those to double in one instruction."""
    if isinstance(integers, ir.VectorType):
        return ir.VectorType(ir.IntType(32), integers.count)
    return ir.IntType(32)


__all__ = [
    "absolute",
    "const",
    "constants",
    "copysign",
    "element",
    "fma",
    "horner",
    "negative",
    "power_of_two",
    "select",
    "split",
    "sqrt",
    "unordered",
]
