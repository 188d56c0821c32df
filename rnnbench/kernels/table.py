"""Tables of int64 as compiled code reads them: ``table[line, column]``, or ``numbers[i]`` where there is one line.

How they are read and written is in :mod:`rnnbench.kernels.translate`. Nothing here checks a bound.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic, models, register_model

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
