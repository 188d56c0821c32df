"""Tables of int64 as compiled code reads them: ``table[line, column]``, or ``numbers[i]`` where there is one line.

A type of its own, because Numba's arrays count references and check for negative indices, which takes it longer to
compile than all the rest of a kernel. Nothing here checks a bound.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic, lower_builtin, models, register_model
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global

from rnnbench.kernels.program import HEADER

I64 = ir.IntType(64)


class Table(types.Type):
    """The Numba type of lines of int64, each of so many columns, at an address."""

    def __init__(self):
        super().__init__(name="Table")


@register_model(Table)
class _TableModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [("address", types.int64), ("lines", types.int64), ("columns", types.int64)])


TABLE = Table()


def _make(context, builder, address, lines, columns):
    made = cgutils.create_struct_proxy(TABLE)(context, builder)
    made.address, made.lines, made.columns = address, lines, columns
    return made._getvalue()


def word(builder, address, index):
    """Pointer to a number."""
    return builder.gep(builder.inttoptr(address, I64.as_pointer()), [index], source_etype=I64)


@intrinsic
def numbers(context, address):
    """See int64 numbers at an address."""

    def codegen(context, builder, sig, args):
        return _make(context, builder, args[0], I64(1), I64(0))

    return TABLE(types.int64), codegen


@intrinsic
def table(context, program, number, columns):
    """One of the tables of a program, whose address and lines follow the program's header."""

    def codegen(context, builder, sig, args):
        start = builder.extract_value(args[0], 0)
        place = builder.add(I64(HEADER), builder.mul(args[1], I64(2)))
        address, lines = (builder.load(word(builder, start, builder.add(place, I64(i))), typ=I64) for i in range(2))
        return _make(context, builder, address, lines, args[2])

    return TABLE(TABLE, types.int64, types.int64), codegen


def _is_index(index):
    parts = index.types if isinstance(index, types.BaseTuple) else [index]
    return len(parts) <= 2 and all(isinstance(part, types.Integer) for part in parts)


@infer_global(operator.getitem)
class _Get(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.int64, *args) if args[0] == TABLE and _is_index(args[1]) else None


@infer_global(operator.setitem)
class _Set(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.none, *args) if args[0] == TABLE and _is_index(args[1]) else None


@infer_global(len)
class _Len(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.intp, *args) if args == (TABLE,) else None


@lower_builtin(len, Table)
def _lower_len(context, builder, sig, args):
    return builder.extract_value(args[0], 1)


def _place(context, builder, sig, args):
    start, columns = builder.extract_value(args[0], 0), builder.extract_value(args[0], 2)
    if isinstance(sig.args[1], types.Integer):
        return word(builder, start, context.cast(builder, args[1], sig.args[1], types.int64))
    parts = cgutils.unpack_tuple(builder, args[1])
    line, column = (context.cast(builder, v, t, types.int64) for v, t in zip(parts, sig.args[1].types, strict=True))
    return word(builder, start, builder.add(builder.mul(line, columns), column))


@lower_builtin(operator.getitem, Table, types.Integer)
@lower_builtin(operator.getitem, Table, types.BaseTuple)
def _lower_get(context, builder, sig, args):
    return builder.load(_place(context, builder, sig, args), typ=I64)


@lower_builtin(operator.setitem, Table, types.Integer, types.Integer)
@lower_builtin(operator.setitem, Table, types.BaseTuple, types.Integer)
def _lower_set(context, builder, sig, args):
    value = context.cast(builder, args[2], sig.args[2], types.int64)
    builder.store(value, _place(context, builder, sig, args))
    return context.get_dummy_value()
