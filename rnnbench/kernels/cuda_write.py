"""The text of a cell's two CUDA kernels, written from its contract.

A block of threads owns some batch rows of one replica and walks all steps with them; nothing is shared between blocks.
A thread owns a unit, for `Geometry.rows` batch rows. What differs from cell to cell is how many gates, reads, sources
and lanes there are: those loops are written out here, so that sums stay in registers and the cell's functions get
their tuples. Sizes and addresses are read from `table`, in the order of :attr:`Kernel.names`.

``print(cuda_write.forward(layout, Geometry(), 4).text)`` shows what becomes of a cell.
"""

from __future__ import annotations

from contextlib import contextmanager

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_text as text
from rnnbench.kernels import cuda_units
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
            cuda_units.end_of_step(kernel, layout, lambda: _units(kernel))
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

        @contextmanager
        def units():
            with kernel.block(f"for r in range({geometry.rows}):"):
                kernel.add(f"row = group * {geometry.rows} + r")
                with kernel.block("if inside and row < running:"):
                    yield [f"values[{g * geometry.rows} + r]" for g in gates]

        cuda_units.forward(kernel, layout, number, units)
    kernel.add("cuda.syncthreads()")


def _backward_stage(kernel, layout, number, geometry, depth):
    """The cell's function gives da, which then goes back through the products."""
    stage, lanes = layout.cell.stages[number], work_lanes(layout, number)
    kernel.add(f"# stage {number}", f"width = {kernel.entry(f'width {stage.makes[0]}')}")
    cuda_units.backward(kernel, layout, number, lambda: _units(kernel))
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


@contextmanager
def _units(kernel):
    """Open the loops over the units and rows of a block."""
    with kernel.block("for start in range(0, width, lanes):"):
        kernel.add("unit = start + lane")
        with kernel.block("for row in range(group, running, groups):"), kernel.block("if unit < width:"):
            yield
