"""What needs no walk: products over all steps and rows at once, before the walk or after it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import gradients, memory, ragged, symbols, threads
from rnnbench.kernels.flat import TILES
from rnnbench.kernels.split import running, want_tiles, workers_for
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
    zeros = np.zeros(padded, dx.dtype)
    roots = {"dx": memory.address(target), "zeros": memory.address(zeros)}
    program = plan.dx.at(addresses | roots)
    at_once(sizes, program, 0, active)
    program.done()
    if target is not dx:
        ragged.copy(dx, target[..., :width], active)
    ragged.clear_padding(dx, active)
    return dx


def at_once(sizes, program, table, active):
    """Run :func:`rnnbench.kernels.flat.products`, with the table of that number, for all steps."""
    workers = workers_for(sizes, active)
    count = -(-sizes.steps * sizes.rows // FLAT_ROWS)
    count = max(1, min(sizes.steps, -(-count // workers) * workers))  # as many for each thread
    lengths = {sizes.steps // count, -(-sizes.steps // count)}
    counts = {sizes.rows * length for length in lengths} | running(active, [(0, sizes.rows)])
    want_tiles(sizes, counts, [sizes.engine.most * TILES])
    _, tasks = program.once(("flat", table, count), lambda: _flat_tasks(sizes, program, table, count))
    threads.run(sizes.engine.products, tasks)


def _flat_tasks(sizes, program, table, count):
    """Room for the lines of the sources, and the tasks."""
    pieces = [(table, sizes.steps * i // count, sizes.steps * (i + 1) // count, 0) for i in range(count)]
    tasks = program.tasks(pieces)
    parts_bytes = PARTS_BYTES * max(1, len(sizes.layout.cell.gates))  # no product has more sources than the cell gates
    room = memory.empty(parts_bytes * len(tasks), np.uint8)
    tasks[:, 4] = memory.address(room) + parts_bytes * np.arange(len(tasks))
    return room, tasks


def weight_gradients(plan, addresses, grads, active):
    """Add to the gradients by weights, biases and unit parameters."""
    program = plan.after.at(addresses | {f"d {key}": memory.address(grad) for key, grad in grads.items()})
    pieces = -(-workers_for(plan.sizes, active) // plan.sizes.replicas)
    for function, tasks, _ in program.once(pieces, lambda: list(_gradient_tasks(plan, program, pieces))):
        threads.run(function, tasks)
    program.done()


def _gradient_tasks(plan, program, pieces):
    """Functions, their tasks, and the room that these work in."""
    sizes, e, size = plan.sizes, plan.sizes.engine, plan.sizes.dtype.itemsize
    most_rows, tasks, room = gradients.chunk_rows(sizes.steps, sizes.rows), [], 0
    for section, (width, panels) in enumerate(plan.weights):
        together = gradients.panels_together(panels, most_rows, 2 * e.lane_bytes)
        room = max(room, gradients.scratch_bytes(e.most, e.lanes, size, most_rows, together))
        cuts = _cuts(width, pieces, e.most)
        e.tile_columns.want({n for a, b in cuts for n in (min(e.most, b - a), (b - a) % e.most)})
        split = [(0, *cut, most_rows, together) for cut in cuts]
        tasks.append(program.tasks(split, section))
    if tasks:
        yield e.weights, *_with_rooms(tasks, room)
    if plan.columns:
        split = [(0, line, *cut) for line, width in enumerate(plan.columns) for cut in _cuts(width, pieces, e.lanes)]
        yield e.columns_sum, *_with_rooms([program.tasks(split, len(plan.weights))], max(plan.columns) * size)
    if plan.symbols:
        room = symbols.scratch_bytes(sizes.layout.input_size, sizes.lanes, size)
        yield e.symbols, *_with_rooms([program.tasks([(0, piece, pieces) for piece in range(pieces)], -1)], room)


def _cuts(width, pieces, whole):
    """Cut so many columns into about equal pieces, at multiples of `whole`."""
    cuts = [*(width * i // pieces // whole * whole for i in range(pieces)), width]
    return [cut for cut in pairwise(cuts) if cut[0] < cut[1]]


def _with_rooms(tasks, room):
    """Tasks as one array, each with an address of so many bytes to work in; and that memory."""
    lines, apart = np.concatenate(tasks), -(-room // memory.ALIGNMENT) * memory.ALIGNMENT
    work = memory.empty(apart * len(lines), np.uint8)
    lines[:, 1] = memory.address(work) + apart * np.arange(len(lines))
    return lines, work
