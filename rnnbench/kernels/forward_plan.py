"""The plan of a forward walk: which products fill which gates, and where each value of a step goes."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import pointwise
from rnnbench.kernels.plan import Lane, array_line, constant_line, groups_of, source_line
from rnnbench.kernels.program import Arena, Program, Ref, Table
from rnnbench.kernels.symbols import NUMBER

L2_BYTES = 384 * 1024  # of weights that a strip of units may use, so that all rows of a block find them in cache
TILES = 12  # of rows that take turns with one panel of weights, if the strip does not stay in the second-level cache
STRIP_VECTORS = 32  # of gates per row: with the rows of a tile they stay in the first-level cache


class ForwardPlan:
    """Where everything of a forward pass lies, and the program of its walk.

    Parameters
    ----------
    sizes : Sizes
    packing : rnnbench.kernels.packing.Packing
    keep : bool
        Whether a tape is kept for BPTT.
    feed : tuple of str
        States that are overridden.
    ahead : bool
        Whether the products with x are made for all steps at once, before the walk.

    Attributes
    ----------
    made, read : dicts of Lane
        By vector: what was made, and what later steps read in its place (they differ where a state is fed).
    work : list of lists of Lane
        By stage: values saved for BPTT, which da and dp replace.
    starts, ends : dicts
        By state: where its lanes begin, with their padding and without it; where its last value lies, if no row ends
        early and if it is read one step later only.
    bands : set of int
        Rows of the bands of the stages.
    backward : rnnbench.kernels.backward_plan.BackwardPlan or None
        Made when it is first needed.
    program : Program
        Tables of :func:`rnnbench.kernels.walk.forward`, then those of :func:`rnnbench.kernels.flat.products`.
    """

    def __init__(self, sizes, packing, keep, feed, ahead):
        self.sizes, self.packing, self.feed, self.arena = sizes, packing, feed, Arena("arena")
        self._lanes(keep)
        stages, groups, sources, operands = Table(9), Table(12), Table(8), Table(7)
        lines, flat_sources = Table(13), Table(8)
        self.stages, self.groups, self.sources, self.operands = stages, groups, sources, operands
        self.lines, self.flat_sources = lines, flat_sources
        for number in range(len(sizes.layout.cell.stages)):
            self._stage(number, keep, ahead)
        most = max(row * rows for row, rows in zip(stages.values[7::9], stages.values[8::9], strict=True))
        self.bands = set(stages.values[8::9])
        self.scratch = 32 * len(operands) + 24 * len(sources) + 64 + most
        tables = [stages, groups, sources, operands, self._outputs(), self._feeds(), lines, flat_sources]
        self.program = Program((sizes.header(), tables), replicas=sizes.replicas)
        self.ahead = len(lines) > 0
        self.backward = None

    def _lanes(self, keep):
        """Buffers for every vector (all steps, or as many as are read again) and for what BPTT needs besides."""
        sizes, layout, self.made, self.work = self.sizes, self.sizes.layout, {}, []
        for name, lag in layout.lags.items():
            ring = sizes.steps + lag if keep or self.feed else lag + 1
            self.made[name] = Lane(sizes, self.arena, layout.widths[name], max(ring, 1), lag)
        self.read = dict(self.made)
        for name in self.feed:
            lag = layout.lags[name]
            self.read[name] = Lane(sizes, self.arena, layout.widths[name], sizes.steps + lag, lag)
        self.starts, self.ends = {}, {}
        for name in layout.states:
            made, width = self.made[name], layout.widths[name]
            lanes = [made, self.read[name]] if name in self.feed else [made]
            self.starts[name] = [[lane.place(0, lane.lag, w) for lane in lanes] for w in (made.shape[3], width)]
            if made.lag == 1:
                self.ends[name] = self.read[name].place(sizes.steps % self.read[name].ring, 1, width)
        for kept, width in zip(layout.kept, layout.stage_widths, strict=True):
            count = kept if keep else 0
            self.work.append([Lane(sizes, self.arena, width, max(sizes.steps, 1)) for _ in range(count)])

    def _stage(self, number, keep, ahead):
        sizes, layout, lane_bytes = self.sizes, self.sizes.layout, self.sizes.lane_bytes
        stage, width = layout.cell.stages[number], layout.stage_widths[number]
        vectors, total = sizes.vectors(width), len(stage.gates)
        depth = sum(layout.widths[parse(s)[0]] for g in stage.gates for s in g.sources)
        strip = max(2, min(vectors, STRIP_VECTORS // max(total, 1), L2_BYTES // max(depth * lane_bytes, 1)) // 2 * 2)
        tiles = TILES if strip * depth * lane_bytes > L2_BYTES else 1
        first_group, first_operand, column, place = len(self.groups), len(self.operands), 0, {}
        for names_sources, gates in groups_of(stage):
            self._group(names_sources, gates, vectors, column * lane_bytes, ahead)
            for i, gate in enumerate(gates):
                place[gate.name] = (column + i, len(gates))
            column += len(gates) * strip
        scratch_row = column * lane_bytes
        for gate in stage.gates:
            start, apart = place[gate.name]
            self.operands.add(start * lane_bytes, 1, 0, 0, scratch_row, apart * lane_bytes, 1)
        for source in stage.reads:
            self.operands.add(*source_line(sizes, source, self.lanes), lane_bytes, 0)
        for name in stage.parameters:
            self.operands.add(*constant_line(self.packing.parameters[name]), lane_bytes, 0)
        saved = self.work[number][: layout.saved[number]] if keep else []
        for lane in [self.made[v] for v in stage.makes] + saved:
            self.operands.add(*lane.line(), lane_bytes, 0)
        direction = pointwise.FORWARD if keep else pointwise.INFER
        self.stages.add(
            pointwise.compiled(stage, sizes.engine.dtype, direction).address, vectors, first_group, len(self.groups),
            first_operand, len(self.operands), strip, scratch_row, sizes.engine.most * tiles,
        )  # fmt: skip

    def _group(self, names, gates, vectors, offset, ahead):
        """Gates with the same sources: one product per source; that with x may be made ahead, or not at all."""
        sizes, widths = self.sizes, self.sizes.layout.widths
        panels, bias, per_panel = self.packing.groups[tuple(g.name for g in gates)]
        first_source, k, init, symbols = len(self.sources), 0, constant_line(bias), (0, 0, 0)
        for source in names:
            width = widths[parse(source)[0]]
            if source == INPUT and sizes.symbols:
                symbols = Ref("x", 0, sizes.steps * sizes.rows * NUMBER), panels, per_panel
                k += width
                continue
            now = ahead and source == INPUT
            table = self.flat_sources if now else self.sources
            table.add(*source_line(sizes, source, self.lanes), width, panels + k * 2 * sizes.lane_bytes, per_panel)
            k += width
            if now:
                lane = Lane(sizes, self.arena, vectors * len(gates) * sizes.lanes, sizes.steps)
                last = len(self.flat_sources)
                self.lines.add(last - 1, last, vectors * len(gates), *lane.line(), *init)
                init = lane.line()
        self.groups.add(first_source, len(self.sources), len(gates), offset, *init, *symbols)

    def _outputs(self):
        sizes, name, table = self.sizes, self.sizes.layout.cell.output, Table(11)
        width, size = sizes.layout.widths[name], sizes.dtype.itemsize
        y = array_line("y", (sizes.replicas, sizes.steps, sizes.rows, width), size)
        table.add(*y, *self.made[name].line(), width * size)
        return table

    def _feeds(self):
        table = Table(13)
        for name in self.feed:
            made, read = self.made[name], self.read[name]
            table.add(*read.line(), *made.line(), made.per_row, Ref(f"mask {name}"), self.sizes.rows)
        return table

    @property
    def lanes(self):
        """What :func:`rnnbench.kernels.plan.source_line` asks."""
        return {"made": self.made, "read": self.read}
