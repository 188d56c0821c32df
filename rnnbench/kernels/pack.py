"""Weights laid out as the tiles read them: panels of two vectors, ``[panel][k][2][lanes]``."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

from rnnbench.kernels import host
from rnnbench.kernels.build import Build
from rnnbench.kernels.program import LANES, SIZE
from rnnbench.kernels.raw import clear_bytes, copy_bytes, copy_vectors, larger, smaller
from rnnbench.kernels.table import numbers, table
from rnnbench.ops.vector import element

I64 = ir.IntType(64)
UNITS, COLUMNS, VECTOR = range(3)  # kinds of jobs
LINE = 9


def pack(build, task):
    """Do some of the jobs of a program; `task` is the address of the program's and of the first and last job.

    A job is: kind, target, bytes from panel to panel (or vector to vector), source, bytes from row to row, rows,
    columns, then the gates of the group and the gate's number, or the panels.
    """
    mine = numbers(task)
    program = numbers(mine[0])
    jobs, lanes, size = table(program, 0, LINE), program[LANES], program[SIZE]
    for j in range(mine[1], mine[2]):
        kind, out, apart, source, row_bytes = jobs[j, 0], jobs[j, 1], jobs[j, 2], jobs[j, 3], jobs[j, 4]
        if kind == UNITS:
            units(build, out, apart, source, row_bytes, jobs[j, 5], jobs[j, 6], jobs[j, 7], jobs[j, 8], lanes, size)
        elif kind == COLUMNS:
            columns(build, out, apart, jobs[j, 7], source, row_bytes, jobs[j, 5], jobs[j, 6], lanes, size)
        else:
            vectors(out, apart, source, jobs[j, 5], jobs[j, 6], lanes, size)


def vectors(out, apart, source, given, width, lanes, size):
    """Lay out `width` numbers, of which only `given` have a source, as padded vectors."""
    for first in range(0, width, lanes):
        target = out + first // lanes * apart
        filled = larger(0, smaller(lanes, given - first))
        clear_bytes(target, lanes * size)
        copy_bytes(target, source + first * size, filled * size)


def units(build, out, per_panel, weights, row_bytes, count, width, gates, gate, lanes, size):
    """Lay out a block for forward products: a column of the tile is a unit of a gate, k runs over the source.

    Parameters
    ----------
    out, per_panel : address of the block's first k in panel 0, bytes from panel to panel
        Vector ``unit_vector * gates + gate`` of the panels is written.
    weights, row_bytes : address of a (count, width) matrix, bytes from row to row
    """
    lane_bytes = lanes * size
    step = 2 * lane_bytes  # from k to k
    for vector in range((count + lanes - 1) // lanes):
        column = vector * gates + gate
        target = out + column // 2 * per_panel + column % 2 * lane_bytes
        source = weights + vector * lanes * row_bytes
        filled = smaller(lanes, count - vector * lanes)
        blocks = width // lanes if filled == lanes else 0
        for block in range(blocks):
            transpose(build, target + block * lanes * step, step, source + block * lane_bytes, row_bytes)
        for k in range(blocks * lanes, width):
            if filled < lanes:
                clear_bytes(target + k * step, lane_bytes)
            for lane in range(filled):
                copy_bytes(target + k * step + lane * size, source + lane * row_bytes + k * size, size)


def columns(build, out, per_panel, panels, weights, row_bytes, count, width, lanes, size):
    """Lay out a (count, width) matrix as it is: a column of the tile is a column of it, k runs over its rows."""
    lane_bytes = lanes * size
    for panel in range(panels):
        target, first = out + panel * per_panel, panel * 2 * lanes
        whole = larger(0, smaller(2, (width - first) // lanes))
        copy_vectors(build, target, 2 * lane_bytes, weights + first * size, row_bytes, whole, count)
        rest = larger(0, smaller(2 * lanes, width - first) - whole * lanes)
        if whole < 2:
            for k in range(count):
                there = target + k * 2 * lane_bytes + whole * lane_bytes
                clear_bytes(there, (2 - whole) * lane_bytes)
                copy_bytes(there, weights + k * row_bytes + (first + whole * lanes) * size, rest * size)


@intrinsic
def transpose(context, build, target, target_row, source, source_row):
    """Write the transpose of a (lanes, lanes) block; rows lie so many bytes apart."""
    if not isinstance(build, Build):
        return None

    def codegen(context, builder, sig, args):
        _, target, target_row, source, source_row = args
        lanes = host.lanes(sig.args[0].dtype)
        vector = ir.VectorType(element(sig.args[0]), lanes)
        align = sig.args[0].dtype.bitwidth // 8

        def row(base, bytes_between, i):
            address = builder.add(base, builder.mul(bytes_between, ir.Constant(I64, i)))
            return builder.inttoptr(address, vector.as_pointer())

        def shuffle(x, y, lane_of):
            mask = [lane_of(j) for j in range(lanes)]
            return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask))

        rows = [builder.load(row(source, source_row, i), align=align, typ=vector) for i in range(lanes)]
        step = 1
        while step < lanes:  # swap one bit of the row's number with the same bit of the lane's
            for i in range(lanes):
                if i & step == 0:
                    x, y = rows[i], rows[i + step]
                    rows[i] = shuffle(x, y, lambda j, s=step: lanes + j - s if j & s else j)
                    rows[i + step] = shuffle(x, y, lambda j, s=step: lanes + j if j & s else j + s)
            step *= 2
        for i, value in enumerate(rows):
            builder.store(value, row(target, target_row, i), align=align)
        return context.get_dummy_value()

    return types.void(build, *[types.int64] * 4), codegen
