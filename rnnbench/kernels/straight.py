"""Small straight-line functions of integers, emitted where they are called.

Numba types, lowers, optimises and assembles every function that a kernel calls on its own before it inlines it, some
30 ms each, however small. A function decorated with :func:`straight` is run once per call instead, on values that emit
an instruction for every operation. It may hold arithmetic, comparisons and :func:`where`, and read tables, but has no
branches and no loops.
"""

from __future__ import annotations

import inspect

from llvmlite import ir
from numba.core import types
from numba.core.extending import lower_builtin
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global

from rnnbench.kernels.table import TABLE, word

I64 = ir.IntType(64)


class Int:
    """An int64 of compiled code. Division takes numbers that are not negative."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def _emit(self, name, other, *how):
        return Int(self.builder, getattr(self.builder, name)(*how, self.value, _value(other)))

    def __add__(self, other):
        return self._emit("add", other)

    def __sub__(self, other):
        return self._emit("sub", other)

    def __mul__(self, other):
        return self._emit("mul", other)

    def __floordiv__(self, other):
        return self._emit("udiv", other)

    def __mod__(self, other):
        return self._emit("urem", other)

    def __lt__(self, other):
        return self._emit("icmp_signed", other, "<")

    def __gt__(self, other):
        return self._emit("icmp_signed", other, ">")

    def __eq__(self, other):
        return self._emit("icmp_signed", other, "==")

    __hash__ = None


class _Lines:
    """A table of compiled code."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def __getitem__(self, index):
        b = self.builder
        line, column = index if isinstance(index, tuple) else (0, index)
        start = Int(b, b.extract_value(self.value, 0))
        place = Int(b, b.extract_value(self.value, 2)) * line + column
        return Int(b, b.load(word(b, start.value, place.value), typ=I64))


def where(condition, x, y):
    """`x` where the condition holds, else `y`; both are evaluated."""
    return Int(condition.builder, condition.builder.select(condition.value, _value(x), _value(y)))


def _value(number):
    return number.value if isinstance(number, Int) else I64(number)


def straight(tables=(), results=1):
    """Let compiled code call a function of int64 numbers, and of tables where its arguments have these names."""

    def decorate(function):
        kinds = [TABLE if name in tables else types.int64 for name in inspect.signature(function).parameters]
        made = types.int64 if results == 1 else types.UniTuple(types.int64, results)

        class Template(AbstractTemplate):
            key = function

            def generic(self, args, kws):
                return signature(made, *kinds)

        infer_global(function, types.Function(Template))

        @lower_builtin(function, *kinds)
        def _lower(context, builder, sig, args):
            values = [(_Lines if kind == TABLE else Int)(builder, v) for kind, v in zip(kinds, args, strict=True)]
            returned = function(*values)
            if results == 1:
                return returned.value
            return context.make_tuple(builder, made, [part.value for part in returned])

        return function

    return decorate


@straight()
def smaller(x, y):
    """The smaller of two numbers; Numba compiles ``min`` as a function of its own."""
    return where(x < y, x, y)


@straight()
def larger(x, y):
    """The larger of two numbers."""
    return where(x < y, y, x)
