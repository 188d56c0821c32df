"""One-hot input without its products: a symbol picks a column of x's weights, whose gradient is the sum of its da.

A product with a one-hot vector adds one weight and many zeros, so what is added up here, in the same order, has the
bits of the product.
"""

from __future__ import annotations

from rnnbench.kernels.program import ACTIVE, CHUNK, LANES, ROWS, SIZE, STEPS
from rnnbench.kernels.raw import add_numbers, clear_bytes, copy_bytes, copy_numbers, put_number, smaller
from rnnbench.kernels.table import numbers, table

NUMBER = 8  # bytes of a symbol
NONE, TOTAL, SUM = range(3)  # what a symbol has


def start_gates(build, out, out_row, bias, panels, per_panel, symbols, rows, vectors, lanes, size):
    """Let the gates of some rows start from the bias and the column of each row's symbol."""
    for r in range(rows):
        target, column = out + r * out_row, panels + numbers(symbols)[r] * 2 * lanes * size
        copy_bytes(target, bias, vectors * lanes * size)
        for v in range(0, vectors, 2):
            here = smaller(2, vectors - v) * lanes
            add_numbers(build, target + v * lanes * size, column + v // 2 * per_panel, here)


TABLE_BYTES = 128 * 1024  # of sums for some units of all symbols, which stay in the second-level cache


def strip_width(vocabulary, lanes, size):
    """Return for how many units sums are made at a time."""
    return max(2, TABLE_BYTES // (2 * vocabulary * lanes * size)) * lanes


def scratch_bytes(vocabulary, lanes, size):
    """Return the bytes that `gradients` works in."""
    return vocabulary * (NUMBER + 2 * strip_width(vocabulary, lanes, size) * size)


def gradients(build, task):
    """Add to the gradients by some rows of the weight blocks of x.

    The sums are those of :func:`rnnbench.kernels.gradients.weights`: within a chunk of time in the order of its rows,
    then chunk after chunk, last first.

    `task` is the address of a line: addresses of the program and of :func:`scratch_bytes` to work in, a part and how
    many there are. Tables of the program:

    input    address of the symbols, how many there are to choose from, units of a strip
    gates    the buffer of a gate's da (5), its units, then the gradient of its block: address, bytes per row
    """
    mine = numbers(task)
    program = numbers(mine[0])
    given, gates = table(program, 0, 3), table(program, 1, 8)
    lanes, size, vocabulary, strip = program[LANES], program[SIZE], given[0, 1], given[0, 2]
    for g in range(len(gates)):
        vectors = (gates[g, 5] + lanes - 1) // lanes
        stop = smaller(gates[g, 5], vectors * (mine[2] + 1) // mine[3] * lanes)
        for first in range(vectors * mine[2] // mine[3] * lanes, stop, strip):
            width = smaller(strip, stop - first)
            da, column = gates[g, 0] + first * size, gates[g, 6] + first * gates[g, 7]
            add_up(
                build, program, numbers(given[0, 0]), da, gates[g, 4], column, gates[g, 7], width, mine[1], vocabulary
            )


def add_up(build, program, symbols, da, da_row, column, column_row, width, scratch, vocabulary):
    """Add da of some units to the columns of the symbols.

    Every symbol has a sum over the chunk at work, a total, and a mark: whether it has a total, and a sum besides.
    """
    size, rows, steps, chunk = program[SIZE], program[ROWS], program[STEPS], program[CHUNK]
    active, marks, sums = numbers(program[ACTIVE]), numbers(scratch), scratch + vocabulary * NUMBER
    clear_bytes(scratch, vocabulary * NUMBER)
    for t0 in range((steps - 1) // chunk * chunk, -1, -chunk):
        t1 = smaller(t0 + chunk, steps)
        for t in range(t0, t1):
            for place in range(t * rows, t * rows + active[t]):
                symbol = symbols[place]
                sum_ = sums + symbol * 2 * width * size
                if marks[symbol] == NONE:
                    copy_numbers(build, sum_ + width * size, size, column + symbol * size, column_row, width)
                if marks[symbol] != SUM:
                    clear_bytes(sum_, width * size)
                    put_number(scratch + symbol * NUMBER, SUM)
                add_numbers(build, sum_, da + place * da_row, width)
        for t in range(t0, t1):
            for place in range(t * rows, t * rows + active[t]):
                symbol = symbols[place]
                if marks[symbol] == SUM:
                    sum_ = sums + symbol * 2 * width * size
                    add_numbers(build, sum_ + width * size, sum_, width)
                    put_number(scratch + symbol * NUMBER, TOTAL)
    for symbol in range(vocabulary):
        if marks[symbol] != NONE:
            total = sums + (symbol * 2 + 1) * width * size
            copy_numbers(build, column + symbol * size, column_row, total, size, width)
