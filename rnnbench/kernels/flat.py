"""Products that need no walk over time: all steps and rows at once, as if they were one long batch.

The input's part of the gates (when a batch has too few rows to fill a tile), and the gradient by the input.
"""

from __future__ import annotations

from rnnbench.kernels.program import ACTIVE, HEADER, LANES, MOST, ROWS, SIZE, STEPS, TILE, WIDTHS
from rnnbench.kernels.raw import view
from rnnbench.kernels.walk import at, band, table

TILES = 8  # row tiles that take turns with one panel of weights: their rows stay in the second-level cache


def products(build, task):
    """out = init + sources times weights, for the running rows of some steps.

    `task` is the address of a line: the address of the program, the number of its table of products, first and last
    step. Tables of the program:

    products  sources from-to, vectors, then the buffers out (5) and init (5)
    sources   see :func:`rnnbench.kernels.walk.product`; sources and out have no gaps between the rows of neighbouring
              steps
    """
    mine = view(task, 1, 4)
    program = view(mine[0, 0], 1, HEADER + 16)
    tile, most, lane_bytes = program[0, TILE], program[0, MOST], program[0, LANES] * program[0, SIZE]
    lines, sources = table(program, mine[0, 1], 13), table(program, mine[0, 1] + 1, 8)
    widths, active = view(program[0, WIDTHS], 1, most + 1), view(program[0, ACTIVE], 1, program[0, STEPS])
    rows, stop = program[0, ROWS], mine[0, 3]
    t = mine[0, 2]
    while t < stop:
        together = stop - t if active[0, stop - 1] == rows else 1
        count = active[0, t] * together
        for p in range(len(lines)):
            for row in range(0, count, most * TILES):
                out, init = at(lines, p, 3, t, row), at(lines, p, 8, t, row)
                band(
                    tile, widths, most, lane_bytes, lines[p], sources, t, row, min(most * TILES, count - row), 0,
                    lines[p, 2], out, lines[p, 7], init, lines[p, 12],
                )  # fmt: skip
        t += together
