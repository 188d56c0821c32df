"""Sums of rows times a number each: the gradients of weights with few columns, and of biases, whose number is 1.

One sum per column, side by side with those of other columns, so that none waits for the one before: several for one
column would make rows of zeros, which a replica alone does not have, change its bits.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from rnnbench.kernels import host
from rnnbench.kernels.build import Build
from rnnbench.ops.primitives import call_llvm
from rnnbench.ops.vector import Vec, splat

SUMS = 4  # vectors of a row that are summed side by side, or 2, or 1
I64 = ir.IntType(64)


def side_by_side(vectors):
    """How many of the vectors that are left are summed at once."""
    return SUMS if vectors >= SUMS else 2 if vectors >= 2 else 1


@intrinsic
def sum_products(context, build, target, source, row_bytes, rows, vectors, factor, factor_bytes):
    """target += `rows` rows, `row_bytes` apart, in their order, each times a number, these `factor_bytes` apart.

    So many vectors of each row, see `side_by_side`.
    """
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        sums, vectors, done = _Sums(context, builder, sig.args[0]), args[5], builder.append_basic_block("summed")
        switch = builder.switch(vectors, done)
        for count in (1, 2, SUMS):
            block = builder.append_basic_block(f"sums_{count}")
            switch.add_case(I64(count), block)
            builder.position_at_end(block)
            sums.emit(count, *args[1:5], *args[6:])
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(build, *[types.int64] * 7), codegen


class _Sums:
    """Emits the loop over rows, the sums in registers."""

    def __init__(self, context, builder, build):
        self.context, self.builder, self.dtype = context, builder, build.dtype
        self.vec = Vec(build.dtype, host.lanes(build.dtype))
        self.vector, self.size = context.get_value_type(self.vec), build.dtype.bitwidth // 8

    def emit(self, count, target, source, row_bytes, rows, factor, factor_bytes):
        b = self.builder
        totals = [cgutils.alloca_once(b, self.vector) for _ in range(count)]
        for i, total in enumerate(totals):
            b.store(self._load(target, i), total)
        with cgutils.for_range(b, rows, intp=I64) as loop:
            start = b.add(source, b.mul(loop.index, row_bytes))
            times = self._everywhere(b.add(factor, b.mul(loop.index, factor_bytes)))
            for i, total in enumerate(totals):
                row = self._load(start, i)
                b.store(call_llvm(b, "llvm.fmuladd", self.vector, row, times, b.load(total)), total)
        for i, total in enumerate(totals):
            b.store(b.load(total), self._place(target, i), align=self.size)

    def _everywhere(self, address):
        """The vector that holds the number at an address in every lane."""
        number = self.builder.load(
            self._pointer(address, self.vector.element), align=self.size, typ=self.vector.element
        )
        return splat(self.context, self.builder, number, self.dtype, self.vec)

    def _load(self, start, i):
        return self.builder.load(self._place(start, i), align=self.size, typ=self.vector)

    def _place(self, start, i):
        return self._pointer(self.builder.add(start, I64(i * self.vec.lanes * self.size)), self.vector)

    def _pointer(self, address, kind):
        return self.builder.inttoptr(address, kind.as_pointer())
