"""Products that need no walk over time: all steps and rows at once, as if they were one long batch.

The input's part of the gates (when a batch has too few rows to fill a tile), and the gradient by the input.
"""

from __future__ import annotations

from rnnbench.kernels.program import ACTIVE, LANES, MOST, ROWS, SIZE, TILE, WIDTHS
from rnnbench.kernels.raw import smaller
from rnnbench.kernels.table import numbers, table
from rnnbench.kernels.walk import at, band, panels_of, put_parts

TILES = 8  # row tiles that take turns with one panel of weights: their rows stay in the second-level cache


def products(build, task):
    """out = init + sources times weights, for the running rows of some steps.

    `task` is the address of a line: addresses of the program and of room for a line per source, first step and stop,
    the number of its table of products. Tables of the program:

    products  sources from-to, vectors, then the buffers out (5) and init (5)
    sources   see :func:`rnnbench.kernels.walk.put_parts`; sources and out have no gaps between the rows of neighbouring
              steps
    """
    mine = numbers(task)
    program = numbers(mine[0])
    tile, most, lane_bytes = program[TILE], program[MOST], program[LANES] * program[SIZE]
    lines, sources = table(program, mine[4], 13), table(program, mine[4] + 1, 8)
    widths, active = numbers(program[WIDTHS]), numbers(program[ACTIVE])
    rows, stop, parts = program[ROWS], mine[3], mine[1]
    t = mine[2]
    while t < stop:
        together = stop - t if active[stop - 1] == rows else 1
        count = active[t] * together
        for p in range(len(lines)):
            end = put_parts(parts, sources, lines[p, 0], lines[p, 1], t, 0)
            b, per_panel = panels_of(sources, lines[p, 0], lines[p, 1], 0)
            for row in range(0, count, most * TILES):
                out, init = at(lines, p, 3, t, row), at(lines, p, 8, t, row)
                band(
                    tile, widths, most, lane_bytes, parts, end, row, smaller(most * TILES, count - row), b, per_panel,
                    lines[p, 2], out, lines[p, 7], init, lines[p, 12],
                )  # fmt: skip
        t += together
