"""How fast is each register tile alone? ``python -m benchmarks.tiles [K]`` prints GF/s on one core (float32)."""

from __future__ import annotations

import sys
import time

import numpy as np
from numba import njit

from rnnbench.kernels import memory, raw, tile
from rnnbench.kernels.engine import engine

call_tile = raw.call_tile
PARTS_BYTES = tile.PARTS_BYTES
ROUNDS, OPERATIONS = 7, 2e8


@njit(nogil=True)
def repeat(count, function, rows, vectors, out, row_bytes, part, b, panel):
    """Call one tile `count` times on the same operands."""
    for _ in range(count):
        call_tile(function, rows, vectors, 1, out, row_bytes, out, row_bytes, part, part + PARTS_BYTES, 0, b, panel)


def rate(rows, vectors, k):
    """Best of some rounds, in GF/s."""
    e = engine("float32")
    e.tile_rows.want(rows, rows)
    panels = -(-vectors // tile.PANEL)
    a, b = memory.zeros((rows, k), np.float32), memory.zeros((panels, k, tile.PANEL, e.lanes), np.float32)
    out = memory.zeros((rows, vectors * e.lanes), np.float32)
    work = 2 * rows * vectors * e.lanes * k
    count = int(OPERATIONS / work) + 1
    part = np.array([memory.address(a), a.strides[0], k])
    arguments = (
        e.tile_rows.address, rows, vectors, memory.address(out), out.strides[0], memory.address(part),
        memory.address(b), b.strides[0],
    )  # fmt: skip
    repeat(1, *arguments)
    best = np.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        repeat(count, *arguments)
        best = min(best, time.perf_counter() - start)
    return work * count / best / 1e9


def main():
    """Print a line per tile."""
    k = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    for rows, vectors in tile.shapes():
        print(f"{rows:3d} x {vectors}  {rate(rows, vectors, k):6.0f} GF/s")


if __name__ == "__main__":
    main()
