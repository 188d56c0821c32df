"""The portable CUDA driver: any cell over a batch of sequences, forward and backward, on one GPU.

Same functions, arguments and results as :mod:`rnnbench.kernels.reference`. A block of threads owns some batch rows and
walks all steps with them, so that blocks never wait for each other; see :mod:`rnnbench.kernels.cuda_write`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_build, cuda_common, cuda_host, cuda_plan
from rnnbench.kernels.cuda_host import download, empty, launch, upload
from rnnbench.kernels.cuda_plan import Sizes
from rnnbench.kernels.cuda_text import Geometry, work_lanes
from rnnbench.kernels.reference import row_lengths

GEOMETRY = Geometry()
TILE = 32, 8  # threads of a block of the products after the walk
DEPTH = 16  # of their tiles
FLAT = 256  # threads of a block that goes over an array
CHUNK_ROWS = 256  # rows of a chunk of the weight gradients' sums


@dataclass
class Prepared:
    """Weights in device memory, packed for the forward walk; as they were then, also for the backward one."""

    layout: Any
    weights: dict
    packed: Any
    entries: dict
    back: Any = None
    back_entries: dict | None = None


@dataclass
class Tape:
    """What one forward pass leaves for BPTT, all in device memory."""

    prepared: Prepared
    sizes: Sizes
    dtype: np.dtype
    entries: dict
    active: Any
    lengths: Any
    masks: Any
    x: Any
    arena: Any


def prepare(layout, weights, dtype, replicas=1):
    """Bring the weights to the device, to be used for several forward passes."""
    dtype = np.dtype(dtype)
    weights = {key: np.array(value) for key, value in weights.items()}
    packed, entries = cuda_plan.pack(layout, weights, replicas, dtype, transposed=True)
    return Prepared(layout, weights, upload(packed), entries)


def forward(layout, weights, x, state, active, feed=None, keep=True):
    """Run a cell over a batch of sequences; see :func:`rnnbench.kernels.reference.forward`.

    `weights` may also be what `prepare` returned.
    """
    sizes, dtype, feed = Sizes(*x.shape[:3]), x.dtype, feed or {}
    prepared = weights if isinstance(weights, Prepared) else prepare(layout, weights, dtype, sizes.replicas)
    if keep and prepared.back is None:
        back, prepared.back_entries = cuda_plan.pack(layout, prepared.weights, sizes.replicas, dtype, transposed=False)
        prepared.back = upload(back)
    arena_plan = cuda_plan.Arena(layout, sizes, keep, tuple(feed))
    masks, fed = cuda_plan.masks(feed, active, sizes.rows)
    entries = {"steps": sizes.steps, "rows": sizes.rows, "keep": int(keep)} | arena_plan.entries
    entries |= cuda_plan.widths(layout) | {f"feed {name}": fed.get(name, -1) for name in layout.states}
    active = np.array(active, np.int64)
    tape = Tape(
        prepared, sizes, dtype, entries, upload(active), upload(row_lengths(active, sizes.rows)),
        upload(masks), upload(x), empty(arena_plan.size, dtype),
    )  # fmt: skip
    _start(tape, state, feed, fed)
    shape = (sizes.replicas, sizes.steps, sizes.rows, layout.widths[layout.cell.output])
    y = _cleared(np.prod(shape), dtype)
    if sizes.steps and sizes.rows:
        built = cuda_build.build(layout, "forward", dtype.name, GEOMETRY)
        table = upload(built.table(entries | prepared.entries))
        given = table, tape.active, tape.masks, prepared.packed, tape.x, tape.arena, y
        launch(built.function, *_blocks(layout, sizes), *given)
    final = {name: _take(tape, tape.arena, "read", name, tape.lengths) for name in layout.states}
    return download(y, shape), final, tape if keep else None


def chunk_steps(rows):
    """Return the steps that a checkpointed stretch has to be a multiple of."""
    return max(1, CHUNK_ROWS // max(rows, 1))


def backward(tape, dy, dstate, truncate=None, before=0, need_dx=True, grads=None):
    """Back-propagation through time; see :func:`rnnbench.kernels.reference.backward`. Uses the tape up."""
    sizes, prepared = tape.sizes, tape.prepared
    layout, smooth = prepared.layout, prepared.layout.cell.differentiable
    rings, size = cuda_plan.flow(layout, sizes)
    tape.entries |= rings | {"truncate": truncate or 0, "before": before}
    flow = _cleared(size, tape.dtype)
    for name in layout.states:
        if smooth[name]:
            _put(tape, flow, "flow", name, dstate[name], tape.lengths)
    if grads is None:
        grads = {key: np.zeros_like(value) for key, value in prepared.weights.items()}
    dx = _cleared(sizes.replicas * sizes.steps * sizes.rows * layout.input_size, tape.dtype) if need_dx else None
    if sizes.steps and sizes.rows:
        built = cuda_build.build(layout, "backward", tape.dtype.name, GEOMETRY)
        table = upload(built.table(tape.entries | prepared.back_entries))
        given = table, tape.active, tape.masks, prepared.back, tape.arena, flow, upload(dy)
        launch(built.function, *_blocks(layout, sizes), *given)
        grads = _weight_gradients(tape, grads)
        if need_dx and layout.input_size:
            _input_gradients(tape, dx)
    start = upload(np.zeros(sizes.rows, np.int64))
    initial = {}
    for name in layout.states:
        taken = _take(tape, flow, "flow", name, start)
        initial[name] = taken if smooth[name] else np.zeros_like(taken)
    shape = (sizes.replicas, sizes.steps, sizes.rows, layout.input_size)
    return download(dx, shape) if need_dx else None, initial, grads


def _blocks(layout, sizes):
    """Grid and block: as many units as there are, then rows as long as every multiprocessor has a block."""
    units = -(-max(layout.widths.values()) // 32) * 32
    lanes = min(GEOMETRY.units, units)
    wanted = -(-sizes.replicas * sizes.rows // (cuda_host.multiprocessors() * GEOMETRY.rows))
    groups = max(1, min(GEOMETRY.groups, GEOMETRY.threads // lanes, wanted))
    return (-(-sizes.rows // (groups * GEOMETRY.rows)), sizes.replicas), (lanes, groups)


def _cleared(size, dtype):
    array = empty(size, dtype)
    launch(cuda_common.clear, *_over(size), array)
    return array


def _over(size):
    """Grid and block of a kernel that strides over an array."""
    return max(1, min(-(-int(size) // FLAT), 16 * cuda_host.multiprocessors())), FLAT


def _start(tape, state, feed, fed):
    """Write what the walk reads before it has made anything: initial states and fed values."""
    layout, sizes = tape.prepared.layout, tape.sizes
    start = upload(np.zeros(sizes.rows, np.int64))
    for name in layout.states:
        _put(tape, tape.arena, "made", name, state[name], start)
        if name in feed:
            _put(tape, tape.arena, "read", name, state[name], start)
            values, width = np.ascontiguousarray(feed[name][0]), layout.widths[name]
            if values.size:
                launch(
                    cuda_common.put_fed, *_over(values.size),
                    tape.arena, *_ring(tape, "read", name), upload(values), sizes.steps, sizes.rows, width,
                    layout.lags[name] - 1, tape.masks, fed[name],
                )  # fmt: skip


def _ring(tape, kind, name):
    return tape.entries[f"{kind} {name}"], tape.entries[f"{kind} ring {name}"]


def _put(tape, lanes, kind, name, values, ends):
    layout = tape.prepared.layout
    if values.size:
        given = upload(values), layout.lags[name], tape.sizes.rows, layout.widths[name], ends
        launch(cuda_common.put, *_over(values.size), lanes, *_ring(tape, kind, name), *given)


def _take(tape, lanes, kind, name, ends):
    layout, sizes = tape.prepared.layout, tape.sizes
    shape = (sizes.replicas, layout.lags[name], sizes.rows, layout.widths[name])
    if not sizes.rows:
        return np.zeros(shape, tape.dtype)
    out = empty(np.prod(shape), tape.dtype)
    given = out, layout.lags[name], sizes.rows, layout.widths[name], ends
    launch(cuda_common.take, *_over(out.size), lanes, *_ring(tape, kind, name), *given)
    return download(out, shape)


def _work(tape, number, lane):
    """Address and row stride of one lane of a stage's work."""
    layout = tape.prepared.layout
    width = layout.stage_widths[number]
    return tape.entries[f"work {number}"] + lane * width, work_lanes(layout, number) * width


def _weight_gradients(tape, grads):
    """Add to the gradients by all weights, biases and unit parameters, and return them."""
    layout, sizes = tape.prepared.layout, tape.sizes
    weights, sums, _ = cuda_common.products(tape.dtype.name, TILE, DEPTH)
    on_device = {key: upload(value) for key, value in grads.items()}
    chunk = chunk_steps(sizes.rows)
    for number, stage in enumerate(layout.cell.stages):
        units = layout.stage_widths[number]

        def column_sums(lane, key, start, number=number, units=units):
            grid = -(-units // TILE[0]), sizes.replicas
            step = grads[key].shape[1]
            given = tape.arena, *_work(tape, number, lane), units, on_device[key], start, step
            launch(sums, grid, TILE, tape.active, sizes.rows, chunk, *given)

        for lane, gate in enumerate(stage.gates):
            if gate.name in layout.bias_rows and "bias" in grads:
                column_sums(lane, "bias", layout.bias_rows[gate.name][0])
            for source in gate.sources:
                block, columns = layout.blocks[gate.name, source], layout.widths[parse(source)[0]]
                if columns:
                    grid = -(-columns // TILE[0]), -(-units // (TILE[1] * cuda_common.ROWS)), sizes.replicas
                    da, values = _work(tape, number, lane), _source(tape, source)
                    into = block.start * columns, grads[block.key].shape[1] * columns
                    given = tape.arena, *da, *values, units, columns, on_device[block.key], *into
                    launch(weights, grid, TILE, tape.active, sizes.rows, chunk, *given)
        for lane, name in enumerate(stage.parameters, len(stage.gates)):
            column_sums(lane, name, 0)
    return {key: download(value, grads[key].shape) for key, value in on_device.items()}


def _source(tape, source):
    """Array, address and steps per replica of what a product reads, for the first step of the first replica."""
    name, lag = parse(source)
    if name == INPUT:
        return tape.x, 0, tape.sizes.steps
    start, ring = _ring(tape, "read" if lag else "made", name)
    layout = tape.prepared.layout
    return tape.arena, start + (layout.lags[name] - lag) * tape.sizes.rows * layout.widths[name], ring


def _input_gradients(tape, dx):
    """Add to the gradient by the input, gate by gate."""
    layout, sizes, prepared = tape.prepared.layout, tape.sizes, tape.prepared
    inputs = cuda_common.products(tape.dtype.name, TILE, DEPTH)[2]
    grid = (
        -(-sizes.steps * sizes.rows // (TILE[1] * cuda_common.ROWS)),
        -(-layout.input_size // TILE[0]),
        sizes.replicas,
    )
    for number, stage in enumerate(layout.cell.stages):
        for lane, gate in enumerate(stage.gates):
            if INPUT in gate.sources:
                at = prepared.back_entries[f"weight {gate.name} {INPUT}"]
                given = tape.arena, *_work(tape, number, lane), prepared.back, at, layout.stage_widths[number]
                launch(inputs, grid, TILE, tape.active, sizes.rows, *given, layout.input_size, dx)
