"""The text of a cell's two persistent kernels: weights stay on the chip, the grid waits where a vector must be whole.

Block (slice, rows, replica) owns a slice of the units of every vector, for a share of the batch rows, through all
steps. The weights of its units lie in its shared memory all the time: forward those rows of W that make its units,
backward those columns of W that lead to them, so that no two blocks ever add to the same number. What a thread reads
and writes unit by unit is its own; only products read what other blocks made, after a barrier of the whole grid.

Threads are (unit of the slice, part of the inner index, group of rows). The parts of a sum are added up in a fixed
order, and how many there are is fixed, so that bits depend on neither batch nor grid.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import cuda_text as text
from rnnbench.kernels import cuda_units
from rnnbench.kernels.cuda_barriers import Due, forward_barriers, products_back
from rnnbench.kernels.cuda_text import Kernel, sources_of, work_lanes


@dataclass(frozen=True)
class Geometry:
    """What is fixed when persistent kernels are compiled, and what a plan may choose from.

    Parameters
    ----------
    rows : int
        Batch rows of a thread.
    parts : int
        Threads that share out the inner index of a product.
    lanes : tuple of int
        How many units a slice may have, the best first.
    threads : int
        The most threads of a block.
    depth : int
        The most of a product's inner index that is brought to shared memory at once.
    precision : str
        Of the products: ``"ieee"`` or one of :data:`rnnbench.kernels.cuda_tensor.PTX`.
    """

    rows: int = 4
    parts: int = 8
    lanes: tuple[int, ...] = (8, 16, 32)
    threads: int = 256
    depth: int = 256
    precision: str = "ieee"

    @property
    def step(self) -> int:
        """How much of the inner index all parts together take at once."""
        return self.parts * (1 if self.precision == "ieee" else 8)


def tensor(precision: str) -> Geometry:
    """Return the geometry for tensor cores: 8 warps, each of them one part, make fragments of 16 rows and 8 units."""
    return Geometry(lanes=(8,), precision=precision)


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
            _load_weights(kernel, [(stage.gates[g].name, source) for g in users], size, width)
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
            _load_weights(kernel, [(stage.gates[g].name, source) for g in users], width, columns)
    with kernel.block("for back in range(steps):"):
        kernel.add("t = steps - 1 - back")
        with kernel.block("if active[t] > 0:"):
            kernel.add("end = min(begin + share, active[t])")
            due = Due(layout)
            for number in reversed(range(len(cell.stages))):
                _products(kernel, layout, due.before(number), geometry)
                _own(kernel, kernel.entry(f"width {cell.stages[number].makes[0]}"))
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


def _own(kernel, width):
    """The thread's unit of a vector of this width."""
    kernel.add(
        f"width = {width}",
        "own = (width + slices - 1) // slices",
        "unit = piece * own + lane",
        "inside = lane < own and unit < width",
    )


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
    _own(kernel, "width")
    with _units(kernel):
        yield


def _load_weights(kernel, blocks, size, width):
    """Bring ``shared[resident + k][lane] = W[k][unit]`` for the slice; the first tile of rows brings the barrier."""
    _own(kernel, width)
    kernel.add(f"size = {size}")
    residents = [kernel.entry(f"resident {gate} {source}") for gate, source in blocks]  # side by side in the table
    for (gate, source), resident in zip(blocks, residents, strict=True):
        kernel.add(
            f"start = {kernel.entry(f'weight {gate} {source}')} + replica * size * width",
            f"into = {resident}",
        )
        with kernel.block("for k in range(turn, size, turns):"):
            kernel.add("value = zero")
            with kernel.block("if inside:"):
                kernel.add("value = weights[start + k * width + unit]")
            kernel.add("shared[into + k * lanes + lane] = value")


def _product(kernel, geometry, array, stride, residents, sums):
    """Add rows of `array` (from `at` on, `size` numbers each) times resident weights to the named sums."""
    fill = "deep" if geometry.precision == "ieee" else "(deep + 7) // 8 * 8"  # whole fragments, with zeros beyond
    with kernel.block("for inner in range(0, size, depth):"):
        kernel.add("deep = min(depth, size - inner)")
        each_k = f"for k in range(lane + lanes * part, {fill}, lanes * {geometry.parts}):"
        with kernel.block("for row in range(group, height, groups):"), kernel.block(each_k):
            kernel.add("value = zero")
            with kernel.block("if row < running and inner + k < size:"):
                kernel.add(f"value = {array}[at + row * {stride} + inner + k]")
            kernel.add("shared[tile + row * pitch + k] = value")
        kernel.add("cuda.syncthreads()")
        inner_product = _inner_product if geometry.precision == "ieee" else _tensor_product
        inner_product(kernel, geometry, residents, sums)
        kernel.add("cuda.syncthreads()")


def _inner_product(kernel, geometry, residents, sums):
    """Row by row, each thread its part of the inner index."""
    with kernel.block(f"for k in range(part, deep, {geometry.parts}):"):
        rows = range(geometry.rows)
        kernel.add(*(f"v{r} = shared[tile + (group * {geometry.rows} + {r}) * pitch + k]" for r in rows))
        for resident, names in zip(residents, sums, strict=True):
            kernel.add(f"w = shared[{resident} + (inner + k) * lanes + lane]")
            kernel.add(*(f"{name} = {name} + v{r} * w" for r, name in enumerate(names)))


def _tensor_product(kernel, geometry, residents, sums):
    """Fragment by fragment, each warp its part of the inner index; see :mod:`rnnbench.kernels.cuda_tensor`."""
    with kernel.block(f"for k in range(8 * warp, deep, {geometry.step}):"):
        kernel.add(
            "low = k + spot",
            "v0, v1 = shared[tile + quad * pitch + low], shared[tile + (quad + 8) * pitch + low]",
            "v2, v3 = shared[tile + quad * pitch + low + 4], shared[tile + (quad + 8) * pitch + low + 4]",
        )
        for resident, names in zip(residents, sums, strict=True):
            for number, low in enumerate(("low", "low + 4")):  # no branch: the threads of a warp multiply together
                kernel.add(f"w{number} = shared[{resident} + min(inner + {low}, size - 1) * lanes + quad]")
                with kernel.block(f"if inner + {low} >= size:"):
                    kernel.add(f"w{number} = zero")
            results = ", ".join(names)
            kernel.add(f"{results} = multiply_add_{geometry.precision}(v0, v1, v2, v3, w0, w1, {results})")


def _share_parts(kernel, geometry, sums):
    """Every thread's part of every sum, to where the thread that owns a unit and row finds it."""
    gates = len(sums)
    for g, names in enumerate(sums):
        for r, name in enumerate(names):
            place = f"((part * {gates} + {g}) * height + group * {geometry.rows} + {r}) * lanes + lane"
            if geometry.precision != "ieee":
                place = f"((warp * {gates} + {g}) * height + quad + {r // 2 * 8}) * lanes + spot * 2 + {r % 2}"
            kernel.add(f"shared[parts + {place}] = {name}")
    kernel.add("cuda.syncthreads()")


def _add_parts(kernel, geometry, gates, g, total):
    """Add the parts of a sum to `total`, the first one first."""
    with kernel.block(f"for p in range({geometry.parts}):"):
        kernel.add(f"{total} = {total} + shared[parts + ((p * {gates} + {g}) * height + row) * lanes + lane]")


def _forward_stage(kernel, layout, number, geometry):
    stage = layout.cell.stages[number]
    recurrent, heights = _recurrent(stage), range(geometry.rows)
    shared = sorted({g for users in recurrent.values() for g in users})
    kernel.add(f"# stage {number}")
    _own(kernel, kernel.entry(f"width {stage.makes[0]}"))
    with _row_tiles(kernel):
        sums = {g: [f"a{g}_{r}" for r in heights] for g in shared}
        kernel.add(*(f"{name} = zero" for names in sums.values() for name in names))
        for source, users in recurrent.items():
            size = kernel.entry(f"width {parse(source)[0]}")
            kernel.add(f"size, at = {size}, {text.source_address(kernel, layout, source)}")
            residents = [kernel.entry(f"resident {stage.gates[g].name} {source}") for g in users]
            _product(kernel, geometry, "arena", "size", residents, [sums[g] for g in users])
        if shared:
            _share_parts(kernel, geometry, list(sums.values()))

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
                        _add_parts(kernel, geometry, len(shared), shared.index(g), f"a{g}")
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
            _own(kernel, kernel.entry(f"width {name}"))
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
                    _product(kernel, geometry, "arena", f"{lanes} * size", ["resident"], [sums])
                _share_parts(kernel, geometry, [sums])
                with _units(kernel):
                    kernel.add("total = zero")
                    _add_parts(kernel, geometry, 1, 0, "total")
                    kernel.add("flow[into + row * width + unit] += total")
