"""All weights of a cell, packed for the forward and for the backward walk: where each block goes."""

from __future__ import annotations

from rnnbench.contract import parse
from rnnbench.kernels import tile
from rnnbench.kernels.pack import COLUMNS, LINE, UNITS, VECTOR
from rnnbench.kernels.plan import groups_of, readers
from rnnbench.kernels.program import Arena, Program, Ref, Table


class Packing:
    """Panels, biases and unit parameters of the forward walk, then the panels of the backward walk.

    Parameters
    ----------
    sizes : Sizes
    apart : dict of int
        Bytes from replica to replica of each parameter there is.
    keep : bool
        Whether there is a backward walk.

    Attributes
    ----------
    keys : tuple
        Names of the parameters there are.
    groups : dict
        By the names of a group's gates: where its panels and its bias lie.
    parameters : dict
        By name: where a unit parameter lies, padded.
    panels : dict
        By (stage, source): where those for the gradient by the source lie, and bytes per panel.
    program : Program
        For :func:`rnnbench.kernels.pack.pack`; what the user named is "w " and the name there.
    """

    def __init__(self, sizes, apart, keep):
        self.sizes, self.apart, self.keep, self.arena, jobs = sizes, apart, keep, Arena("packed"), Table(LINE)
        self.keys = tuple(apart)
        self.groups, self.parameters, self.panels = {}, {}, {}
        self._forward(jobs)
        if keep:
            self._backward(jobs)
        self.engine, self.jobs = sizes.engine, len(jobs)
        self.program = Program((sizes.header(), [jobs]), replicas=sizes.replicas)

    def _forward(self, jobs):
        sizes, layout, size = self.sizes, self.sizes.layout, self.sizes.dtype.itemsize
        for stage, width in zip(layout.cell.stages, layout.stage_widths, strict=True):
            for sources, gates in groups_of(stage):
                vectors = sizes.vectors(width) * len(gates)
                depth = sum(layout.widths[parse(s)[0]] for s in sources)
                panels = self._place(-(-vectors // tile.PANEL) * depth * tile.PANEL * sizes.lane_bytes)
                bias = self._place(vectors * sizes.lane_bytes)
                per_panel = depth * tile.PANEL * sizes.lane_bytes
                for number, gate in enumerate(gates):
                    k = 0
                    for source in sources:
                        block, columns = layout.blocks[gate.name, source], layout.widths[parse(source)[0]]
                        target = panels + k * tile.PANEL * sizes.lane_bytes
                        jobs.add(
                            UNITS, target, per_panel, self._matrix(block, columns), columns * size, width,
                            columns, len(gates), number,
                        )  # fmt: skip
                        k += columns
                    rows = layout.bias_rows.get(gate.name) if "bias" in self.keys else None
                    source = Ref("w bias", rows[0] * size, self.apart["bias"]) if rows else 0
                    jobs.add(
                        VECTOR, bias + number * sizes.lane_bytes, len(gates) * sizes.lane_bytes, source, 0,
                        width if rows else 0, width, 0, 0,
                    )  # fmt: skip
                self.groups[tuple(g.name for g in gates)] = panels, bias, per_panel
        for name, width in layout.parameter_widths.items():
            self.parameters[name] = self._place(sizes.vectors(width) * sizes.lane_bytes)
            source = Ref(f"w {name}", 0, self.apart[name])
            jobs.add(VECTOR, self.parameters[name], sizes.lane_bytes, source, 0, width, width, 0, 0)

    def _backward(self, jobs):
        sizes, layout, size = self.sizes, self.sizes.layout, self.sizes.dtype.itemsize
        for number, stage in enumerate(layout.cell.stages):
            for source, gates in readers(stage).items():
                width = layout.widths[parse(source)[0]]
                depth = layout.stage_widths[number] * len(gates)
                panels = -(-sizes.vectors(width) // tile.PANEL)
                row = tile.PANEL * sizes.lane_bytes
                start = self._place(panels * depth * row)
                for i, gate in enumerate(gates):
                    target = start + i * layout.stage_widths[number] * row
                    block = layout.blocks[gate.name, source]
                    jobs.add(
                        COLUMNS, target, depth * row, self._matrix(block, width), width * size,
                        layout.stage_widths[number], width, panels, 0,
                    )  # fmt: skip
                self.panels[number, source] = start, depth * row

    def _place(self, size):
        return Ref(self.arena.root, self.arena.place(size * self.sizes.replicas), size)

    def _matrix(self, block, columns):
        """Where a weight block starts in the user's stacked matrix."""
        return Ref(f"w {block.key}", block.start * columns * self.sizes.dtype.itemsize, self.apart[block.key])
