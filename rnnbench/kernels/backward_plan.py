"""Tables of the backward walk: which gradients feed which stage, and where da, dreads and dp go."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import memory, pointwise
from rnnbench.kernels.plan import Table, constant_line, readers, source_line


def slots(sizes):
    """Make a gradient buffer per differentiable vector: the step at work and as many past ones as it is carried."""
    layout = sizes.layout
    lanes = {}
    for name, lag in layout.lags.items():
        if layout.cell.differentiable[name]:
            lane = lanes[name] = sizes.lane(layout.widths[name], lag + 1, lag)
            lane.array[...] = 0
    return lanes


def backward_tables(sizes, packed, parameters, tape, gradients, dy, dstate):
    """Lay out the tables of :func:`rnnbench.kernels.walk.backward`.

    Parameters
    ----------
    packed : dict of :func:`rnnbench.kernels.packing.pack_backward`
    parameters : dict of arrays
        Of :func:`rnnbench.kernels.packing.pad_parameters`.
    tape : rnnbench.kernels.cpu.Tape
    gradients : dict of Lane
        Of :func:`slots`.
    dy : (R, T, B, width) array
    dstate : dict of (R, lag, B, width) arrays
        Gradient by the final state.

    Returns
    -------
    tuple of Table, and the arrays whose addresses they hold
    """
    layout = sizes.layout
    stages, operands, products, sources = Table(6), Table(6), Table(8), Table(8)
    nothing = memory.zeros(sizes.lanes, sizes.dtype)
    sink = memory.zeros(sizes.lanes, sizes.dtype)
    for number, stage in enumerate(layout.cell.stages):
        first_operand, first_product = len(operands), len(products)
        width = layout.stage_widths[number]
        saved, work = layout.saved[number], tape.lanes["work"][number]
        for name in stage.makes:
            _gradient(operands, sizes, gradients, name, 0, nothing)
        _values(operands, sizes, [source_line(s, tape.lanes, None) for s in stage.reads])
        _values(operands, sizes, [(lane.line(), lane.replica) for lane in map(tape.lanes["made"].get, stage.makes)])
        _values(operands, sizes, [(lane.line(), lane.replica) for lane in work[:saved]])
        _values(operands, sizes, [(constant_line(parameters[p]), parameters[p].strides[0]) for p in stage.parameters])
        _values(operands, sizes, [(lane.line(), lane.replica) for lane in work[: len(stage.gates)]])
        for source in stage.reads:
            name, lag = parse(source)
            _gradient(operands, sizes, gradients, name, lag, sink)
        dp = work[len(stage.gates) : len(stage.gates) + len(stage.parameters)]
        _values(operands, sizes, [(lane.line(), lane.replica) for lane in dp])
        for source, gates in readers(stage).items():
            name, lag = parse(source)
            if name == INPUT or name not in gradients:
                continue
            first_source = len(sources)
            add_da_sources(sources, sizes, packed[number, source], [g.name for g in stage.gates], gates, work, width)
            lane, vectors = gradients[name], sizes.vectors(layout.widths[name])
            products.add(*lane.line(lag), first_source, len(sources), vectors, c0=lane.replica)
        stages.add(
            pointwise.compiled(stage, sizes.engine.dtype, pointwise.BACKWARD).address, sizes.vectors(width),
            first_operand, len(operands), first_product, len(products),
        )  # fmt: skip
    tables = (
        stages, operands, products, sources, _slot_table(sizes, gradients), _dy_table(sizes, dy),
        _state_table(sizes, gradients, dstate), _feed_table(gradients, tape.feed),
    )  # fmt: skip
    return tables, (nothing, sink)


def add_da_sources(sources, sizes, panels, names, gates, work, width):
    """Lines of the product of some gates' da with packed weights: one source per gate."""
    for i, gate in enumerate(gates):
        lane = work[names.index(gate.name)]
        address = memory.address(panels) + i * width * panels.strides[2]
        sources.add(*lane.line(), width, address, panels.strides[1], c0=lane.replica, c6=panels.strides[0])


def _values(operands, sizes, lines):
    for line, grows in lines:
        operands.add(*line, sizes.lane_bytes, c0=grows)


def _gradient(operands, sizes, gradients, name, lag, instead):
    """The gradient of a vector, or one constant vector in its place if none flows there."""
    if name in gradients:
        operands.add(*gradients[name].line(lag), sizes.lane_bytes, c0=gradients[name].replica)
    else:
        operands.add(*constant_line(instead), 0)


def _slot_table(sizes, gradients):
    table = Table(7)
    for name, lane in gradients.items():
        is_output = name == sizes.layout.cell.output
        table.add(*lane.line(), lane.array.strides[2], is_output, c0=lane.replica)
    return table


def _dy_table(sizes, dy):
    table = Table(6)
    table.add(memory.address(dy), max(sizes.steps, 1), 0, dy.strides[1], dy.strides[2], dy.shape[3], c0=dy.strides[0])
    return table


def _state_table(sizes, gradients, dstate):
    table = Table(10)
    for name in sizes.layout.states:
        if name in gradients:
            lane, given = gradients[name], dstate[name]
            table.add(
                *lane.line(), memory.address(given), given.strides[1], given.strides[2], given.shape[3], lane.lag,
                c0=lane.replica, c5=given.strides[0],
            )  # fmt: skip
    return table


def _feed_table(gradients, feed):
    table = Table(8)
    for name, mask in feed.items():
        if name in gradients:
            lane = gradients[name]
            table.add(*lane.line(), lane.array.strides[2], memory.address(mask), mask.strides[0], c0=lane.replica)
    return table
