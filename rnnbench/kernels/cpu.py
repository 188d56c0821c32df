"""The CPU driver: any cell over a batch of sequences, forward and backward, on Numba kernels.

Same functions, arguments and results as :mod:`rnnbench.kernels.reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import gradients, memory, threads
from rnnbench.kernels.backward_plan import add_da_sources, backward_tables, slots
from rnnbench.kernels.forward_plan import forward_tables
from rnnbench.kernels.gradients import chunk_steps
from rnnbench.kernels.packing import pack_backward, pack_forward, pad_parameters
from rnnbench.kernels.plan import Lane, Sizes, Table, constant_line, groups_of, readers, source_line
from rnnbench.kernels.reference import row_lengths

FLAT_ROWS = 192  # rows of one task of a flat product
FEW_ROWS = 6  # of a block, up to which the input's products are made for all steps at once
SMALL = 200_000  # floating-point operations below which a second thread costs more than it brings


@dataclass
class Prepared:
    """Weights packed for the tiles; the backward half is made when it is first needed."""

    layout: Any
    weights: dict
    forward: dict
    parameters: dict
    backward: dict | None = None


@dataclass
class Tape:
    """What one forward pass leaves for BPTT; `work` lanes hold saved values, and da once used."""

    sizes: Sizes
    prepared: Prepared
    x: np.ndarray
    active: np.ndarray
    feed: dict
    lanes: dict


def prepare(layout, weights, dtype, replicas=1):
    """Pack the weights once for several forward passes; see `forward` for the arguments."""
    sizes = Sizes(layout, dtype, replicas, 0, 0)
    weights = {key: np.ascontiguousarray(value) for key, value in weights.items()}
    return Prepared(layout, weights, pack_forward(sizes, weights), pad_parameters(sizes, weights))


def forward(layout, weights, x, state, active, feed=None, keep=True):
    """Run a cell over a batch of sequences; see :func:`rnnbench.kernels.reference.forward`.

    `weights` may also be what `prepare` returned.
    """
    replicas, steps, rows = x.shape[:3]
    sizes = Sizes(layout, x.dtype, replicas, steps, rows)
    prepared = weights if isinstance(weights, Prepared) else prepare(layout, weights, x.dtype, replicas)
    if keep and prepared.backward is None:  # now: parameters may be edited before the backward pass
        prepared.backward = pack_backward(sizes, prepared.weights)
    x = np.array(x) if keep else np.ascontiguousarray(x)
    active = np.array(active, np.int64)
    masks = _masks(feed or {}, active, rows)
    lanes = _lanes(sizes, state, feed or {}, masks, keep)
    full = bool(np.all(active == rows))  # otherwise what lies beyond a row's end has to be 0
    y = (np.empty if full else np.zeros)((replicas, steps, rows, layout.widths[layout.cell.output]), x.dtype)
    blocks = _blocks(sizes, active)
    few = max((stop - first for first, stop in blocks), default=0) <= FEW_ROWS and steps > 1
    tables, ahead = forward_tables(sizes, prepared.forward, prepared.parameters, lanes, x, y, masks, few)
    if ahead:
        _flat(sizes, *ahead[:2], active)
    _walk_forward(sizes, tables, active, blocks)
    final = {name: _final(lanes["read"][name], layout.widths[name], active, rows) for name in layout.states}
    return y, final, Tape(sizes, prepared, x, active, masks, lanes) if keep else None


def backward(tape, dy, dstate, truncate=None, before=0, need_dx=True, grads=None):
    """Back-propagation through time; see :func:`rnnbench.kernels.reference.backward`. Uses the tape up."""
    sizes, layout, prepared = tape.sizes, tape.sizes.layout, tape.prepared
    dy = np.ascontiguousarray(dy)
    dstate = {name: np.ascontiguousarray(value) for name, value in dstate.items()}
    flow = slots(sizes)
    tables, _keep = backward_tables(sizes, prepared.backward, prepared.parameters, tape, flow, dy, dstate)
    _walk_backward(sizes, tables, tape.active, _blocks(sizes, tape.active), truncate or 0, before)
    dx = np.zeros_like(tape.x) if need_dx else None
    if grads is None:
        grads = {key: np.zeros_like(value) for key, value in prepared.weights.items()}
    if sizes.steps and sizes.rows:
        _weight_gradients(tape, grads)
        _parameter_gradients(tape, grads)
        if need_dx:
            _input_gradients(tape, dx)
    initial = {}
    for name in layout.states:
        shape = (sizes.replicas, layout.lags[name], sizes.rows, layout.widths[name])
        initial[name] = np.zeros(shape, sizes.dtype)
        if name in flow:
            initial[name][...] = flow[name].array[:, : shape[1], :, : shape[3]]
    return dx, initial, grads


def _masks(feed, active, rows):
    """Flags of the rows that are fed *and* running, per step."""
    running = np.arange(rows) < active[:, None]
    return {name: np.ascontiguousarray(mask & running).view(np.uint8) for name, (_, mask) in feed.items()}


def _lanes(sizes, state, feed, masks, keep):
    """Buffers for every vector (all steps, or as many as are read again) and for what BPTT needs besides."""
    layout, steps = sizes.layout, sizes.steps
    made = {}
    for name, lag in layout.lags.items():
        ring = steps + lag if keep or feed else lag + 1
        made[name] = sizes.lane(layout.widths[name], max(ring, 1), lag)
        if lag:
            made[name].array[:, :lag, :, : layout.widths[name]] = state[name]
    read = dict(made)
    for name, (values, _) in feed.items():
        lag, width = layout.lags[name], layout.widths[name]
        lane = read[name] = sizes.lane(width, steps + lag, lag)
        lane.array[:, :lag] = made[name].array[:, :lag]
        t, b = np.nonzero(masks[name])
        lane.array[:, t + lag - 1, b, :width] = values[:, t, b]
    work = []
    for stage, saves, width in zip(layout.cell.stages, layout.saved, layout.stage_widths, strict=True):
        count = max(saves, len(stage.gates) + len(stage.parameters)) if keep else 0
        work.append([sizes.lane(width, max(steps, 1)) for _ in range(count)])
    saved = [lanes[:saves] for lanes, saves in zip(work, layout.saved, strict=True)] if keep else []
    return {"made": made, "read": read, "work": work, "saved": saved}


def _final(lane, width, active, rows):
    """The last `lag` values of each row's own sequence, (R, lag, B, width)."""
    row = row_lengths(active, rows) + np.arange(lane.lag)[:, None]
    return np.ascontiguousarray(lane.array[:, row % lane.array.shape[1], np.arange(rows), :width])


def _walk_forward(sizes, tables, active, blocks):
    e, stages, operands = sizes.engine, tables[0], tables[3]
    scratch_bytes = e.most * max(line[7] for line in stages.lines)

    def walk(table, first, stop):
        scratch = memory.empty(scratch_bytes, np.uint8)
        lines, bases = memory.empty((len(operands) + 1, 3), np.int64), np.empty(len(operands) + 1, np.int64)
        e.forward(
            e.token, e.tile_rows, e.widths, e.most, e.lane_bytes, memory.address(scratch), memory.address(lines),
            bases, table, active, first, stop, sizes.steps,
        )  # fmt: skip

    threads.run(walk, _per_replica(sizes, tables, blocks))


def _walk_backward(sizes, tables, active, blocks, truncate, before):
    e, operands = sizes.engine, tables[1]

    def walk(table, first, stop):
        lines = memory.empty((len(operands) + 1, 3), np.int64)
        e.backward(
            e.token, e.tile_rows, e.widths, e.most, e.lane_bytes, memory.address(lines), table, active, first, stop,
            sizes.steps, truncate, before,
        )  # fmt: skip

    threads.run(walk, _per_replica(sizes, tables, blocks))


def _per_replica(sizes, tables, pieces):
    """One task per replica and piece: (arrays of the tables, *piece)."""
    arrays = zip(*(table.arrays(sizes.replicas) for table in tables), strict=True)
    return [(replica, *piece) for replica in arrays for piece in pieces]


def _blocks(sizes, active):
    """Cut the batch into blocks of rows: one per thread, or more and smaller ones where lengths differ."""
    workers = threads.get_num_threads()
    work = sizes.layout.flops_per_step() * int(active.sum())
    if work < SMALL or sizes.rows == 0:
        return [(0, sizes.rows)] if sizes.rows else []
    share = max(1, workers // sizes.replicas)
    if sizes.rows and active[-1] < sizes.rows:
        share = max(share, min(4 * workers, sizes.rows // sizes.engine.most))
    share = min(share, sizes.rows)
    return [(i * sizes.rows // share, (i + 1) * sizes.rows // share) for i in range(share)]


def _weight_gradients(tape, grads):
    sizes, layout, e = tape.sizes, tape.sizes.layout, tape.sizes.engine
    chunk, workers = chunk_steps(sizes.rows), threads.get_num_threads()
    tasks = []
    for stage, work, width in zip(layout.cell.stages, tape.lanes["work"], layout.stage_widths, strict=True):
        lanes = dict(zip((g.name for g in stage.gates), work, strict=False))
        pieces = -(-workers // sizes.replicas)
        cuts = [width * i // pieces // e.most * e.most for i in range(pieces)] + [width]
        for sources, gates in groups_of(stage):
            tables = _gradient_tables(tape, grads, sources, gates, lanes)
            tasks += _per_replica(sizes, tables, [cut for cut in pairwise(cuts) if cut[0] < cut[1]])

    def add(tables, first, stop):
        size, panel_row = sizes.dtype.itemsize, 2 * e.lane_bytes
        most_rows, together = gradients.chunk_sizes(tape.active, chunk, len(tables[1]), panel_row)
        scratch = memory.empty(gradients.scratch_bytes(e.most, e.lanes, size, most_rows, together), np.uint8)
        scratch[:panel_row] = 0
        e.weights(
            e.token, e.tile_columns, e.most, e.lanes, size, memory.address(scratch), most_rows, together, *tables,
            tape.active, chunk, first, stop,
        )  # fmt: skip

    threads.run(add, tasks)


def _gradient_tables(tape, grads, sources, gates, lanes):
    """Tables of :func:`rnnbench.kernels.gradients.weights` for gates with the same sources."""
    sizes, layout = tape.sizes, tape.sizes.layout
    da, panels, targets = Table(7), Table(8), Table(2)
    for gate in gates:
        bias, rows = 0, layout.bias_rows.get(gate.name)
        if rows and "bias" in grads:
            bias = memory.address(grads["bias"]) + rows[0] * sizes.dtype.itemsize
        lane, grows = lanes[gate.name], grads["bias"].strides[0] if bias else 0
        da.add(*lane.line(), lane.array.shape[3], bias, c0=lane.replica, c6=grows)
    wide = 2 * sizes.lanes
    for gate in gates:
        for source in sources:
            name, block = parse(source)[0], layout.blocks[gate.name, source]
            line, grows = source_line(source, tape.lanes, tape.x)
            grad, width = grads[block.key], layout.widths[name]
            for first in range(0, width, wide):
                if gate is gates[0]:
                    panels.add(*line, first, min(wide, width - first), name != INPUT, c0=grows)
                address = memory.address(grad) + block.start * grad.strides[1] + first * grad.itemsize
                targets.add(address, grad.strides[1], c0=grad.strides[0])
    return da, panels, targets


def _parameter_gradients(tape, grads):
    sizes = tape.sizes
    chunk, total = chunk_steps(sizes.rows), memory.empty(sizes.lanes, sizes.dtype)
    for stage, work, width in zip(sizes.layout.cell.stages, tape.lanes["work"], sizes.layout.stage_widths, strict=True):
        for name, lane in zip(stage.parameters, work[len(stage.gates) :], strict=False):
            table = Table(5)
            table.add(*lane.line(), c0=lane.replica)
            for r, buffer in enumerate(table.arrays(sizes.replicas)):
                sizes.engine.columns_sum(
                    sizes.engine.token, sizes.lanes, sizes.dtype.itemsize, memory.address(total), buffer,
                    memory.address(grads[name][r]), tape.active, chunk, 0, width,
                )  # fmt: skip


def _input_gradients(tape, dx):
    sizes, layout = tape.sizes, tape.sizes.layout
    sources, lines = Table(8), Table(13)
    for number, (stage, width) in enumerate(zip(layout.cell.stages, layout.stage_widths, strict=True)):
        gates = readers(stage).get(INPUT, [])
        if gates:
            names = [g.name for g in stage.gates]
            panels = tape.prepared.backward[number, INPUT]
            add_da_sources(sources, sizes, panels, names, gates, tape.lanes["work"][number], width)
    if not len(sources) or not layout.input_size:
        return
    whole = layout.input_size % sizes.lanes == 0
    lane = Lane(dx, 0) if whole else sizes.lane(layout.input_size, sizes.steps)
    zero = memory.zeros(sizes.lanes * sizes.vectors(layout.input_size), sizes.dtype)
    lines.add(0, len(sources), sizes.vectors(layout.input_size), *lane.line(), *constant_line(zero), c3=lane.replica)
    _flat(sizes, lines, sources, tape.active)
    if not whole:
        running = np.arange(sizes.rows) < tape.active[:, None]
        np.copyto(dx, lane.array[..., : layout.input_size], where=running[None, :, :, None])


def _flat(sizes, lines, sources, active):
    """Products over all steps at once, each thread some of the steps."""
    e, steps = sizes.engine, max(1, FLAT_ROWS // max(sizes.rows, 1))
    pieces = [(t, min(t + steps, sizes.steps)) for t in range(0, sizes.steps, steps)]
    threads.run(
        lambda tables, first, stop: e.products(
            e.token, e.tile_rows, e.widths, e.most, e.lane_bytes, *tables, active, sizes.rows, first, stop
        ),
        _per_replica(sizes, (lines, sources), pieces),
    )
