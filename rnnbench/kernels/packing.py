"""All weights of a cell, packed for the forward and for the backward walk."""

from __future__ import annotations

import numpy as np

from rnnbench.contract import parse
from rnnbench.kernels import memory, tile
from rnnbench.kernels.plan import groups_of, readers


def pack_forward(sizes, weights):
    """Pack the weights for the forward walk.

    Returns
    -------
    dict
        By the names of a group's gates: (panels (R, panels, k, 2, lanes), bias (R, vectors * lanes)).
    """
    layout, lanes = sizes.layout, sizes.lanes
    replicas, packed = sizes.replicas, {}
    for stage, width in zip(layout.cell.stages, layout.stage_widths, strict=True):
        for sources, gates in groups_of(stage):
            vectors = sizes.vectors(width) * len(gates)
            depth = sum(layout.widths[parse(s)[0]] for s in sources)
            shape = (replicas, -(-vectors // tile.PANEL), depth, tile.PANEL, lanes)
            panels = memory.empty(shape, sizes.dtype)
            if vectors % tile.PANEL:
                panels[:, -1, :, -1] = 0
            bias = memory.zeros((replicas, sizes.vectors(width), len(gates), lanes), sizes.dtype)
            for number, gate in enumerate(gates):
                k = 0
                for source in sources:
                    block = layout.blocks[gate.name, source]
                    for r in range(replicas):
                        target = memory.address(panels) + r * panels.strides[0] + k * panels.strides[2]
                        sizes.engine.pack_units(
                            sizes.engine.token, target, panels.strides[1], *_matrix(weights[block.key], block, r),
                            len(gates), number, lanes, panels.itemsize,
                        )  # fmt: skip
                    k += layout.widths[parse(source)[0]]
                if gate.name in layout.bias_rows and "bias" in weights:
                    start, stop = layout.bias_rows[gate.name]
                    padded = np.zeros((replicas, sizes.vectors(width) * lanes), sizes.dtype)
                    padded[:, :width] = weights["bias"][:, start:stop]
                    bias[:, :, number] = padded.reshape(replicas, -1, lanes)
            packed[tuple(g.name for g in gates)] = panels, bias
    return packed


def pack_backward(sizes, weights):
    """Pack the weights for gradients by the sources: by (stage, source), panels (R, panels, k, 2, lanes)."""
    layout, packed = sizes.layout, {}
    for number, stage in enumerate(layout.cell.stages):
        for source, gates in readers(stage).items():
            width = layout.widths[parse(source)[0]]
            depth = layout.stage_widths[number] * len(gates)
            panels = -(-sizes.vectors(width) // tile.PANEL)
            shape = (sizes.replicas, panels, depth, tile.PANEL, sizes.lanes)
            out = memory.empty(shape, sizes.dtype)
            for i, gate in enumerate(gates):
                block = layout.blocks[gate.name, source]
                for r in range(sizes.replicas):
                    first = i * layout.stage_widths[number]
                    sizes.engine.pack_columns(
                        sizes.engine.token, memory.address(out) + r * out.strides[0] + first * out.strides[2],
                        out.strides[1], panels, *_matrix(weights[block.key], block, r), sizes.lanes, out.itemsize,
                    )  # fmt: skip
            packed[number, source] = out
    return packed


def _matrix(stacked, block, replica):
    """Address, bytes from row to row, rows and columns of one weight block."""
    start = memory.address(stacked) + replica * stacked.strides[0] + block.start * stacked.strides[1]
    return start, stacked.strides[1], block.stop - block.start, stacked.shape[2]


def pad_parameters(sizes, weights):
    """Return the unit parameters as lanes with one row and no time: (R, 1, 1, padded width)."""
    out = {}
    for name, width in sizes.layout.parameter_widths.items():
        array = memory.zeros((sizes.replicas, 1, 1, sizes.vectors(width) * sizes.lanes), sizes.dtype)
        array[:, 0, 0, :width] = weights[name]
        out[name] = array
    return out
