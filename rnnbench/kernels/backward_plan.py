"""The plan of back-propagation: which gradients feed which stage, where da, dreads and dp go, what follows the walk."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import memory, pointwise, tile
from rnnbench.kernels.gradients import NARROW
from rnnbench.kernels.plan import Lane, array_line, constant_line, groups_of, readers, source_line
from rnnbench.kernels.program import Arena, Program, Ref, Table
from rnnbench.kernels.symbols import NUMBER, strip_width


class BackwardPlan:
    """Where everything of a backward pass lies, and its programs.

    Parameters
    ----------
    forward : rnnbench.kernels.forward_plan.ForwardPlan
        With a tape.
    apart : dict of int
        Bytes from replica to replica of each gradient.
    chunk : int
        Steps of one sum of the weight gradients.

    Attributes
    ----------
    flow : dict of Lane
        A gradient per differentiable vector: the step at work and as many past ones as the vector is carried.
    final : dict of Lane
        The gradient by the final value of each such state.
    initial : dict of Place
        By state: where the walk leaves the gradient by its initial value.
    program : Program
        With a section for each of the functions that follow.
    sections : dict of int
        Numbers of the sections there are: ``"walk"`` of :func:`rnnbench.kernels.walk.backward`, ``"dx"`` of
        :func:`rnnbench.kernels.flat.products`, from ``"weights"`` on those of
        :func:`rnnbench.kernels.gradients.weights` (one per set of gates with the same sources), ``"columns"`` of
        :func:`rnnbench.kernels.gradients.columns_sum`, ``"symbols"`` of :func:`rnnbench.kernels.symbols.gradients`.
    zeros : array
        What dx starts from.
    scratch : int
        Bytes that the walk works in.
    weights : list of (width, panels)
        Of each section of weights.
    columns : list of (first, stop, width)
        Of each trained unit parameter: its lines of that section, one for each stage that uses it.
    da_bytes : int
        Of one step.
    """

    def __init__(self, forward, apart, chunk):
        self.apart = apart
        self.forward, self.packing, self.sizes, self.arena = forward, forward.packing, forward.sizes, Arena("flow")
        sizes, layout = self.sizes, self.sizes.layout
        self.flow, self.final, self.initial = {}, {}, {}
        for name, lag in layout.lags.items():
            if layout.cell.differentiable[name]:
                self.flow[name] = Lane(sizes, self.arena, layout.widths[name], lag + 1, lag)
                if lag:
                    self.final[name] = Lane(sizes, self.arena, layout.widths[name], lag, lag)
                    self.initial[name] = self.flow[name].place(0, lag, layout.widths[name])
        self.zeros = memory.zeros(sizes.vectors(layout.input_size) * sizes.lanes, sizes.dtype)
        self.nothing = Ref("flow", self.arena.place(sizes.lane_bytes))
        self.sink = Ref("flow", self.arena.place(sizes.lane_bytes))
        self.stages, self.operands, self.products, self.sources = Table(6), Table(6), Table(8), Table(8)
        for number in range(len(layout.cell.stages)):
            self._stage(number)
        tables = [
            self.stages, self.operands, self.products, self.sources, self._slots(), self._dy(), self._states(),
            self._feeds(),
        ]  # fmt: skip
        self.scratch = 24 * (len(self.operands) + len(self.sources)) + 64
        self.chunk = chunk
        self.da_bytes = sum(
            lane.per_step
            for stage, lanes in zip(layout.cell.stages, forward.work, strict=True)
            for lane in lanes[: len(stage.gates)]
        )
        self.weights, self.columns, self.sections, sections = [], [], {"walk": 0}, [tables]
        dx, columns, of_parameter = None if sizes.symbols else self._input_tables(), Table(6), {}
        if dx:
            self.sections["dx"] = len(sections)
            sections.append(dx)
        self.sections["weights"] = len(sections)
        for number, (stage, width) in enumerate(zip(layout.cell.stages, layout.stage_widths, strict=True)):
            work = forward.work[number]
            lanes = dict(zip((g.name for g in stage.gates), work, strict=False))
            for sources, gates in groups_of(stage):
                tables = self._weight_tables(sources, gates, lanes)
                sections.append(tables)
                self.weights.append((width, len(tables[1])))
            for name, lane in zip(layout.trained_parameters[number], work[len(stage.gates) :], strict=False):
                of_parameter.setdefault(name, []).append(lane)
        for name, several in of_parameter.items():  # those of one parameter follow one another
            self.columns.append((len(columns), len(columns) + len(several), layout.parameter_widths[name]))
            for lane in several:
                columns.add(*lane.line(), Ref(f"d {name}", 0, apart[name]))
        if self.columns:
            self.sections["columns"] = len(sections)
            sections.append([columns])
        if sizes.symbols:
            self.sections["symbols"] = len(sections)
            sections.append(self._symbol_tables())
        self.program = Program(*((sizes.header(chunk), tables) for tables in sections), replicas=sizes.replicas)

    def _stage(self, number):
        sizes, layout, forward = self.sizes, self.sizes.layout, self.forward
        stage, width, work = layout.cell.stages[number], layout.stage_widths[number], forward.work[number]
        first_operand, first_product, gates = len(self.operands), len(self.products), len(stage.gates)
        for name in stage.makes:
            self._gradient(name, 0, self.nothing)
        self._values(source_line(sizes, s, forward.lanes) for s in stage.reads)
        self._values(forward.made[name].line() for name in stage.makes)
        self._values(lane.line() for lane in work[: layout.saved[number]])
        self._values(constant_line(self.packing.parameters[p]) for p in stage.parameters)
        self._values(lane.line() for lane in work[:gates])
        for source in stage.reads:
            self._gradient(*parse(source), self.sink)
        given = dict(zip(layout.trained_parameters[number], work[gates:], strict=False))
        for name in stage.parameters:  # what has no gradient is written to one vector again and again
            if name in given:
                self.operands.add(*given[name].line(), sizes.lane_bytes)
            else:
                self.operands.add(*constant_line(self.sink), 0)
        for source, reading in readers(stage).items():
            name, lag = parse(source)
            if name in self.flow:
                first_source = len(self.sources)
                self._da(self.sources, number, source, reading)
                vectors = sizes.vectors(layout.widths[name])
                self.products.add(*self.flow[name].line(lag), first_source, len(self.sources), vectors)
        self.stages.add(
            pointwise.compiled(stage, sizes.engine.dtype, pointwise.BACKWARD).address, sizes.vectors(width),
            first_operand, len(self.operands), first_product, len(self.products),
        )  # fmt: skip

    def _values(self, lines):
        for line in lines:
            self.operands.add(*line, self.sizes.lane_bytes)

    def _gradient(self, name, lag, instead):
        """The gradient of a vector, or one constant vector in its place if none flows there."""
        if name in self.flow:
            self.operands.add(*self.flow[name].line(lag), self.sizes.lane_bytes)
        else:
            self.operands.add(*constant_line(instead), 0)

    def _da(self, table, number, source, gates):
        """Lines of the product of some gates' da with packed weights: one source per gate."""
        stage, width = self.sizes.layout.cell.stages[number], self.sizes.layout.stage_widths[number]
        names = [g.name for g in stage.gates]
        panels, per_panel = self.packing.panels[number, source]
        for i, gate in enumerate(gates):
            lane = self.forward.work[number][names.index(gate.name)]
            first = panels + i * width * tile.PANEL * self.sizes.lane_bytes
            table.add(*lane.line(), width, first, per_panel)

    def _slots(self):
        table = Table(7)
        for name, lane in self.flow.items():
            table.add(*lane.line(), lane.per_row, name == self.sizes.layout.cell.output)
        return table

    def _dy(self):
        sizes, table = self.sizes, Table(6)
        width = sizes.layout.widths[sizes.layout.cell.output]
        shape = (sizes.replicas, sizes.steps, sizes.rows, width)
        table.add(*array_line("dy", shape, sizes.dtype.itemsize), width)
        return table

    def _states(self):
        table = Table(10)
        for name, end in self.final.items():
            given = Ref(self.arena.root, end.start, end.replica)
            table.add(
                *self.flow[name].line(), given, end.per_step, end.per_row, self.sizes.layout.widths[name], end.lag
            )
        return table

    def _feeds(self):
        table = Table(8)
        for name in self.forward.feed:
            if name in self.flow:
                lane = self.flow[name]
                table.add(*lane.line(), lane.per_row, Ref(f"mask {name}"), self.sizes.rows)
        return table

    def _input_tables(self):
        sizes, layout = self.sizes, self.sizes.layout
        lines, sources = Table(13), Table(8)
        shape = (sizes.replicas, sizes.steps, sizes.rows, sizes.vectors(layout.input_size) * sizes.lanes)
        target = array_line("dx", shape, sizes.dtype.itemsize)
        start = constant_line(memory.address(self.zeros))
        for number, stage in enumerate(layout.cell.stages):
            if gates := readers(stage).get(INPUT, []):
                first = len(sources)
                self._da(sources, number, INPUT, gates)
                lines.add(first, len(sources), sizes.vectors(layout.input_size), *target, *start)
                start = target
        if not len(lines) or not layout.input_size:
            return None
        return [lines, sources]

    def _weight_tables(self, sources, gates, lanes):
        sizes, layout, size = self.sizes, self.sizes.layout, self.sizes.dtype.itemsize
        da, panels, targets, narrow, columns_of = Table(6), Table(8), Table(2), Table(6), Table(2)
        narrow.add(*constant_line(memory.address(sizes.engine.one)), 1)
        for gate in gates:
            da.add(*lanes[gate.name].line(), lanes[gate.name].shape[3])
        wide, vectors = 2 * sizes.lanes, lanes[gates[0].name].shape[3] // sizes.lanes
        for gate in gates:
            rows = layout.bias_rows.get(gate.name) if "bias" in self.packing.keys else None
            columns_of.add(Ref("d bias", rows[0] * size, self.apart["bias"]) if rows else 0, size)
            for source in sources[sizes.symbols and INPUT in sources[:1] :]:
                name = parse(source)[0]
                block, width = layout.blocks[gate.name, source], layout.widths[name]
                per_row, line = width * size, source_line(sizes, source, self.forward.lanes)
                start = Ref(f"d {block.key}", block.start * per_row, self.apart[block.key])
                if width <= min(NARROW, 2 * vectors):  # one by one costs more than a tile of few rows
                    columns_of.add(start, per_row)
                    if gate is gates[0]:
                        narrow.add(*line, width)
                    continue
                for first in range(0, width, wide):
                    targets.add(start + first * size, per_row)
                    if gate is gates[0]:
                        panels.add(*line, first, min(wide, width - first), name != INPUT)
        return [da, panels, targets, narrow, columns_of]

    def _symbol_tables(self):
        sizes, layout, size = self.sizes, self.sizes.layout, self.sizes.dtype.itemsize
        given, gates = Table(3), Table(8)
        strip = strip_width(layout.input_size, sizes.lanes, size)
        given.add(Ref("x", 0, sizes.steps * sizes.rows * NUMBER), layout.input_size, strip)
        for stage, width, work in zip(layout.cell.stages, layout.stage_widths, self.forward.work, strict=True):
            for gate, lane in zip(stage.gates, work, strict=False):
                if INPUT in gate.sources:
                    block, per_row = layout.blocks[gate.name, INPUT], layout.input_size * size
                    target = Ref(f"d {block.key}", block.start * per_row, self.apart[block.key])
                    gates.add(*lane.line(), width, target, per_row)
        return [given, gates]
