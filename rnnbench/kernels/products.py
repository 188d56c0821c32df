"""Products over all steps and rows at once, before the walk."""

from __future__ import annotations

import numpy as np

from rnnbench.kernels import memory, threads
from rnnbench.kernels.flat import TILES
from rnnbench.kernels.split import want_tiles
from rnnbench.kernels.tile import PARTS_BYTES

FLAT_ROWS = 192  # rows of one task of a flat product, about
AHEAD_TABLE = 6  # of the forward program


def products_ahead(sizes, program, split):
    """The input's part of the gates, for all steps."""
    at_once(sizes, program, AHEAD_TABLE, split)


def at_once(sizes, program, table, split):
    """Run :func:`rnnbench.kernels.flat.products`, with the table of that number, for all steps."""
    count = -(-sizes.steps * sizes.rows // FLAT_ROWS)
    count = max(1, min(sizes.steps, -(-count // split.workers) * split.workers))  # as many for each thread
    lengths = {sizes.steps // count, -(-sizes.steps // count)}
    counts = {sizes.rows * length for length in lengths} | split.all_counts
    want_tiles(sizes, counts, (sizes.engine.most * TILES,))
    _, tasks = program.once(("flat", table, count), lambda: _flat_tasks(sizes, program, table, count))
    threads.run(sizes.engine.products, tasks)


def _flat_tasks(sizes, program, table, count):
    """Room for the lines of the sources, and the tasks."""
    pieces = [(0, sizes.steps * i // count, sizes.steps * (i + 1) // count, table) for i in range(count)]
    tasks = program.tasks(pieces)
    parts_bytes = PARTS_BYTES * max(1, len(sizes.layout.cell.gates))  # no product has more sources than the cell gates
    room = memory.empty(parts_bytes * len(tasks), np.uint8)
    tasks[:, 1] = memory.address(room) + parts_bytes * np.arange(len(tasks))
    return room, tasks
