"""The text of a cell's two CUDA kernels, written from its contract.

A block of threads owns some batch rows of one replica and walks all steps with them; nothing is shared between blocks.
A thread owns a unit, for `Geometry.rows` batch rows. What differs from cell to cell is how many gates, reads, sources
and lanes there are: those loops are written out here, so that sums stay in registers and the cell's functions get
their tuples. Sizes and addresses are read from `table`, in the order of :attr:`Kernel.names`.

``print(cuda_write.forward(layout, Geometry(), 4).text)`` shows what becomes of a cell.
"""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_text as text
from rnnbench.kernels.cuda_text import Geometry, Kernel, inner_depth, sources_of, work_lanes


def forward(layout, geometry: Geometry, item_bytes: int) -> Kernel:
    """Write the forward kernel: y, the lanes of all vectors and, with `keep`, what the stages save."""
    cell = layout.cell
    kernel = Kernel(
        "forward",
        ("table", "active", "masks", "weights", "x", "arena", "y"),
        {f"stage{n}": stage.forward for n, stage in enumerate(cell.stages)},
    )
    most = max((len(gates) for stage in cell.stages for gates in sources_of(stage).values()), default=1)
    depth = inner_depth(geometry, most, item_bytes)
    text.open_kernel(kernel, geometry, depth, most)
    with kernel.block("for t in range(steps):"):
        kernel.add("running = min(active[t] - first, height)")
        with kernel.block("if running <= 0:"):
            kernel.add("break")
        for number in range(len(cell.stages)):
            _forward_stage(kernel, layout, number, geometry, depth)
    return kernel


def backward(layout, geometry: Geometry, item_bytes: int) -> Kernel:
    """Write the backward kernel: da and dp in place of what was saved, and the gradient by the initial states."""
    cell = layout.cell
    kernel = Kernel(
        "backward",
        ("table", "active", "masks", "weights", "arena", "flow", "dy"),
        {f"stage{n}": stage.backward for n, stage in enumerate(cell.stages)},
    )
    depth = inner_depth(geometry, 1, item_bytes)
    text.open_kernel(kernel, geometry, depth, 1)
    with kernel.block("for back in range(steps):"):
        kernel.add("t = steps - 1 - back", "running = min(active[t] - first, height)")
        with kernel.block("if running > 0:"):
            for number in reversed(range(len(cell.stages))):
                _backward_stage(kernel, layout, number, geometry, depth)
            _end_of_step(kernel, layout)
    return kernel


def _forward_stage(kernel, layout, number, geometry, depth):
    stage = layout.cell.stages[number]
    gates, heights = range(len(stage.gates)), range(geometry.rows)
    kernel.add(f"# stage {number}", f"width = {kernel.entry(f'width {stage.makes[0]}')}")
    with kernel.block("for start in range(0, width, lanes):"):
        kernel.add("unit = start + lane", "inside = unit < width")
        for g in gates:
            bias = "zero"
            if stage.gates[g].bias:
                kernel.add("bias = zero")
                with kernel.block("if inside:"):
                    entry = kernel.entry(f"bias {stage.gates[g].name}")
                    kernel.add(f"bias = weights[{entry} + replica * width + unit]")
                bias = "bias"
            kernel.add(*(f"a{g}_{r} = {bias}" for r in heights))
        for source, users in sources_of(stage).items():
            array = "x" if source == INPUT else "arena"
            blocks = [f"weight {stage.gates[g].name} {source}" for g in users]
            size = kernel.entry(f"width {parse(source)[0]}")
            kernel.add(f"size, at = {size}, {text.source_address(kernel, layout, source)}")
            starts = [f"{kernel.entry(block)} + replica * size * width" for block in blocks]
            sums = [[f"a{g}_{r}" for r in heights] for g in users]
            text.product(kernel, geometry, depth, array, "at", "size", starts, "width", sums)
        kernel.add(f"values = cuda.local.array({max(len(gates) * geometry.rows, 1)}, number_type)")
        kernel.add(*(f"values[{g * geometry.rows + r}] = a{g}_{r}" for g in gates for r in heights))
        _forward_units(kernel, layout, number, geometry)
    kernel.add("cuda.syncthreads()")


def _forward_units(kernel, layout, number, geometry):
    """The cell's function for the thread's unit and each of its rows, and where its results go."""
    stage, output = layout.cell.stages[number], layout.cell.output
    kernel.add(*(f"read{i} = {text.source_address(kernel, layout, source)}" for i, source in enumerate(stage.reads)))
    for i, name in enumerate(stage.makes):
        kernel.add(f"made{i} = {text.lane_address(kernel, layout, 'made', name, 0)}")
        if layout.lags[name]:
            kernel.add(
                f"kept{i} = {text.lane_address(kernel, layout, 'read', name, 0)}",
                f"feed{i} = {kernel.entry(f'feed {name}')}",
            )
    saved, lanes = layout.saved[number], work_lanes(layout, number)
    if saved:
        kernel.add(f"work = {text.work_address(kernel, layout, number, 'width')}")
    with kernel.block(f"for r in range({geometry.rows}):"):
        kernel.add(f"row = group * {geometry.rows} + r")
        with kernel.block("if inside and row < running:"):
            kernel.add("place = row * width + unit")
            a = text.tuple_of(f"values[{g * geometry.rows} + r]" for g in range(len(stage.gates)))
            reads = text.tuple_of(f"arena[read{i} + place]" for i in range(len(stage.reads)))
            kernel.add(f"makes, saved = stage{number}({a}, {reads}, {text.parameters(kernel, stage)})")
            for i, name in enumerate(stage.makes):
                kernel.add(f"arena[made{i} + place] = makes[{i}]")
                if name == output:
                    kernel.add(f"y[((replica * steps + t) * rows + first) * width + place] = makes[{i}]")
                if layout.lags[name]:  # a fed state has a lane of its own to be read from: what was fed stays there
                    with kernel.block(f"if feed{i} >= 0:"):
                        kernel.add(f"next_step = feed{i} + (t + 1) * rows + first + row")
                        with kernel.block("if t + 1 == steps or masks[next_step] == 0:"):
                            kernel.add(f"arena[kept{i} + place] = makes[{i}]")
            if saved:
                with kernel.block(f"if {kernel.entry('keep')} != 0:"):
                    kernel.add(f"into = work + row * {lanes} * width + unit")
                    kernel.add(*(f"arena[into + {j} * width] = saved[{j}]" for j in range(saved)))


def _backward_stage(kernel, layout, number, geometry, depth):
    """The cell's function gives da, which then goes back through the products."""
    stage, lanes = layout.cell.stages[number], work_lanes(layout, number)
    kernel.add(f"# stage {number}", f"width = {kernel.entry(f'width {stage.makes[0]}')}")
    kernel.add(f"work = {text.work_address(kernel, layout, number, 'width')}")
    _backward_units(kernel, layout, number)
    kernel.add("cuda.syncthreads()")  # who brings da to the tiles is load_rows' own affair
    for source, users in sources_of(stage).items():
        name, lag = parse(source)
        if name == INPUT or not layout.cell.vector(name).differentiable:
            continue
        kernel.add(
            f"columns, into = {kernel.entry(f'width {name}')}, {text.lane_address(kernel, layout, 'flow', name, lag)}"
        )
        with kernel.block("for start in range(0, columns, lanes):"):
            kernel.add("unit = start + lane")
            sums = [f"d{r}" for r in range(geometry.rows)]
            kernel.add(*(f"{name} = zero" for name in sums))
            blocks = [kernel.numbered(f"weight {stage.gates[g].name} {source}") for g in users]
            gates = [kernel.constant(g) for g in users]
            with kernel.block(f"for gate in range({len(users)}):"):
                start = f"table[{blocks[0]} + gate] + replica * columns * width"
                kernel.add(f"at = work + table[{gates[0]} + gate] * width")
                text.product(
                    kernel, geometry, depth, "arena", "at", f"{lanes} * width", [start], "columns", [sums], "width"
                )
            with kernel.block("if unit < columns:"):
                for r, total in enumerate(sums):
                    kernel.add(f"row = group * {geometry.rows} + {r}")
                    with kernel.block("if row < running:"):
                        kernel.add(f"flow[into + row * columns + unit] += {total}")
        kernel.add("cuda.syncthreads()")


def _backward_units(kernel, layout, number):
    cell, stage, lanes = layout.cell, layout.cell.stages[number], work_lanes(layout, number)
    smooth = cell.differentiable
    for i, name in enumerate(stage.makes):
        kernel.add(f"made{i} = {text.lane_address(kernel, layout, 'made', name, 0)}")
        if smooth[name]:
            kernel.add(f"flow{i} = {text.lane_address(kernel, layout, 'flow', name, 0)}")
    through = [i for i, source in enumerate(stage.reads) if smooth[parse(source)[0]]]
    for i, source in enumerate(stage.reads):
        kernel.add(f"read{i} = {text.source_address(kernel, layout, source)}")
        if i in through:
            kernel.add(f"back{i} = {text.lane_address(kernel, layout, 'flow', *parse(source))}")
    with kernel.block("for start in range(0, width, lanes):"):
        kernel.add("unit = start + lane")
        with kernel.block("for row in range(group, running, groups):"), kernel.block("if unit < width:"):
            kernel.add("place, kept = row * width + unit, work + row * " + f"{lanes} * width + unit")
            for i, name in enumerate(stage.makes):
                value = f"flow[flow{i} + place]" if smooth[name] else "zero"
                if name == cell.output and smooth[name]:
                    value += " + dy[((replica * steps + t) * rows + first) * width + place]"
                kernel.add(f"dmake{i} = {value}")
                if smooth[name]:
                    kernel.add(f"flow[flow{i} + place] = zero")
            made = text.tuple_of(f"arena[made{i} + place]" for i in range(len(stage.makes)))
            reads = text.tuple_of(f"arena[read{i} + place]" for i in range(len(stage.reads)))
            saved = text.tuple_of(f"arena[kept + {j} * width]" for j in range(layout.saved[number]))
            dmakes = text.tuple_of(f"dmake{i}" for i in range(len(stage.makes)))
            given = ", ".join([dmakes, reads, made, saved, text.parameters(kernel, stage)])
            kernel.add(f"da, dreads, dp = stage{number}({given})")
            gates = len(stage.gates)
            kernel.add(*(f"arena[kept + {g} * width] = da[{g}]" for g in range(gates)))
            kernel.add(*(f"arena[kept + {gates + j} * width] = dp[{j}]" for j in range(len(stage.parameters))))
            kernel.add(*(f"flow[back{i} + place] += dreads[{i}]" for i in through))


def _end_of_step(kernel, layout):
    """No gradient reaches what was replaced by a fed value, nor any step before a cut.

    A thread clears what it alone reads in the step before, so that no barrier is needed.
    """
    states = [n for n in layout.states if layout.cell.vector(n).differentiable]
    kernel.add(f"gone, truncate = {kernel.entry('before')} + t, {kernel.entry('truncate')}")
    kernel.add("cut = truncate > 0 and gone > 0 and gone % max(truncate, 1) == 0")
    for name in states:
        kernel.add(f"feed, width = {kernel.entry(f'feed {name}')}, {kernel.entry(f'width {name}')}")
        with kernel.block("if cut or feed >= 0:"):
            for lag in range(1, layout.lags[name] + 1):
                fed = "feed >= 0 and masks[feed + t * rows + first + row] != 0" if lag == 1 else "False"
                kernel.add(f"at = {text.lane_address(kernel, layout, 'flow', name, lag)}")
                with kernel.block("for row in range(group, running, groups):"):
                    kernel.add(f"drop = cut or ({fed})")
                    with kernel.block("if drop:"), kernel.block("for unit in range(lane, width, lanes):"):
                        kernel.add("flow[at + row * width + unit] = zero")
