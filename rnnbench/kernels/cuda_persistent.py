"""Whether the persistent kernels fit a GPU, and how; plain arithmetic on what the GPU has, no GPU."""

from __future__ import annotations

from dataclasses import dataclass

from rnnbench.contract import INPUT, parse
from rnnbench.kernels.cuda_barriers import products_back
from rnnbench.kernels.cuda_resident import Geometry
from rnnbench.kernels.cuda_text import sources_of

PAD = 4  # numbers between the rows of a tile: a fragment's rows lie in banks of their own


@dataclass(frozen=True)
class Facts:
    """What a GPU has.

    Parameters
    ----------
    multiprocessors : int
    shared : int
        The most bytes of shared memory that a block may ask for.
    cooperative : bool
        Whether blocks can be started together, to wait for each other.
    """

    multiprocessors: int
    shared: int
    cooperative: bool = True


@dataclass(frozen=True)
class Plan:
    """A launch: grid (slices, shares of the rows, replicas), threads of a block, bytes of shared memory, the table."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    entries: dict[str, int]

    @property
    def blocks(self) -> int:
        """How many blocks have to run together."""
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]


def residents(layout, direction: str) -> dict[tuple[str, str], int]:
    """{(gate, source): numbers per unit of a slice} of the weights that stay on the chip."""
    found = {}
    for number, stage in enumerate(layout.cell.stages):
        sources = sources_of(stage) if direction == "forward" else products_back(layout, number)
        for source, users in sources.items():
            if source != INPUT:
                inner = layout.widths[parse(source)[0]] if direction == "forward" else layout.stage_widths[number]
                found |= {(stage.gates[g].name, source): inner for g in users}
    return found


def plan(layout, direction: str, sizes, item_bytes: int, facts: Facts, geometry: Geometry) -> Plan | str:
    """Return a launch of the ``"forward"`` or ``"backward"`` kernel, or a sentence's end that says why there is none.

    One block per multiprocessor. A slice has as few units as the multiprocessors allow, since what a step takes falls
    with it; the rows are shared out among what is left of them.
    """
    held = residents(layout, direction)
    if not held:
        return f"cell {layout.cell.name!r} has no product with its own past, nothing would stay on the chip"
    if not facts.cooperative:
        return "this GPU cannot start blocks together"
    widest = max(layout.stage_widths)
    why = ""
    for lanes in geometry.lanes:
        slices = -(-widest // lanes)
        if slices * sizes.replicas > facts.multiprocessors:
            needed = f"{slices * sizes.replicas} blocks of {lanes} units"
            why = f"it takes {needed}, and the GPU has {facts.multiprocessors} multiprocessors"
            continue
        groups = geometry.threads // (lanes * geometry.parts)
        if geometry.precision == "ieee":  # tensor cores want all 16 rows
            groups = max(1, min(groups, -(-sizes.rows // geometry.rows)))
        height = groups * geometry.rows
        weights = lanes * sum(held.values())
        parts = geometry.parts * _summed(layout, direction) * height * lanes
        step = geometry.step
        depth = min(geometry.depth, -(-max(held.values()) // step) * step)  # whole steps: the same sums at any depth
        while depth > step and (weights + parts + height * (depth + PAD)) * item_bytes > facts.shared:
            depth = max(1, depth // 2 // step) * step
        pitch = depth + PAD
        shared = (weights + parts + height * pitch) * item_bytes
        if shared > facts.shared:
            return f"a block of {lanes} units needs {_kib(shared)} of shared memory, and may have {_kib(facts.shared)}"
        tiles = -(-sizes.rows // height)
        shares = max(1, min(tiles, facts.multiprocessors // (slices * sizes.replicas)))
        share = max(-(-tiles // shares), 1) * height
        entries = {"share": share, "depth": depth, "pitch": pitch, "tile": weights, "parts": weights + height * pitch}
        start = 0
        for (gate, source), inner in held.items():
            entries[f"resident {gate} {source}"] = start
            start += inner * lanes
        grid = slices, -(-sizes.rows // share), sizes.replicas
        return Plan(grid, (lanes, geometry.parts, groups), shared, entries)
    return why


def _summed(layout, direction):
    """How many sums of a thread meet in shared memory at once: a stage's gates, or one gradient."""
    if direction == "backward":
        return 1
    stages = layout.cell.stages
    return max(sum(any(s != INPUT for s in gate.sources) for gate in stage.gates) for stage in stages)


def _kib(size):
    return f"{size / 1024:.0f} KiB"
