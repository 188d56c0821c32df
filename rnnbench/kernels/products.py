"""What needs no walk: products over all steps and rows at once, before the walk or after it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import gradients, memory, ragged, symbols, threads
from rnnbench.kernels.split import tasks_of, workers_for
from rnnbench.kernels.tile import PARTS_BYTES

FLAT_ROWS = 192  # rows of one task of a flat product, about
AHEAD_TABLE = 6  # of the forward program


def products_ahead(sizes, program, active):
    """The input's part of the gates, for all steps."""
    at_once(sizes, program, AHEAD_TABLE, active)


def input_gradients(plan, addresses, active):
    """Return dx = da times the weights of x."""
    sizes, width = plan.sizes, plan.sizes.layout.input_size
    dx = memory.empty((sizes.replicas, sizes.steps, sizes.rows, width), sizes.dtype)
    if plan.dx is None or not dx.size:
        dx[...] = 0
        return dx
    padded = sizes.vectors(width) * sizes.lanes
    target = dx if width == padded else memory.empty((*dx.shape[:3], padded), dx.dtype)
    zeros = memory.zeros(padded, dx.dtype)
    roots = {"dx": memory.address(target), "zeros": memory.address(zeros)}
    at_once(sizes, plan.dx.at(addresses | roots), 0, active)
    if target is not dx:
        ragged.copy(dx, target[..., :width], active)
    ragged.clear_padding(dx, active)
    return dx


def at_once(sizes, program, table, active):
    """Run :func:`rnnbench.kernels.flat.products`, with the table of that number, for all steps."""
    workers = workers_for(sizes, active)
    count = -(-sizes.steps * sizes.rows // FLAT_ROWS)
    count = max(1, min(sizes.steps, -(-count // workers) * workers))  # as many for each thread
    pieces = [(table, sizes.steps * i // count, sizes.steps * (i + 1) // count, 0) for i in range(count)]
    tasks = tasks_of(program, pieces)
    parts_bytes = PARTS_BYTES * max(1, len(sizes.layout.cell.gates))  # no product has more sources than the cell gates
    room = memory.empty(parts_bytes * len(tasks), np.uint8)
    tasks[:, 4] = memory.address(room) + parts_bytes * np.arange(len(tasks))
    threads.run(sizes.engine.products, tasks)


def weight_gradients(plan, addresses, grads, active):
    """Add to the gradients by weights, biases and unit parameters."""
    sizes, e = plan.sizes, plan.sizes.engine
    chunk, pieces = gradients.chunk_steps(sizes.rows), -(-workers_for(sizes, active) // sizes.replicas)
    roots = addresses | {f"d {key}": memory.address(grad) for key, grad in grads.items()}
    programs, tasks, most_bytes = [], [], 0
    for program, width, panels in plan.weights:
        panel_row = 2 * e.lane_bytes
        most_rows, together = gradients.chunk_sizes(active, chunk, panels, panel_row)
        size = gradients.scratch_bytes(e.most, e.lanes, sizes.dtype.itemsize, most_rows, together)
        most_bytes = max(most_bytes, -(-size // memory.ALIGNMENT) * memory.ALIGNMENT)
        cuts = [*(width * i // pieces // e.most * e.most for i in range(pieces)), width]
        here = program.at(roots)
        programs.append(here)
        tasks.append(tasks_of(here, [(0, *cut, most_rows, together) for cut in pairwise(cuts) if cut[0] < cut[1]]))
    if tasks:
        lines = np.concatenate(tasks)
        room = memory.empty(most_bytes * len(lines), np.uint8)
        lines[:, 1] = memory.address(room) + most_bytes * np.arange(len(lines))
        threads.run(e.weights, lines)
    if plan.symbols:
        _symbol_gradients(sizes, plan.symbols.at(roots), pieces)
    for program in plan.columns:
        here, room = program.at(roots), memory.empty(e.lane_bytes * sizes.replicas, np.uint8)
        lines = tasks_of(here, [(memory.address(room),)])
        lines[:, 1] += e.lane_bytes * np.arange(len(lines))
        threads.run(e.columns_sum, lines)


def _symbol_gradients(sizes, program, pieces):
    size = symbols.scratch_bytes(sizes.layout.input_size, sizes.lanes, sizes.dtype.itemsize)
    size = -(-size // memory.ALIGNMENT) * memory.ALIGNMENT
    lines = tasks_of(program, [(0, piece, pieces) for piece in range(pieces)])
    room = memory.empty(size * len(lines), np.uint8)
    lines[:, 1] = memory.address(room) + size * np.arange(len(lines))
    threads.run(sizes.engine.symbols, lines)
