"""The one inner loop of everything: a register tile of a matrix product.

``tile`` adds, for `rows` rows of A and `vectors` columns of vectors of a packed matrix B,

    out[r][v] = init[r][v] + sum over k of A[r][k] * B[k][v]

with the sum taken in the order of k, one fused multiply-add each, whatever the tile's shape: so a row's bits
do not depend on its neighbours. (Where A has its rows side by side, the sum is made first and init added last.) B lies
in panels of two vectors, ``[panel][k][2][lanes]``. A may lie in several parts, one after another in k: the gates of a
step are one product of x and h. One call makes several tiles side by side, so that the sums stay in registers from
part to part and a call costs little beside its loops. The shapes of :func:`shapes` with the same rows are unrolled
inside one compiled function, which drivers find by its rows in a table of addresses.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from rnnbench.kernels import host, memory
from rnnbench.kernels.build import Build, compile_pointer, start
from rnnbench.ops.primitives import call_llvm
from rnnbench.ops.vector import element

PANEL = 2  # vectors side by side in packed matrices
I64 = ir.IntType(64)


@cache
def max_rows() -> int:
    """Return the most rows of a tile: with two vectors a row, they and B fill the registers."""
    return 12 if host.registers() == 32 else 6


@cache
def shapes(widest: int = 8) -> tuple[tuple[int, int], ...]:
    """Return the (rows, vectors) that are unrolled; few rows come with many vectors to hide the latency.

    Weight gradients go panel by panel, and so need none that is wider.
    The sums have to fit the registers, with what many of them take: the numbers of A or the vectors of B, which are
    fewer, and one of the others. Three rows of eight vectors would, but were slower than of four.
    """
    return tuple(
        (rows, vectors)
        for rows in range(1, max_rows() + 1)
        for vectors in ((8, 4, 2, 1) if rows < 3 else (4, 2, 1))
        if vectors <= widest and rows * vectors + min(rows, vectors) < host.registers()
    )


def widest(rows: int) -> int:
    """Return the most vectors unrolled for a number of rows."""
    return max(v for r, v in shapes() if r == rows)


PARTS_BYTES = 24  # of a line that describes a part of A: address of row 0, bytes per row (or per step of k), numbers
ARGUMENTS = 12


class _Emitter:
    """Emits the loops of one tile shape into an LLVM function: over tiles, over the parts of A, over k."""

    def __init__(self, builder, dtype, args, a_contiguous):
        self.builder, self.scalar = builder, element(dtype)
        self.size, self.lanes = dtype.bitwidth // 8, host.lanes(dtype)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        names = ("tiles", "out", "out_rows", "init", "init_rows", "parts", "stop", "row", "b", "b_panels")
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

    def loop(self, name, start, going, body):
        """Emit ``while going(values): values = body(values)`` and return the values after it, and its branch."""
        b = self.builder
        before, loop, after = b.block, b.append_basic_block(name), b.append_basic_block(f"{name}_done")
        b.cbranch(going(start), loop, after)
        b.position_at_end(loop)
        here = [b.phi(value.type) for value in start]
        following = body(here)
        branch = b.cbranch(going(following), loop, after)
        for phi, first, next_one in zip(here, start, following, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(next_one, b.block)
        end = b.block
        b.position_at_end(after)
        results = [b.phi(value.type) for value in start]
        for phi, first, last in zip(results, start, following, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(last, end)
        return results, branch

    def emit(self, rows, vectors):
        """out = init + A B for `tiles` tiles of one shape."""
        b, width = self.builder, vectors * self.lanes * self.size
        panels = max(vectors // PANEL, 1)

        def one(values):
            left, out, init, panel = values
            self.tile(rows, vectors, out, init, panel)
            moved = b.add(panel, b.mul(self.b_panels, I64(panels)))
            return [b.sub(left, I64(1)), b.add(out, I64(width)), b.add(init, I64(width)), moved]

        start = [self.tiles, self.out, self.init, self.b]
        self.loop("tile", start, lambda values: b.icmp_signed(">", values[0], I64(0)), one)

    def row_by_row(self, rows, vectors):
        """The same for any number of rows, in tiles of one row."""
        first = self.out, self.init, self.row
        with cgutils.for_range(self.builder, rows, intp=I64) as loop:
            apart = self.out_rows, self.init_rows, I64(1)
            self.out, self.init, self.row = (
                self.builder.add(start, self.builder.mul(loop.index, step))
                for start, step in zip(first, apart, strict=True)
            )
            self.emit(1, vectors)
        self.out, self.init, self.row = first

    def tile(self, rows, vectors, out, init, panel):
        """One tile: the sums stay in registers through all parts of A."""
        b, width = self.builder, self.lanes * self.size
        offset = lambda base, row, v: b.add(b.mul(base, I64(row)), I64(v * width))  # noqa: E731
        first = [
            self.load(init, offset(self.init_rows, r, v), self.vector) for r in range(rows) for v in range(vectors)
        ]
        start = first
        if not self.a_contiguous:  # the sum stands alone, and is added at the end
            start = [ir.Constant(self.vector, [0.0] * self.lanes)] * len(first)
        going = lambda values: b.icmp_signed("<", values[0], self.stop)  # noqa: E731
        results, _ = self.loop("part", [self.parts, panel, *start], going, lambda v: self.part(rows, vectors, *v))
        for i, value in enumerate(results[2:]):
            if not self.a_contiguous:
                value = b.fadd(first[i], value)
            address = self.at(out, offset(self.out_rows, i // vectors, i % vectors), self.vector)
            b.store(value, address, align=self.size)

    def part(self, rows, vectors, part, panel, *sums):
        """The loop over the k of one part of A; the panel goes on where it ends."""
        b, width = self.builder, self.lanes * self.size
        a, stride, count = (self.load(part, I64(8 * i), I64) for i in range(3))
        if self.a_contiguous:  # rows of A a stride apart, k in steps of one number
            a_rows = [self.hidden(b.add(a, b.mul(stride, b.add(self.row, I64(r))))) for r in range(rows)]
        else:
            a = b.add(a, b.mul(self.row, I64(self.size)))
        panels = [b.add(panel, b.mul(self.b_panels, I64(p))) for p in range((vectors + PANEL - 1) // PANEL)]

        def one(values):
            k, *sums = values
            k_b = b.mul(k, I64(PANEL * width))
            k_a = b.mul(k, I64(self.size) if self.a_contiguous else stride)

            def number(r):
                address = (a_rows[r], k_a) if self.a_contiguous else (b.add(a, k_a), I64(r * self.size))
                return self.broadcast(self.load(*address, self.scalar))

            def column(v):
                return self.load(panels[v // PANEL], b.add(k_b, I64(v % PANEL * width)), self.vector)

            first, then = (number, column) if rows < vectors else (column, number)
            kept, totals = [first(i) for i in range(min(rows, vectors))], list(sums)
            for j in range(max(rows, vectors)):
                passing = then(j)
                for i, value in enumerate(kept):
                    at = i * vectors + j if rows < vectors else j * vectors + i
                    totals[at] = call_llvm(b, "llvm.fmuladd", self.vector, value, passing, sums[at])
            return [b.add(k, I64(1)), *totals]

        going = lambda values: b.icmp_signed("<", values[0], count)  # noqa: E731
        (_, *sums), branch = self.loop("k", [I64(0), *sums], going, one)
        self.unroll(branch, 4 if rows * vectors <= 12 else 2)  # as code grows, so does the time to compile it
        return [b.add(part, I64(PARTS_BYTES)), b.add(panel, b.mul(count, I64(PANEL * width))), *sums]

    def hidden(self, value):
        """The same number, of which LLVM knows nothing: else it goes from row to row by additions, one by one."""
        kind = ir.FunctionType(I64, [I64])
        return self.builder.call(ir.InlineAsm(kind, "", "=r,0"), [value])

    def unroll(self, branch, count):
        module = self.builder.module
        hint = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.count"), ir.IntType(32)(count)])
        loop = module.add_metadata([hint])
        loop.operands = (loop, *loop.operands)
        branch.set_metadata("llvm.loop", loop)


def _of_height(a_contiguous):
    @intrinsic
    def emit_tile(context, build, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels):
        def codegen(context, builder, sig, args):
            rows, vectors, *others = args[1:]
            emitter, height = _Emitter(builder, sig.args[0].dtype, others, a_contiguous), int(sig.args[0].body)
            done = builder.append_basic_block("tile_done")
            switch = builder.switch(vectors, done)
            for r, v in shapes(8 if a_contiguous else PANEL):
                if r != height:
                    continue
                block = builder.append_basic_block(f"tile_{r}x{v}")
                switch.add_case(I64(v), block)
                builder.position_at_end(block)
                if height == 1:
                    emitter.row_by_row(rows, v)
                else:
                    emitter.emit(height, v)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(build, *[types.int64] * ARGUMENTS), codegen

    return emit_tile


_emit_rows = _of_height(a_contiguous=True)
_emit_columns = _of_height(a_contiguous=False)


def _tile_rows(build, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels):
    _emit_rows(build, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels)


def _tile_columns(build, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels):
    _emit_columns(build, rows, vectors, tiles, out, out_rows, init, init_rows, parts, stop, row, b, b_panels)


def compiled(dtype: types.Float, a_contiguous: bool, rows: int):
    """Return the compiled tile of so many rows, which has an ``address``.

    Parameters
    ----------
    dtype : float32 or float64
    a_contiguous : bool
        True: rows of A are a stride apart and contiguous in k. False: steps of k are a stride apart and rows are
        neighbours.
    rows : int
        1: a tile that takes any number of rows, one after another.

    Notes
    -----
    Arguments, all int64: rows and vectors of a tile, how many tiles side by side; addresses of out and init and their
    bytes per row; first and last line of the parts of A, and the row of A to start with; address of the first panel
    and bytes per panel. A line of a part: address of A, its stride in bytes, numbers in k.
    """
    signature = types.void(Build(dtype, str(rows)), *[types.int64] * ARGUMENTS)
    return compile_pointer(_tile_rows if a_contiguous else _tile_columns, signature, emitted=True)


class Tiles:
    """The tiles of one kind, each compiled when a call is to use it: all of them take most of a second.

    A tile that was not asked for goes row by row, which is slow but has the same bits.

    Attributes
    ----------
    address : int
        Of the tiles' starts by their rows, see :func:`rnnbench.kernels.build.start`.
    known : set of (int, int)
        What was asked for.
    """

    def __init__(self, dtype, a_contiguous):
        self.dtype, self.a_contiguous, self.known = dtype, a_contiguous, set()
        self.table = np.full(max_rows() + 1, start(compiled(dtype, a_contiguous, 1)))
        self.address = memory.address(self.table)

    def want(self, rows, together):
        """Compile the tiles of a product of so many rows, of which some are made together."""
        if (rows, together) not in self.known:
            for height in heights(rows, together):
                self.table[height] = start(compiled(self.dtype, self.a_contiguous, height))
            self.known.add((rows, together))


def heights(rows: int, together: int) -> set[int]:
    """Return the rows of the tiles of a product of so many rows, of which some are made together.

    See :func:`rnnbench.kernels.walk.band`.
    """
    found = set()
    for band in {min(rows, together), rows % together} - {0}:
        tiles = -(-band // max_rows())
        found |= {band // tiles, -(-band // tiles)}
    return found
