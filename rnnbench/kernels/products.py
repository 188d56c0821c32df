"""What needs no walk: products over all steps and rows at once, before the walk or after it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import gradients, memory, ragged, threads
from rnnbench.kernels.split import tasks_of
from rnnbench.kernels.tile import PARTS_BYTES

FLAT_ROWS = 192  # rows of one task of a flat product, about
AHEAD_TABLE = 6  # of the forward program


def products_ahead(sizes, program):
    """The input's part of the gates, for all steps."""
    _flat(sizes, program, AHEAD_TABLE)


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
    _flat(sizes, plan.dx.at(addresses | roots), 0)
    if target is not dx:
        ragged.copy(dx, target[..., :width], active)
    ragged.clear_padding(dx, active)
    return dx


def _flat(sizes, program, table):
    workers = threads.get_num_threads()
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
    chunk, pieces = gradients.chunk_steps(sizes.rows), -(-threads.get_num_threads() // sizes.replicas)
    roots = addresses | {f"d {key}": memory.address(grad) for key, grad in grads.items()}
    most_rows, panel_row = gradients.fullest_chunk(active, chunk), 2 * e.lane_bytes
    programs, tasks, room = [], [], 0
    for program, width, panels in plan.weights:
        together = gradients.panels_together(panels, most_rows, panel_row)
        room = max(room, gradients.scratch_bytes(e.most, e.lanes, sizes.dtype.itemsize, most_rows, together))
        programs.append(program.at(roots))
        cuts = _cuts(width, pieces, e.most)
        tasks.append(tasks_of(programs[-1], [(0, *cut, most_rows, together) for cut in cuts]))
    _run(e.weights, tasks, room)
    if plan.columns:
        program, widths = plan.columns[0].at(roots), plan.columns[1]
        cuts = [(0, line, *cut) for line, width in enumerate(widths) for cut in _cuts(width, pieces, e.lanes)]
        _run(e.columns_sum, [tasks_of(program, cuts)], max(widths) * sizes.dtype.itemsize)


def _cuts(width, pieces, whole):
    """Cut so many columns into about equal pieces, at multiples of `whole`."""
    cuts = [*(width * i // pieces // whole * whole for i in range(pieces)), width]
    return [cut for cut in pairwise(cuts) if cut[0] < cut[1]]


def _run(function, tasks, room):
    """Run tasks, giving each an address of so many bytes to work in."""
    if not tasks:
        return
    lines, apart = np.concatenate(tasks), -(-room // memory.ALIGNMENT) * memory.ALIGNMENT
    work = memory.empty(apart * len(lines), np.uint8)
    lines[:, 1] = memory.address(work) + apart * np.arange(len(lines))
    threads.run(function, lines)
