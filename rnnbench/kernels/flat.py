"""Products that need no walk over time: all steps and rows at once, as if they were one long batch.

The input's part of the gates (when a batch has too few rows to fill a tile), and the gradient by the input.
"""

from __future__ import annotations

from numba.core.extending import register_jitable

from rnnbench.kernels.walk import at, product

TILES = 8  # row tiles that take turns with one panel of weights: their rows stay in the second-level cache


def products(build, tile, widths, most, lane_bytes, lines, sources, active, rows, first, stop):
    """out = init + sources times weights, for the running rows of steps `first` to `stop`.

    Parameters
    ----------
    lines : table
        Per product: its sources from-to, vectors, then the buffers out (5) and init (5).
    sources : table
        See :func:`rnnbench.kernels.walk.product`. Sources and out have no gaps between the rows of neighbouring steps.
    active : (T,) int array
        Running rows at each step; `rows` is the whole batch.
    """
    t = first
    while t < stop:
        together = stop - t if active[stop - 1] == rows else 1
        count = active[t] * together
        for p in range(len(lines)):
            for row in range(0, count, most * TILES):
                band(tile, widths, most, lane_bytes, lines, sources, p, t, row, min(row + most * TILES, count))
        t += together


@register_jitable
def band(tile, widths, most, lane_bytes, lines, sources, p, t, first, stop):
    """Some neighbouring rows of one product, panel by panel."""
    count = stop - first
    tiles = (count + most - 1) // most
    together = widths[(count + tiles - 1) // tiles]
    for v in range(0, lines[p, 2], together):
        vectors = min(together, lines[p, 2] - v)
        for i in range(tiles):
            row = first + i * count // tiles
            rows = first + (i + 1) * count // tiles - row
            out = at(lines, p, 3, t, row) + v * lane_bytes
            init = at(lines, p, 8, t, row) + v * lane_bytes
            product(
                tile, widths, lines[p], sources, t, row, rows, v, vectors, out, lines[p, 7], init, lines[p, 12],
                lane_bytes,
            )  # fmt: skip
