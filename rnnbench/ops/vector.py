"""A SIMD vector as a number type for Numba.

``Vec(float32, 16)`` is one LLVM value ``<16 x float>``. Its arithmetic is lowered to one instruction per operator,
without fast-math flags, so a lane gives the same bits wherever it sits. A scalar operand is broadcast and
takes the vector's precision. Comparisons give a mask for :func:`rnnbench.ops.where`.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import types
from numba.core.extending import lower_builtin, models, register_model
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global


class Vec(types.Type):
    """The Numba type of a vector of `lanes` numbers of `dtype` (float32 or float64)."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vec({dtype}, {lanes})")


class Mask(types.Type):
    """The Numba type of the outcome of comparing two vectors."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(name=f"Mask({lanes})")


@register_model(Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(element(fe_type), fe_type.lanes))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


def element(numba_type):
    """Return the LLVM type of one lane (of a vector, or the scalar itself)."""
    dtype = getattr(numba_type, "dtype", numba_type)
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def is_real(numba_type):
    """Whether a Numba type is one that a cell computes on: a vector, or a float scalar."""
    return isinstance(numba_type, Vec | types.Float)


def splat(context, builder, value, from_type, vec):
    """Return the vector that holds a scalar in every lane."""
    scalar = context.cast(builder, value, from_type, vec.dtype)
    undefined = ir.Constant(ir.VectorType(scalar.type, vec.lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vec.lanes), [0] * vec.lanes)
    return builder.shuffle_vector(first, undefined, zeros)


def _result(args, of):
    """The signature of a binary operator with at least one vector, or None."""
    if len(args) != 2:
        return None
    vectors = [a for a in args if isinstance(a, Vec)]
    others = [a for a in args if not isinstance(a, Vec | types.Number)]
    if not vectors or others or len(set(vectors)) != 1:
        return None
    return signature(of(vectors[0]), *args)


def _binary(op, of, build):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            return _result(args, of)

    def lower(context, builder, sig, args):
        vec = next(t for t in sig.args if isinstance(t, Vec))
        x, y = (
            value if isinstance(t, Vec) else splat(context, builder, value, t, vec)
            for value, t in zip(args, sig.args, strict=True)
        )
        return build(builder, x, y)

    for pair in ((Vec, Vec), (Vec, types.Number), (types.Number, Vec)):
        lower_builtin(op, *pair)(lower)


for _op, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _binary(_op, lambda vec: vec, lambda builder, x, y, name=_name: getattr(builder, name)(x, y))

for _op, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _binary(_op, lambda vec: Mask(vec.lanes), lambda builder, x, y, sign=_sign: builder.fcmp_ordered(sign, x, y))


@infer_global(operator.neg)
class _Negate(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], args[0]) if isinstance(args[0], Vec) else None


@lower_builtin(operator.neg, Vec)
def _lower_negate(context, builder, sig, args):
    return builder.fneg(args[0])


def _logical(op, name):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            masks = len(args) == 2 and isinstance(args[0], Mask) and args[0] == args[1]
            return signature(args[0], *args) if masks else None

    @lower_builtin(op, Mask, Mask)
    def _lower(context, builder, sig, args):
        return getattr(builder, name)(*args)


_logical(operator.or_, "or_")
_logical(operator.and_, "and_")
