"""Which kernel walks a cell through time, the portable or the persistent one, and on how many threads."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from rnnbench.kernels import cuda_build, cuda_persistent, cuda_resident
from rnnbench.kernels import cuda_host as gpu
from rnnbench.kernels.cuda_persistent import Facts
from rnnbench.kernels.cuda_text import Geometry

GEOMETRY = Geometry()
PERSISTENT = cuda_resident.Geometry()
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Walk:
    """A kernel and its launch; `entries` are what its table has beside addresses and sizes."""

    built: cuda_build.Built
    persistent: bool
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int = 0
    entries: dict[str, int] = field(default_factory=dict)

    def run(self, entries, *given) -> None:
        """Launch the kernel."""
        table = gpu.upload(self.built.table(entries | self.entries))
        gpu.launch(self.built.function, self.grid, self.block, table, *given, shared=self.shared)


def choose(layout, direction: str, sizes, dtype, driver: str, precision: str = "ieee") -> Walk:
    """Return the walk ``"forward"`` or ``"backward"`` by a driver: the persistent one where it fits, if ``"auto"``.

    Tensor cores, for another precision, are for the persistent kernels; the portable ones do as always.

    Raises
    ------
    ValueError
        For ``"persistent"`` where it does not fit, with the reason.
    """
    if driver == "portable":
        return portable(layout, direction, sizes, dtype)
    found = persistent(layout, direction, sizes, dtype, precision)
    if isinstance(found, Walk):
        return found
    if driver == "persistent":
        raise ValueError(f"driver: got 'persistent', but {found} ({direction}); expected 'auto' or 'portable'")
    LOG.info("%s %s: the portable kernel runs, %s", layout.cell.name, direction, found)
    return portable(layout, direction, sizes, dtype)


def portable(layout, direction: str, sizes, dtype) -> Walk:
    """As many units as there are, then rows as long as every multiprocessor has a block."""
    units = -(-max(layout.widths.values()) // 32) * 32
    lanes = min(GEOMETRY.units, units)
    wanted = -(-sizes.replicas * sizes.rows // (gpu.multiprocessors() * GEOMETRY.rows))
    groups = max(1, min(GEOMETRY.groups, GEOMETRY.threads // lanes, wanted))
    built = cuda_build.build(layout, direction, dtype.name, GEOMETRY)
    return Walk(built, False, (-(-sizes.rows // (groups * GEOMETRY.rows)), sizes.replicas), (lanes, groups))


def persistent(layout, direction: str, sizes, dtype, precision: str = "ieee") -> Walk | str:
    """Return the persistent walk, or why there is none: more blocks than can run together would wait for ever."""
    geometry = PERSISTENT if precision == "ieee" else cuda_resident.tensor(precision)
    found = cuda_persistent.plan(layout, direction, sizes, dtype.itemsize, Facts(*gpu.facts()), geometry)
    if isinstance(found, str):
        return found
    built = cuda_build.build(layout, f"persistent {direction}", dtype.name, geometry)
    signature = cuda_build.signature(built.arguments, dtype.name)
    together = gpu.blocks_together(built.function, signature, found.threads, found.shared)
    if found.blocks > together:
        return f"its {found.blocks} blocks have to run together, and only {together} can"
    return Walk(built, True, found.grid, found.block, found.shared, found.entries)
