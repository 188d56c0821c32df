"""What both written kernels are made of: the text so far, addresses of lanes, and the tiled product."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

from rnnbench.contract import INPUT, parse

SHARED_BYTES = 32 * 1024  # for weights: small enough for several blocks per multiprocessor
WORK_SIZES = ("steps", "rows")


@dataclass(frozen=True)
class Geometry:
    """What is fixed when kernels are compiled.

    Parameters
    ----------
    units, groups : int
        The most threads of a block along units and along rows; a launch may take fewer.
    threads : int
        The most threads of a block.
    rows : int
        Batch rows of a thread.
    depth : int
        How much of a product's inner index is brought to shared memory at once.
    """

    units: int = 128
    groups: int = 8
    threads: int = 256
    rows: int = 2
    depth: int = 16


@dataclass
class Kernel:
    """A kernel's text, the entries of its table, the functions that it calls, the precision of its products."""

    name: str
    arguments: tuple[str, ...]
    functions: dict[str, object]
    names: list[str] = field(default_factory=lambda: list(WORK_SIZES))
    constants: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    precision: str = "ieee"

    @property
    def text(self) -> str:
        """The source of the kernel."""
        return "\n".join([f"def {self.name}({', '.join(self.arguments)}):", *self.lines, ""])

    def add(self, *lines: str) -> None:
        """Append lines at the present indentation."""
        self.lines += ["    " * self.depth + line for line in lines]

    @contextmanager
    def block(self, head: str):
        """Append a line and indent what follows."""
        self.add(head)
        self.depth += 1
        yield
        self.depth -= 1

    def entry(self, name: str) -> str:
        """The expression of a named number of the table."""
        return f"table[{self.numbered(name)}]"

    def numbered(self, name: str) -> int:
        """Where a named number stands in the table; names that are new stand in the order of asking."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def constant(self, value: int) -> int:
        """Where the next number of the table stands, which is this one: for loops over what differs by a number."""
        name = f"constant {len(self.names)}"
        self.constants[name] = value
        return self.numbered(name)


def inner_depth(geometry: Geometry, gates: int, item_bytes: int) -> int:
    """How deep a tile of the weights of so many gates may be."""
    depth = geometry.depth
    while depth > 1 and gates * depth * geometry.units * item_bytes > SHARED_BYTES:
        depth //= 2
    return depth


def work_lanes(layout, number: int) -> int:
    """Numbers kept per unit of a stage: what forward saves, then da and dp in its place."""
    return layout.kept[number]


def sources_of(stage) -> dict[str, list[int]]:
    """The sources of a stage's products, and the numbers of the gates that use each."""
    found: dict[str, list[int]] = {}
    for number, gate in enumerate(stage.gates):
        for source in gate.sources:
            found.setdefault(source, []).append(number)
    return found


def open_kernel(kernel, geometry, depth, gates):
    """Who the thread is, and the tiles that its block shares."""
    height = geometry.groups * geometry.rows
    kernel.add(
        f"rows_tile = cuda.shared.array({height * depth}, number_type)  # [row][k]",
        f"weights_tile = cuda.shared.array({gates * depth * geometry.units}, number_type)  # [gate][k][unit]",
        "lane, group = np.int64(cuda.threadIdx.x), np.int64(cuda.threadIdx.y)",
        "lanes, groups = np.int64(cuda.blockDim.x), np.int64(cuda.blockDim.y)",
        f"height = groups * {geometry.rows}",
        "first = np.int64(cuda.blockIdx.x) * height",
        "replica = np.int64(cuda.blockIdx.y)",
        f"steps, rows = {kernel.entry('steps')}, {kernel.entry('rows')}",
        "zero = number(0)",
    )


def lane_address(kernel, layout, kind, name, lag):
    """The expression of the address of a vector, `lag` steps ago, of the block's first row."""
    start, ring = kernel.entry(f"{kind} {name}"), kernel.entry(f"{kind} ring {name}")
    shift = layout.lags[name] - lag
    width = kernel.entry(f"width {name}")
    return f"{start} + ((replica * {ring} + (t + {shift}) % {ring}) * rows + first) * {width}"


def source_address(kernel, layout, source):
    """The expression of the address of what a source names."""
    name, lag = parse(source)
    if name == INPUT:
        return f"((replica * steps + t) * rows + first) * {kernel.entry('width x')}"
    return lane_address(kernel, layout, "read" if lag else "made", name, lag)


def work_address(kernel, layout, number, width):
    """The expression of the address of what a stage keeps, of the block's first row."""
    lanes = work_lanes(layout, number)
    return f"{kernel.entry(f'work {number}')} + ((replica * steps + t) * rows + first) * {lanes} * {width}"


def tuple_of(values):
    """The expression of a tuple; a comma also after one value."""
    return "(" + "".join(f"{v}, " for v in values).rstrip() + ")"


def parameters(kernel, stage):
    """The expression of the tuple of a stage's unit parameters."""
    return tuple_of(f"weights[{kernel.entry(f'parameter {p}')} + replica * width + unit]" for p in stage.parameters)


def product(kernel, geometry, depth, array, at, stride, starts, columns, sums, size="size", weights="weights"):
    """Add rows of `array` times blocks of the weights, tile by tile through shared memory, to the named sums."""
    heights = range(geometry.rows)
    with kernel.block(f"for inner in range(0, {size}, {depth}):"):
        load = (
            f"load_rows(rows_tile, {array}, {at}, {stride}, inner, {size}, running, height, lane, lanes, group, groups"
        )
        kernel.add(f"{load}, {depth})")
        for i, start in enumerate(starts):
            load = f"load_weights(weights_tile, {i * depth}, {weights}, {start}, {columns}, inner, {size}, unit"
            kernel.add(f"{load}, lane, lanes, group, groups, {depth})")
        kernel.add("cuda.syncthreads()")
        with kernel.block(f"for k in range({depth}):"):
            kernel.add(*(f"v{r} = rows_tile[(group * {geometry.rows} + {r}) * {depth} + k]" for r in heights))
            for i, names in enumerate(sums):
                kernel.add(f"w = weights_tile[({i * depth} + k) * lanes + lane]")
                kernel.add(*(f"{name} = {name} + v{r} * w" for r, name in enumerate(names)))
        kernel.add("cuda.syncthreads()")
