"""Tables of the forward walk: which products fill which gates, and where each value of a step goes."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import memory, pointwise
from rnnbench.kernels.plan import Table, constant_line, groups_of, source_line

L2_BYTES = 384 * 1024  # of weights that a strip of units may use, so that all rows of a block find them in cache
STRIP_VECTORS = 32  # of gates per row: with the rows of a tile they stay in the first-level cache


def forward_tables(sizes, packed, parameters, lanes, x, y, feed, ahead):
    """Lay out the tables of :func:`rnnbench.kernels.walk.forward`.

    Parameters
    ----------
    packed : dict of :func:`pack_forward`
    parameters : dict of :func:`pad_parameters`
    lanes : "made" and "read" dicts of Lane by vector, "saved" list of lists of Lane by stage (empty: inference)
    x, y : (R, T, B, I) and (R, T, B, width) arrays
    feed : dict of masks (T, B) by state
    ahead : bool
        Whether the products with x are made for all steps at once, before the walk.

    Returns
    -------
    tables : tuple of Table
    products : (lines, sources, buffers) or None
        What :func:`rnnbench.kernels.flat.products` has to do before.
    """
    layout, lane_bytes, training = sizes.layout, sizes.lane_bytes, bool(lanes["saved"])
    stages, groups, sources = Table(8), Table(9), Table(8)
    operands, outputs, feeds = Table(7), Table(11), Table(13)
    lines, flat_sources, buffers = Table(13), Table(8), []
    for number, (stage, width) in enumerate(zip(layout.cell.stages, layout.stage_widths, strict=True)):
        vectors, total = sizes.vectors(width), len(stage.gates)
        depth = sum(layout.widths[parse(s)[0]] for g in stage.gates for s in g.sources)
        strip = max(2, min(vectors, STRIP_VECTORS // max(total, 1), L2_BYTES // max(depth * lane_bytes, 1)) // 2 * 2)
        first_group, first_operand, column, place = len(groups), len(operands), 0, {}
        for names_sources, gates in groups_of(stage):
            panels, bias = packed[tuple(g.name for g in gates)]
            first_source, k, init, grows_init = len(sources), 0, constant_line(bias), bias.strides[0]
            per_panel = panels.strides[1]
            for source in names_sources:
                address = memory.address(panels) + k * panels.strides[2]
                depth_of = layout.widths[parse(source)[0]]
                line, grows = source_line(source, lanes, x)
                now = ahead and source == INPUT and k == 0
                table = flat_sources if now else sources
                table.add(*line, depth_of, address, per_panel, c0=grows, c6=panels.strides[0])
                k += depth_of
                if now:
                    lane = sizes.lane(vectors * len(gates) * sizes.lanes, sizes.steps)
                    buffers.append(lane)
                    lines.add(
                        len(flat_sources) - 1, len(flat_sources), vectors * len(gates), *lane.line(), *init,
                        c3=lane.replica, c8=grows_init,
                    )  # fmt: skip
                    init, grows_init = lane.line(), lane.replica
            groups.add(first_source, len(sources), len(gates), column * lane_bytes, *init, c4=grows_init)
            for i, gate in enumerate(gates):
                place[gate.name] = (column + i, len(gates))
            column += len(gates) * strip
        scratch_row = column * lane_bytes
        for gate in stage.gates:
            start, apart = place[gate.name]
            operands.add(start * lane_bytes, 1, 0, 0, scratch_row, apart * lane_bytes, 1)
        unit_operands(operands, sizes, stage, parameters, lanes)
        for lane in [lanes["made"][v] for v in stage.makes] + (lanes["saved"][number] if training else []):
            operands.add(*lane.line(), lane_bytes, 0, c0=lane.replica)
        direction = pointwise.FORWARD if training else pointwise.INFER
        stages.add(
            pointwise.compiled(stage, sizes.engine.dtype, direction).address, vectors, first_group, len(groups),
            first_operand, len(operands), strip, scratch_row,
        )  # fmt: skip
    made = lanes["made"][layout.cell.output]
    target = (memory.address(y), max(sizes.steps, 1), 0, y.strides[1], y.strides[2])
    outputs.add(
        *target, *made.line(), layout.widths[layout.cell.output] * sizes.dtype.itemsize,
        c0=y.strides[0], c5=made.replica,
    )  # fmt: skip
    for name, mask in feed.items():
        made, read = lanes["made"][name], lanes["read"][name]
        feeds.add(
            *read.line(), *made.line(), made.array.strides[2], memory.address(mask), mask.strides[0],
            c0=read.replica, c5=made.replica,
        )  # fmt: skip
    tables = stages, groups, sources, operands, outputs, feeds
    return tables, (lines, flat_sources, buffers) if len(lines) else None


def unit_operands(operands, sizes, stage, parameters, lanes):
    """Lines of what a stage reads unit by unit: other vectors, then unit parameters."""
    for source in stage.reads:
        line, grows = source_line(source, lanes, None)
        operands.add(*line, sizes.lane_bytes, 0, c0=grows)
    for name in stage.parameters:
        array = parameters[name]
        operands.add(*constant_line(array), sizes.lane_bytes, 0, c0=array.strides[0])
