"""Gradients that are one product over all steps and rows: by weights, biases and unit parameters.

Time is cut into chunks of fixed length. Within a chunk a tile adds up da[row] * source[row] over the chunk's rows in
their order; the chunks' sums are then added in their order. Threads share out the rows of the *result*, so no bit
depends on how many there are, and no atomics are needed.
"""

from __future__ import annotations

import numpy as np
from numba.core.extending import register_jitable

from rnnbench.kernels.memory import add_numbers, call_tile, clear_bytes, copy_bytes, copy_vectors, sum_rows
from rnnbench.kernels.walk import aligned, at, keep_alive

CHUNK_ROWS = 256  # rows of one chunk: a packed panel of the source then stays in the first-level cache


def chunk_steps(rows):
    """Return how many steps a chunk has."""
    return max(1, CHUNK_ROWS // max(rows, 1))


def weights(build, tile, most, lanes, size, da, targets, active, rows, chunk, first, stop):
    """Add to the gradients of rows `first` to `stop` of one gate's weight blocks and bias.

    Parameters
    ----------
    da : (1, 6) table
        Buffer of the gate's da (5), address of the bias's gradient (0: none).
    targets : table
        Per source its buffer (5), numbers in a row, 1 if rows are padded to whole vectors, then address of the block's
        gradient and bytes per row of it.
    active : (T,) int array
        Running rows at each step; `rows` is the whole batch.
    """
    lane_bytes, steps = lanes * size, len(active)
    memory = np.zeros((most * 2 + 3) * lane_bytes + (chunk * rows * 2) * lane_bytes + 64, np.uint8)
    zero = aligned(memory)
    total, out = zero + 2 * lane_bytes, zero + 3 * lane_bytes
    panel = out + most * 2 * lane_bytes
    for t0 in range(0, steps, chunk):
        t1 = min(t0 + chunk, steps)
        if active[t0] == 0:
            break
        whole = active[t1 - 1] == rows
        if da[0, 5] != 0:
            for m in range(first, stop, lanes):
                clear_bytes(total, lane_bytes)
                for t in range(t0, t1):
                    sum_rows(build, total, at(da, 0, 0, t, 0) + m * size, da[0, 4], active[t])
                add_numbers(build, da[0, 5] + m * size, total, min(lanes, stop - m))
        for s in range(len(targets)):
            width = targets[s, 5]
            for column in range(0, width, 2 * lanes):
                columns = min(2 * lanes, width - column)
                vectors = 1 if columns <= lanes else 2
                count = pack_rows(build, panel, targets, s, column, columns, active, t0, t1, lanes, size)
                for m in range(first, stop, most):
                    tall = min(most, stop - m)
                    if whole:
                        a = at(da, 0, 0, t0, 0) + m * size
                        call_tile(tile, tall, vectors, out, 2 * lane_bytes, zero, 0, a, da[0, 4], panel, 0, count)
                    else:
                        ragged(tile, tall, vectors, out, lane_bytes, zero, da, m * size, panel, active, t0, t1)
                    for r in range(tall):
                        target = targets[s, 7] + (m + r) * targets[s, 8] + column * size
                        add_numbers(build, target, out + r * 2 * lane_bytes, columns)
    keep_alive(memory)


@register_jitable
def pack_rows(build, panel, targets, s, column, columns, active, t0, t1, lanes, size):
    """Lay columns of a source's running rows side by side as ``[row][2][lanes]``; return how many rows."""
    count, row_bytes = 0, 2 * lanes * size
    whole_vectors = targets[s, 6] != 0 or columns % lanes == 0
    vectors = (columns + lanes - 1) // lanes
    for t in range(t0, t1):
        source = at(targets, s, 0, t, 0) + column * size
        target = panel + count * row_bytes
        if whole_vectors:
            copy_vectors(build, target, row_bytes, source, targets[s, 4], vectors, active[t])
        else:
            clear_bytes(target, active[t] * row_bytes)
            for r in range(active[t]):
                copy_bytes(target + r * row_bytes, source + r * targets[s, 4], columns * size)
        count += active[t]
    return count


@register_jitable
def ragged(tile, tall, vectors, out, lane_bytes, zero, da, offset, panel, active, t0, t1):
    """One tile's sum over a chunk in which rows have ended: step by step, the running rows only."""
    init, init_row, done = zero, 0, 0
    for t in range(t0, t1):
        a = at(da, 0, 0, t, 0) + offset
        b = panel + done * 2 * lane_bytes
        call_tile(tile, tall, vectors, out, 2 * lane_bytes, init, init_row, a, da[0, 4], b, 0, active[t])
        init, init_row = out, 2 * lane_bytes
        done += active[t]


def columns_sum(build, lanes, size, buffer, target, active, chunk, first, stop):
    """Add the sum over all steps and running rows of numbers `first` to `stop` of a buffer (a table's line)."""
    memory = np.zeros(lanes * size + 64, np.uint8)
    total = aligned(memory)
    for t0 in range(0, len(active), chunk):
        for m in range(first, stop, lanes):
            clear_bytes(total, lanes * size)
            for t in range(t0, min(t0 + chunk, len(active))):
                sum_rows(build, total, at(buffer, 0, 0, t, 0) + m * size, buffer[0, 4], active[t])
            add_numbers(build, target + m * size, total, min(lanes, stop - m))
    keep_alive(memory)
