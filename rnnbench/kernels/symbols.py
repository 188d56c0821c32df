"""One-hot input without its products: a symbol picks a column of x's weights, whose gradient is the sum of its da.

A product with a one-hot vector adds one weight and many zeros, so what is added up here, in the same order, has the
bits of the product.
"""

from __future__ import annotations

from rnnbench.kernels.build import helper
from rnnbench.kernels.program import ACTIVE, CHUNK, LANES, ROWS, SIZE, STEPS
from rnnbench.kernels.raw import add_numbers, clear_bytes, copy_bytes, copy_numbers, put_number, short_code
from rnnbench.kernels.straight import smaller
from rnnbench.kernels.table import numbers, table

NUMBER = 8  # bytes of a symbol


@helper
def start_gates(build, out, out_row, bias, panels, per_panel, symbols, rows, vectors, lanes, size):
    """Let the gates of some rows start from the bias and the column of each row's symbol."""
    short_code()
    for r in range(rows):
        target, column = out + r * out_row, panels + numbers(symbols)[r] * 2 * lanes * size
        copy_bytes(target, bias, vectors * lanes * size)
        for v in range(0, vectors, 2):
            here = smaller(2, vectors - v) * lanes
            add_numbers(build, target + v * lanes * size, column + v // 2 * per_panel, here)


def scratch_bytes(vocabulary, steps, rows, width, lanes, size):
    """Return the bytes that `gradients` works in."""
    return NUMBER * (vocabulary + steps * rows) + 2 * (width + lanes) * size


def gradients(build, task):
    """Add to the gradients by some rows of the weight blocks of x.

    The sums are those of :func:`rnnbench.kernels.gradients.weights`: within a chunk of time in the order of its rows,
    then chunk after chunk, last first.

    `task` is the address of a line: addresses of the program and of :func:`scratch_bytes` to work in, a part and how
    many there are. Tables of the program:

    input    address of the symbols, how many there are to choose from
    gates    the buffer of a gate's da (5), its units, then the gradient of its block: address, bytes per row
    """
    short_code()
    mine = numbers(task)
    program = numbers(mine[0])
    given, gates = table(program, 0, 2), table(program, 1, 8)
    lanes, size, vocabulary = program[LANES], program[SIZE], given[0, 1]
    rows, symbols = program[ROWS], numbers(given[0, 0])
    first_at, next_at = mine[1], mine[1] + vocabulary * NUMBER
    list_places(program, symbols, first_at, next_at, vocabulary)
    total = next_at + program[STEPS] * rows * NUMBER
    for g in range(len(gates)):
        vectors, per_row, row_bytes = (gates[g, 5] + lanes - 1) // lanes, gates[g, 4], gates[g, 7]
        first = vectors * mine[2] // mine[3] * lanes
        stop = smaller(gates[g, 5], vectors * (mine[2] + 1) // mine[3] * lanes)
        width = stop - first
        part = total + (width + lanes) * size
        for symbol in range(vocabulary if width > 0 else 0):
            place = numbers(first_at)[symbol]
            if place == 0:
                continue
            column = gates[g, 6] + first * row_bytes + symbol * size
            copy_numbers(build, total, size, column, row_bytes, width)
            clear_bytes(part, width * size)
            before = 0
            while place > 0:
                if place < before:  # the chunk before
                    add_numbers(build, total, part, width)
                    clear_bytes(part, width * size)
                add_numbers(build, part, gates[g, 0] + (place - 1) * per_row + first * size, width)
                before, place = place, numbers(next_at)[place - 1]
            add_numbers(build, total, part, width)
            copy_numbers(build, column, row_bytes, total, size, width)


@helper
def list_places(program, symbols, first_at, next_at, vocabulary):
    """List where each symbol stands: chunks of time from the last to the first, each in the order of its rows.

    A place is t * rows + row, counted from 1; 0 ends a list.
    """
    short_code()
    active, rows, steps, chunk = numbers(program[ACTIVE]), program[ROWS], program[STEPS], program[CHUNK]
    clear_bytes(first_at, vocabulary * NUMBER)
    for t0 in range(0, steps, chunk):
        for t in range(smaller(t0 + chunk, steps) - 1, t0 - 1, -1):
            for place in range(t * rows + active[t], t * rows, -1):
                head = first_at + symbols[place - 1] * NUMBER
                put_number(next_at + (place - 1) * NUMBER, numbers(head)[0])
                put_number(head, place)
