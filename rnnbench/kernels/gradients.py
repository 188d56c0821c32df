"""Gradients that are one product over all steps and rows: by weights, biases and unit parameters.

Time is cut into chunks of fixed length. Within a chunk a tile adds up da[row] * source[row] over the chunk's rows in
their order; the chunks' sums are then added, last chunk first as BPTT meets them. Threads share out the rows of the
*result*, so no bit depends on how many there are, and no atomics are needed.
"""

from __future__ import annotations

from rnnbench.kernels.program import ACTIVE, CHUNK, COLUMN_TILE, LANES, MOST, SIZE
from rnnbench.kernels.raw import (
    add_column,
    add_numbers,
    call_tile,
    clear_bytes,
    copy_bytes,
    copy_vectors,
    larger,
    put_line,
    smaller,
)
from rnnbench.kernels.sums import SUMS, side_by_side, sum_products
from rnnbench.kernels.table import numbers, table
from rnnbench.kernels.walk import at

CHUNK_ROWS = 192  # rows of one chunk: packed columns of da and a panel of the source fit the first-level cache
NARROW = 4  # columns of a source up to which they are summed one by one: in a tile most of a vector would be padding
PANELS_BYTES = 384 * 1024  # of a chunk's packed panels, which stay in the second-level cache


def chunk_steps(rows):
    """Return how many steps a chunk has."""
    return max(1, CHUNK_ROWS // max(rows, 1))


def chunk_rows(steps, rows):
    """Return the most rows that a chunk can have."""
    return min(steps, chunk_steps(rows)) * rows


def panels_together(panels, most_rows, panel_row):
    """Return how many panels are packed at a time."""
    return max(1, min(panels, PANELS_BYTES // max(1, most_rows * panel_row)))


def scratch_bytes(most, lanes, size, most_rows, together):
    """Return the bytes that `weights` works in."""
    lane_bytes = lanes * size
    return 192 + (3 + SUMS + 2 * most) * lane_bytes + most_rows * (most * size + together * 2 * lane_bytes)


def weights(build, task):
    """Add to the gradients of some rows of the weight blocks and biases of gates with the same sources.

    Both factors are packed, running rows only: panels of the sources once per chunk, then for each tile its columns of
    da. Sources of few columns take sums in place of tiles; so do biases, the weights of a source that is always 1.

    `task` is the address of a line: addresses of the program and of :func:`scratch_bytes` to work in, first step and
    stop (whole chunks), first and last row of the blocks, rows that a chunk has at most, panels packed at a time.
    Tables of the program:

    da       per gate: the buffer of its da (5), numbers in a padded row
    panels   per panel of two vectors of a source: the source's buffer (5), first column, columns, 1 if its rows are
             padded to whole vectors
    targets  per gate and panel: address and bytes per row of where the gradient of these columns goes
    narrow   per source of few columns: its buffer (5), columns
    columns  per gate and narrow source: as targets; address 0 for a gate without it
    """
    mine = numbers(task)
    program = numbers(mine[0])
    tile, most, lanes, size = program[COLUMN_TILE], program[MOST], program[LANES], program[SIZE]
    chunk, steps = program[CHUNK], mine[3]
    factor, scratch, first, stop, most_rows, together = mine[1], mine[1] + 64, mine[4], mine[5], mine[6], mine[7]
    active = numbers(program[ACTIVE])
    da, panels, targets = table(program, 0, 6), table(program, 1, 8), table(program, 2, 2)
    narrow, columns_of = table(program, 3, 6), table(program, 4, 2)
    lane_bytes, panel_row, a_row = lanes * size, 2 * lanes * size, most * size
    clear_bytes(scratch, panel_row)
    zero, total, out = scratch, scratch + 2 * lane_bytes, scratch + (2 + SUMS) * lane_bytes
    columns, end = scratch + (2 + SUMS + 2 * most) * lane_bytes, factor + 24
    packed = columns + (most_rows * a_row + lane_bytes + 63) // 64 * 64
    for t0 in range((steps - 1) // chunk * chunk, mine[2] - 1, -chunk):
        t1 = smaller(t0 + chunk, steps)
        count = 0
        for t in range(t0, t1):
            count += active[t]
        add_sums(build, da, narrow, columns_of, first, stop, total, active, t0, t1, lanes, size)
        for p in range(0, len(panels), together):
            p_stop = smaller(p + together, len(panels))
            i = p
            while i < p_stop:
                beside = 1
                while i + beside < p_stop and panels[i + beside, 5] > 0:
                    beside += 1
                out_panel, per_panel = packed + (i - p) * count * panel_row, count * panel_row
                gather_panels(
                    build, out_panel, per_panel, panel_row, panels, i, beside, active, t0, t1, lanes, size
                )  # fmt: skip
                i += beside
            for g in range(len(da)):
                for m in range(first, stop, most):
                    tall = smaller(most, stop - m)
                    whole = m + (tall + lanes - 1) // lanes * lanes <= da[g, 5]
                    gather(build, columns, a_row, da, g, m, tall, whole, active, t0, t1, lanes, size)
                    put_line(factor, columns, a_row, count)
                    for i in range(p, p_stop):
                        b, wide = packed + (i - p) * count * panel_row, panels[i, 6]
                        vectors = 1 if wide <= lanes else 2
                        row_bytes = targets[g * len(panels) + i, 1]
                        target = targets[g * len(panels) + i, 0] + m * row_bytes
                        if wide % lanes == 0:
                            call_tile(
                                tile, tall, vectors, 1, target, row_bytes, target, row_bytes, factor, end, 0, b, 0
                            )  # fmt: skip
                        else:
                            call_tile(tile, tall, vectors, 1, out, panel_row, zero, 0, factor, end, 0, b, 0)
                            for r in range(tall):
                                add_numbers(build, target + r * row_bytes, out + r * panel_row, wide)


def add_sums(build, da, narrow, columns_of, first, stop, total, active, t0, t1, lanes, size):
    """Add da times narrow sources, over a chunk's running rows, column by column of the weights."""
    for g in range(len(da)):
        column = first // lanes * lanes
        while column < stop:
            vectors = side_by_side(da[g, 5] // lanes - column // lanes)
            start, end = larger(column, first), smaller(column + vectors * lanes, stop)
            for n in range(len(narrow)):
                line = g * len(narrow) + n
                target, row_bytes = columns_of[line, 0] + start * columns_of[line, 1], columns_of[line, 1]
                for i in range(narrow[n, 5] if columns_of[line, 0] != 0 else 0):
                    clear_bytes(total, vectors * lanes * size)
                    for t in range(t0, t1):
                        sum_products(
                            build, total, at(da, g, 0, t, 0) + column * size, da[g, 4], active[t], vectors,
                            at(narrow, n, 0, t, 0) + i * size, narrow[n, 4],
                        )  # fmt: skip
                    own = total + (start - column) * size
                    add_column(build, target + i * size, row_bytes, own, end - start)
            column += vectors * lanes


def gather_panels(build, target, per_panel, row_bytes, panels, i, count, active, t0, t1, lanes, size):
    """Lay a source's panels out, running rows only: row by row, as they lie in memory, but for a narrow last one."""
    last = i + count - 1
    wide, whole = panels[last, 6], panels[last, 7] != 0 or panels[last, 6] % lanes == 0
    if wide <= lanes or not whole:
        count -= 1
        there = target + count * per_panel
        gather(build, there, row_bytes, panels, last, panels[last, 5], wide, whole, active, t0, t1, lanes, size)
    for t in range(t0, t1):
        source = at(panels, i, 0, t, 0) + panels[i, 5] * size
        for r in range(active[t]):
            row = source + r * panels[i, 4]
            copy_vectors(build, target + r * row_bytes, per_panel, row, 2 * lanes * size, 2, count)
        target += active[t] * row_bytes


def gather(build, target, row_bytes, buffers, i, first, columns, whole, active, t0, t1, lanes, size):
    """Lay some columns of a buffer side by side, running rows only; `whole` if its rows have room for whole vectors."""
    vectors = (columns + lanes - 1) // lanes
    for t in range(t0, t1):
        source = at(buffers, i, 0, t, 0) + first * size
        if whole:
            copy_vectors(build, target, row_bytes, source, buffers[i, 4], vectors, active[t])
        else:
            clear_bytes(target, active[t] * row_bytes)
            for r in range(active[t]):
                copy_bytes(target + r * row_bytes, source + r * buffers[i, 4], columns * size)
        target += active[t] * row_bytes


def columns_sum(build, task):
    """Add the sum over all steps and running rows of some columns of a buffer to a vector.

    Row by row, as they lie in memory: column by column, most of the time would go to waiting for it.

    `task` is the address of a line: addresses of the program and of room for the columns, first step and stop (whole
    chunks), lines of the table from-to, first and last column. Table of the program: buffer (5), address of the target.
    Lines with one target are added chunk by chunk, so that no bit depends on how many chunks a task has.
    """
    mine = numbers(task)
    program = numbers(mine[0])
    size, chunk, steps = program[SIZE], program[CHUNK], mine[3]
    active, buffers, total = numbers(program[ACTIVE]), table(program, 0, 6), mine[1]
    start, count = mine[6] * size, mine[7] - mine[6]
    for t0 in range((steps - 1) // chunk * chunk, mine[2] - 1, -chunk):
        for line in range(mine[4], mine[5]):
            clear_bytes(total, count * size)
            for t in range(t0, smaller(t0 + chunk, steps)):
                for r in range(active[t]):
                    add_numbers(build, total, at(buffers, line, 0, t, r) + start, count)
            add_numbers(build, buffers[line, 5] + start, total, count)
