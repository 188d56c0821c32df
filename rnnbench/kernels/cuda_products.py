"""Launches of the products over all steps: gradients by the weights, by unit parameters and by the input."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_common
from rnnbench.kernels import cuda_host as gpu
from rnnbench.kernels.cuda_text import work_lanes

TILE = 32, 8  # threads of a block
DEPTH = 16  # of a tile
CHUNK_ROWS = 256  # rows of a chunk of the weight gradients' sums


def chunk_steps(rows):
    """Return the steps that a checkpointed stretch has to be a multiple of."""
    return max(1, CHUNK_ROWS // max(rows, 1))


def _kernels(tape):
    return cuda_common.products(tape.dtype.name, TILE, DEPTH, tape.prepared.precision)


def _work(tape, number, lane):
    """Address and row stride of one lane of a stage's work."""
    layout = tape.prepared.layout
    width = layout.stage_widths[number]
    return tape.entries[f"work {number}"] + lane * width, work_lanes(layout, number) * width


def weight_gradients(tape, grads):
    """Add to the gradients by all weights, biases and unit parameters, and return them."""
    layout, sizes = tape.prepared.layout, tape.sizes
    weights, sums, _ = _kernels(tape)
    on_device = {key: gpu.upload(value) for key, value in grads.items()}
    chunk = chunk_steps(sizes.rows)
    for number, stage in enumerate(layout.cell.stages):
        units = layout.stage_widths[number]

        def column_sums(lane, key, start, number=number, units=units):
            grid = -(-units // TILE[0]), sizes.replicas
            step = grads[key].shape[1]
            given = tape.arena, *_work(tape, number, lane), units, on_device[key], start, step
            gpu.launch(sums, grid, TILE, tape.active, sizes.rows, chunk, *given)

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
                    gpu.launch(weights, grid, TILE, tape.active, sizes.rows, chunk, *given)
        for lane, name in enumerate(layout.trained_parameters[number], len(stage.gates)):
            column_sums(lane, name, 0)
    return {key: gpu.download(value, grads[key].shape) for key, value in on_device.items()}


def _source(tape, source):
    """Array, address and steps per replica of what a product reads, for the first step of the first replica."""
    name, lag = parse(source)
    if name == INPUT:
        return tape.x, 0, tape.sizes.steps
    start, ring = tape.ring("read" if lag else "made", name)
    layout = tape.prepared.layout
    return tape.arena, start + (layout.lags[name] - lag) * tape.sizes.rows * layout.widths[name], ring


def input_gradients(tape, dx):
    """Add to the gradient by the input, gate by gate."""
    layout, prepared = tape.prepared.layout, tape.prepared
    for number, stage in enumerate(layout.cell.stages):
        for lane, gate in enumerate(stage.gates):
            if INPUT in gate.sources:
                at = prepared.back_entries[f"weight {gate.name} {INPUT}"]
                weights = prepared.back, at, layout.stage_widths[number]
                _over_steps(tape, tape.arena, *_work(tape, number, lane), *weights, layout.input_size, dx, 0)


def input_products(tape, ahead, entries):
    """Add the products of the input with the weights of its gates, of all steps, to what lies ahead."""
    layout, prepared = tape.prepared.layout, tape.prepared
    for name, at in entries.items():
        gate = name.removeprefix("ahead ")
        weights = prepared.packed, prepared.entries[f"weight {gate} {INPUT}"], layout.input_size
        _over_steps(tape, tape.x, 0, layout.input_size, *weights, layout.gate_widths[gate], ahead, at)


def _over_steps(tape, left, left_at, left_stride, right, right_at, inner, columns, out, out_at):
    sizes, (_, _, inputs) = tape.sizes, _kernels(tape)
    if inner and columns:
        grid = -(-sizes.steps * sizes.rows // (TILE[1] * cuda_common.ROWS)), -(-columns // TILE[0]), sizes.replicas
        given = left, left_at, left_stride, right, right_at, inner, columns, out, out_at
        gpu.launch(inputs, grid, TILE, tape.active, sizes.rows, *given)
