"""The one inner loop of everything: a register tile of a matrix product.

``tile`` adds, for `rows` rows of A and `vectors` columns of vectors of a packed matrix B,

    out[r][v] = init[r][v] + sum over k of A[r][k] * B[k][v]

with the sum taken in the order of k, one fused multiply-add each, whatever the tile's shape: so a row's bits
do not depend on its neighbours. (Where A has its rows side by side, the sum is made first and init added last.) B lies
in panels of two vectors, ``[panel][k][2][lanes]``. All the shapes of :func:`shapes` are unrolled inside one compiled
function, which drivers call by its address.
"""

from __future__ import annotations

from functools import cache

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

from rnnbench.kernels import host
from rnnbench.kernels.build import compile_pointer, token
from rnnbench.ops.primitives import call_llvm
from rnnbench.ops.vector import element

PANEL = 2  # vectors side by side in packed matrices
I64 = ir.IntType(64)


@cache
def max_rows() -> int:
    """Return the most rows of a tile: with two vectors a row, they and B fill the registers."""
    return 12 if host.registers() == 32 else 6


@cache
def shapes() -> tuple[tuple[int, int], ...]:
    """Return the (rows, vectors) that are unrolled; few rows come with many vectors to hide the latency.

    Sums and, if more than one row uses them, the vectors of B have to fit the registers.
    """
    return tuple(
        (rows, vectors)
        for rows in range(1, max_rows() + 1)
        for vectors in (8, 4, 2, 1)
        if rows * vectors + (vectors if rows > 1 else 0) < host.registers()
    )


def widest(rows: int) -> int:
    """Return the most vectors unrolled for a number of rows."""
    return max(v for r, v in shapes() if r == rows)


class _Emitter:
    """Emits the loop over k of one tile shape into an LLVM function."""

    def __init__(self, builder, dtype, args, a_contiguous):
        self.builder, self.scalar = builder, element(dtype)
        self.size, self.lanes = dtype.bitwidth // 8, host.lanes(dtype)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        names = ("out", "out_rows", "init", "init_rows", "a", "a_stride", "b", "b_panels", "k")
        for name, value in zip(names, args, strict=True):
            setattr(self, name, value)
        self.a_contiguous = a_contiguous

    def at(self, base, offset, llvm_type):
        address = self.builder.add(base, offset)
        return self.builder.inttoptr(address, llvm_type.as_pointer())

    def load(self, base, offset, llvm_type):
        return self.builder.load(self.at(base, offset, llvm_type), align=self.size, typ=llvm_type)

    def broadcast(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def emit(self, rows, vectors):
        """out = init + A B for one shape, leaving the builder in the block after the loop."""
        b, width = self.builder, self.lanes * self.size
        constant = lambda n: ir.Constant(I64, n)  # noqa: E731
        offset = lambda base, row, v: b.add(b.mul(base, constant(row)), constant(v * width))  # noqa: E731
        start = [
            self.load(self.init, offset(self.init_rows, r, v), self.vector) for r in range(rows) for v in range(vectors)
        ]
        init = start
        if self.a_contiguous:  # rows of A a stride apart, k in steps of one number
            a_rows = [b.add(self.a, b.mul(self.a_stride, constant(r))) for r in range(rows)]
        else:  # the sum stands alone, and is added at the end
            start = [ir.Constant(self.vector, [0.0] * self.lanes)] * len(init)
        before = b.block
        loop = b.append_basic_block("k")
        after = b.append_basic_block("done")
        b.cbranch(b.icmp_signed(">", self.k, constant(0)), loop, after)
        b.position_at_end(loop)
        k = b.phi(I64)
        k.add_incoming(constant(0), before)
        sums = [b.phi(self.vector) for _ in start]
        panels = [b.add(self.b, b.mul(self.b_panels, constant(p))) for p in range((vectors + PANEL - 1) // PANEL)]
        k_b = b.mul(k, constant(PANEL * width))
        k_a = b.mul(k, constant(self.size) if self.a_contiguous else self.a_stride)
        columns = [
            self.load(panels[v // PANEL], b.add(k_b, constant(v % PANEL * width)), self.vector) for v in range(vectors)
        ]
        totals = []
        for r in range(rows):
            if self.a_contiguous:
                number = self.load(a_rows[r], k_a, self.scalar)
            else:
                number = self.load(b.add(self.a, k_a), constant(r * self.size), self.scalar)
            spread = self.broadcast(number)
            totals += [
                call_llvm(b, "llvm.fmuladd", self.vector, spread, columns[v], sums[r * vectors + v])
                for v in range(vectors)
            ]
        following = b.add(k, constant(1))
        branch = b.cbranch(b.icmp_signed("<", following, self.k), loop, after)
        self.unroll(branch, 2 if rows * vectors > 4 else 4)
        k.add_incoming(following, loop)
        b.position_at_end(after)
        results = [b.phi(self.vector) for _ in start]
        for first, total, running, result in zip(start, totals, sums, results, strict=True):
            for phi in (running, result):
                phi.add_incoming(first, before)
                phi.add_incoming(total, loop)
        for i, value in enumerate(results):
            if not self.a_contiguous:
                value = b.fadd(init[i], value)
            address = self.at(self.out, offset(self.out_rows, i // vectors, i % vectors), self.vector)
            b.store(value, address, align=self.size)

    def unroll(self, branch, count):
        module = self.builder.module
        hint = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.count"), ir.IntType(32)(count)])
        loop = module.add_metadata([hint])
        loop.operands = (loop, *loop.operands)
        branch.set_metadata("llvm.loop", loop)


def _switch(a_contiguous):
    @intrinsic
    def emit_tile(context, build, rows, vectors, out, out_rows, init, init_rows, a, a_stride, b, b_panels, k):
        def codegen(context, builder, sig, args):
            rows, vectors, *addresses = args[1:]
            emitter = _Emitter(builder, sig.args[0].dtype, addresses, a_contiguous)
            done = builder.append_basic_block("tile_done")
            chosen = builder.add(builder.mul(rows, ir.Constant(I64, 64)), vectors)
            switch = builder.switch(chosen, done)
            for r, v in shapes():
                block = builder.append_basic_block(f"tile_{r}x{v}")
                switch.add_case(ir.Constant(I64, r * 64 + v), block)
                builder.position_at_end(block)
                emitter.emit(r, v)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(build, *[types.int64] * 11), codegen

    return emit_tile


_emit_rows = _switch(a_contiguous=True)
_emit_columns = _switch(a_contiguous=False)


def _tile_rows(build, rows, vectors, out, out_rows, init, init_rows, a, a_stride, b, b_panels, k):
    _emit_rows(build, rows, vectors, out, out_rows, init, init_rows, a, a_stride, b, b_panels, k)


def _tile_columns(build, rows, vectors, out, out_rows, init, init_rows, a, a_stride, b, b_panels, k):
    _emit_columns(build, rows, vectors, out, out_rows, init, init_rows, a, a_stride, b, b_panels, k)


def address(dtype: types.Float, a_contiguous: bool) -> int:
    """Return the address of the compiled tile.

    Parameters
    ----------
    dtype : float32 or float64
    a_contiguous : bool
        True: rows of A are `a_stride` bytes apart and contiguous in k. False: steps of k are `a_stride` bytes apart and
        rows are neighbours.
    """
    return compiled(dtype, a_contiguous).address


def compiled(dtype: types.Float, a_contiguous: bool):
    """Return the compiled tile."""
    signature = types.void(token(dtype).type, *[types.int64] * 11)
    return compile_pointer(_tile_rows if a_contiguous else _tile_columns, signature)
