"""The text of a cell's two persistent kernels: weights stay on the chip, the grid waits where a vector must be whole.

Block (slice, rows, replica) owns a slice of the units of every vector, for a share of the batch rows, through all
steps. The weights of its units lie in its shared memory all the time: forward those rows of W that make its units,
backward those columns of W that lead to them, so that no two blocks ever add to the same number. What a thread reads
and writes unit by unit is its own; only products read what other blocks made, after a barrier of the whole grid.
"""

from __future__ import annotations

from contextlib import contextmanager

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_text as text
from rnnbench.kernels import cuda_units
from rnnbench.kernels.cuda_barriers import Due, forward_barriers, products_back
from rnnbench.kernels.cuda_resident import Geometry, add_parts, load_weights, own, product, share_parts
from rnnbench.kernels.cuda_text import Kernel, sources_of, work_lanes


def forward(layout, geometry: Geometry, item_bytes: int) -> Kernel:
    """Write the forward kernel: y, the lanes of all vectors and, with `keep`, what the stages save."""
    cell = layout.cell
    kernel = Kernel(
        "persistent_forward",
        ("table", "active", "masks", "weights", "ahead", "arena", "y"),
        {f"stage{n}": stage.forward for n, stage in enumerate(cell.stages)},
        precision=geometry.precision,
    )
    _open(kernel, geometry)
    for stage, width in zip(cell.stages, _widths(kernel, layout), strict=True):
        for source, users in _recurrent(stage).items():
            size = kernel.entry(f"width {parse(source)[0]}")
            load_weights(kernel, [(stage.gates[g].name, source) for g in users], size, width)
    barriers = forward_barriers(layout)
    with kernel.block("for t in range(steps):"):
        with kernel.block("if active[t] == 0:"):  # the same for all blocks: none may wait for one that has left
            kernel.add("break")
        kernel.add("end = min(begin + share, active[t])")
        for number in range(len(cell.stages)):
            if number in barriers:
                kernel.add("cuda.cg.this_grid().sync()")
            _forward_stage(kernel, layout, number, geometry)
    return kernel


def backward(layout, geometry: Geometry, item_bytes: int) -> Kernel:
    """Write the backward kernel: da and dp in place of what was saved, and the gradient by the initial states."""
    cell = layout.cell
    kernel = Kernel(
        "persistent_backward",
        ("table", "active", "masks", "weights", "arena", "flow", "dy"),
        {f"stage{n}": stage.backward for n, stage in enumerate(cell.stages)},
        precision=geometry.precision,
    )
    _open(kernel, geometry)
    for number, (stage, width) in enumerate(zip(cell.stages, _widths(kernel, layout), strict=True)):
        for source, users in products_back(layout, number).items():
            columns = kernel.entry(f"width {parse(source)[0]}")
            load_weights(kernel, [(stage.gates[g].name, source) for g in users], width, columns)
    with kernel.block("for back in range(steps):"):
        kernel.add("t = steps - 1 - back")
        with kernel.block("if active[t] > 0:"):
            kernel.add("end = min(begin + share, active[t])")
            due = Due(layout)
            for number in reversed(range(len(cell.stages))):
                _products(kernel, layout, due.before(number), geometry)
                own(kernel, kernel.entry(f"width {cell.stages[number].makes[0]}"))
                with _row_tiles(kernel):
                    cuda_units.backward(kernel, layout, number, lambda: _units(kernel))
                due.add(number)
            _products(kernel, layout, due.rest(), geometry)
            with _row_tiles(kernel):
                cuda_units.end_of_step(kernel, layout, lambda: _own_units(kernel))
    return kernel


def _open(kernel, geometry):
    """Who the thread is, and what its block owns."""
    kernel.add(
        "shared = cuda.shared.array(0, number_type)  # weights, a tile of rows, parts of sums",
        "lane, part = np.int64(cuda.threadIdx.x), np.int64(cuda.threadIdx.y)",
        "group, lanes = np.int64(cuda.threadIdx.z), np.int64(cuda.blockDim.x)",
        "groups = np.int64(cuda.blockDim.z)",
        f"height = groups * {geometry.rows}",
        f"turn, turns = part + {geometry.parts} * group, {geometry.parts} * groups",
        "piece, slices = np.int64(cuda.blockIdx.x), np.int64(cuda.gridDim.x)",
        "replica = np.int64(cuda.blockIdx.z)",
        f"steps, rows = {kernel.entry('steps')}, {kernel.entry('rows')}",
        f"share, depth, pitch = {kernel.entry('share')}, {kernel.entry('depth')}, {kernel.entry('pitch')}",
        f"tile, parts = {kernel.entry('tile')}, {kernel.entry('parts')}  # where they start in shared memory",
        "begin = np.int64(cuda.blockIdx.y) * share",
        "zero = number(0)",
    )
    if geometry.precision != "ieee":
        kernel.add(
            "thread = lane + lanes * turn",
            "warp, quad, spot = thread // 32, thread % 32 // 4, thread % 4",
        )


def _widths(kernel, layout):
    return [kernel.entry(f"width {stage.makes[0]}") for stage in layout.cell.stages]


def _recurrent(stage):
    return {source: users for source, users in sources_of(stage).items() if source != INPUT}


@contextmanager
def _row_tiles(kernel):
    with kernel.block("for first in range(begin, end, height):"):
        kernel.add("running = min(end - first, height)")
        yield


@contextmanager
def _units(kernel):
    """Open the loop over the thread's rows, of its one unit; always the same thread for the same number."""
    with kernel.block("for row in range(turn, running, turns):"), kernel.block("if inside:"):
        yield


@contextmanager
def _own_units(kernel):
    """The same of a vector whose width is known only now."""
    own(kernel, "width")
    with _units(kernel):
        yield


def _forward_stage(kernel, layout, number, geometry):
    stage = layout.cell.stages[number]
    recurrent, heights = _recurrent(stage), range(geometry.rows)
    shared = sorted({g for users in recurrent.values() for g in users})
    kernel.add(f"# stage {number}")
    own(kernel, kernel.entry(f"width {stage.makes[0]}"))
    with _row_tiles(kernel):
        sums = {g: [f"a{g}_{r}" for r in heights] for g in shared}
        kernel.add(*(f"{name} = zero" for names in sums.values() for name in names))
        for source, users in recurrent.items():
            size = kernel.entry(f"width {parse(source)[0]}")
            kernel.add(f"size, at = {size}, {text.source_address(kernel, layout, source)}")
            residents = [kernel.entry(f"resident {stage.gates[g].name} {source}") for g in users]
            product(kernel, geometry, "arena", "size", residents, [sums[g] for g in users])
        if shared:
            share_parts(kernel, geometry, list(sums.values()))

        @contextmanager
        def units():
            with _units(kernel):
                for g, gate in enumerate(stage.gates):
                    kernel.add(f"a{g} = zero")
                    if gate.bias:
                        kernel.add(f"a{g} = weights[{kernel.entry(f'bias {gate.name}')} + replica * width + unit]")
                    if INPUT in gate.sources:
                        at = "((replica * steps + t) * rows + first + row) * width + unit"
                        kernel.add(f"a{g} = a{g} + ahead[{kernel.entry(f'ahead {gate.name}')} + {at}]")
                    if g in sums:
                        add_parts(kernel, geometry, len(shared), shared.index(g), f"a{g}")
                yield [f"a{g}" for g in range(len(stage.gates))]

        cuda_units.forward(kernel, layout, number, units)


def _products(kernel, layout, stages, geometry):
    """Once every block has made its da of these stages: back through the products, to the units of the slice."""
    if not stages:
        return
    kernel.add("cuda.cg.this_grid().sync()")
    for number in stages:
        stage, lanes = layout.cell.stages[number], work_lanes(layout, number)
        size = kernel.entry(f"width {stage.makes[0]}")
        for source, users in products_back(layout, number).items():
            name, lag = parse(source)
            own(kernel, kernel.entry(f"width {name}"))
            kernel.add(f"size = {size}")
            sums = [f"d{r}" for r in range(geometry.rows)]
            with _row_tiles(kernel):
                kernel.add(
                    f"work = {text.work_address(kernel, layout, number, 'size')}",
                    f"into = {text.lane_address(kernel, layout, 'flow', name, lag)}",
                    *(f"{total} = zero" for total in sums),
                )
                gates = [kernel.constant(g) for g in users]
                residents = [kernel.numbered(f"resident {stage.gates[g].name} {source}") for g in users]
                with kernel.block(f"for gate in range({len(users)}):"):
                    kernel.add(
                        f"at = work + table[{gates[0]} + gate] * size",
                        f"resident = table[{residents[0]} + gate]",
                    )
                    product(kernel, geometry, "arena", f"{lanes} * size", ["resident"], [sums])
                share_parts(kernel, geometry, [sums])
                with _units(kernel):
                    kernel.add("total = zero")
                    add_parts(kernel, geometry, 1, 0, "total")
                    kernel.add("flow[into + row * width + unit] += total")
