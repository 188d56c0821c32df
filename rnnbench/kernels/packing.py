"""All weights of a cell, packed for the forward and for the backward walk: where each block goes."""

from __future__ import annotations

from rnnbench.contract import parse
from rnnbench.kernels import tile
from rnnbench.kernels.pack import COLUMNS, LINE, UNITS, VECTOR
from rnnbench.kernels.plan import groups_of, readers
from rnnbench.kernels.program import Arena, Program, Ref, Table


class ForwardPacking:
    """Panels, biases and unit parameters of the forward walk.

    Attributes
    ----------
    keys : tuple
        Names of the parameters there are.
    groups : dict
        By the names of a group's gates: where its panels and its bias lie.
    parameters : dict
        By name: where a unit parameter lies, padded.
    program : Program
        For :func:`rnnbench.kernels.pack.pack`.
    """

    def __init__(self, sizes, keys):
        layout, size = sizes.layout, sizes.dtype.itemsize
        self.keys, self.arena, self.groups, self.parameters, jobs = keys, Arena("packed"), {}, {}, Table(LINE)
        for stage, width in zip(layout.cell.stages, layout.stage_widths, strict=True):
            for sources, gates in groups_of(stage):
                vectors = sizes.vectors(width) * len(gates)
                depth = sum(layout.widths[parse(s)[0]] for s in sources)
                panels = self._place(sizes, -(-vectors // tile.PANEL) * depth * tile.PANEL * sizes.lane_bytes)
                bias = self._place(sizes, vectors * sizes.lane_bytes)
                per_panel = depth * tile.PANEL * sizes.lane_bytes
                for number, gate in enumerate(gates):
                    k = 0
                    for source in sources:
                        block, columns = layout.blocks[gate.name, source], layout.widths[parse(source)[0]]
                        target = panels + k * tile.PANEL * sizes.lane_bytes
                        jobs.add(
                            UNITS, target, per_panel, _matrix(block, columns, layout, size), columns * size, width,
                            columns, len(gates), number,
                        )  # fmt: skip
                        k += columns
                    rows = layout.bias_rows.get(gate.name) if "bias" in keys else None
                    source = Ref("bias", rows[0] * size, layout.bias_size * size) if rows else 0
                    jobs.add(
                        VECTOR, bias + number * sizes.lane_bytes, len(gates) * sizes.lane_bytes, source, 0,
                        width if rows else 0, width, 0, 0,
                    )  # fmt: skip
                self.groups[tuple(g.name for g in gates)] = panels, bias, per_panel
        for name, width in layout.parameter_widths.items():
            self.parameters[name] = self._place(sizes, sizes.vectors(width) * sizes.lane_bytes)
            source = Ref(name, 0, width * size)
            jobs.add(VECTOR, self.parameters[name], sizes.lane_bytes, source, 0, width, width, 0, 0)
        self.engine, self.jobs = sizes.engine, len(jobs)
        self.program = Program((sizes.header(), [jobs]), replicas=sizes.replicas)

    def _place(self, sizes, size):
        return Ref(self.arena.root, self.arena.place(size * sizes.replicas), size)


class BackwardPacking:
    """Panels for the gradients by the sources.

    Attributes
    ----------
    panels : dict
        By (stage, source): where they lie, bytes per panel, and the gates in their order.
    """

    def __init__(self, sizes):
        layout, size = sizes.layout, sizes.dtype.itemsize
        self.arena, self.panels, jobs = Arena("back"), {}, Table(LINE)
        for number, stage in enumerate(layout.cell.stages):
            for source, gates in readers(stage).items():
                width = layout.widths[parse(source)[0]]
                depth = layout.stage_widths[number] * len(gates)
                panels = -(-sizes.vectors(width) // tile.PANEL)
                row = tile.PANEL * sizes.lane_bytes
                total = panels * depth * row
                start = Ref(self.arena.root, self.arena.place(total * sizes.replicas), total)
                for i, gate in enumerate(gates):
                    target = start + i * layout.stage_widths[number] * row
                    block = layout.blocks[gate.name, source]
                    jobs.add(
                        COLUMNS, target, depth * row, _matrix(block, width, layout, size), width * size,
                        layout.stage_widths[number], width, panels, 0,
                    )  # fmt: skip
                self.panels[number, source] = start, depth * row
        self.engine, self.jobs = sizes.engine, len(jobs)
        self.program = Program((sizes.header(), [jobs]), replicas=sizes.replicas)


def _matrix(block, columns, layout, size):
    """Where a weight block starts in the user's stacked matrix."""
    rows = layout.weight_shapes[block.key][0]
    return Ref(block.key, block.start * columns * size, rows * columns * size)
