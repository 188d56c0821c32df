"""Where everything lies in device memory for one call, and how the weights are packed; plain NumPy, no GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnbench.contract import INPUT
from rnnbench.kernels.cuda_text import work_lanes
from rnnbench.layout import Layout


@dataclass(frozen=True)
class Sizes:
    """A call's sizes."""

    replicas: int
    steps: int
    rows: int


class Arena:
    """One flat array for all lanes of a forward pass.

    A vector's lane is (R, ring, B, width): time runs around a ring, which holds all steps if they are kept for BPTT,
    else as many as are ever read again, and one more where blocks may be a step apart (`apart`). A fed state has a
    second lane, of what is read in place of what was made.

    Attributes
    ----------
    entries : dict
        Numbers of the kernels' table: addresses and ring lengths.
    size : int
    """

    def __init__(self, layout: Layout, sizes: Sizes, keep: bool, fed: tuple[str, ...], apart=False):
        self.entries: dict[str, int] = {}
        self.size = 0
        for name, lag in layout.lags.items():
            whole = sizes.steps + lag
            self._lane(layout, sizes, "made", name, whole if keep else lag + 1 + apart)
            if name in fed:
                self._lane(layout, sizes, "read", name, whole)
            else:
                self.entries[f"read {name}"] = self.entries[f"made {name}"]
                self.entries[f"read ring {name}"] = self.entries[f"made ring {name}"]
        for number, width in enumerate(layout.stage_widths):
            self.entries[f"work {number}"] = self.size
            if keep:
                self.size += sizes.replicas * sizes.steps * sizes.rows * work_lanes(layout, number) * width

    def _lane(self, layout, sizes, kind, name, ring):
        self.entries[f"{kind} {name}"], self.entries[f"{kind} ring {name}"] = self.size, ring
        self.size += sizes.replicas * ring * sizes.rows * layout.widths[name]


def flow(layout: Layout, sizes: Sizes) -> tuple[dict[str, int], int]:
    """Lay out the gradients by the vectors: a ring of lag + 1 steps each. Returns table entries and size."""
    entries, size = {}, 0
    for name, lag in layout.lags.items():
        entries[f"flow {name}"], entries[f"flow ring {name}"] = size, lag + 1
        size += sizes.replicas * (lag + 1) * sizes.rows * layout.widths[name]
    return entries, size


def ahead(layout: Layout, sizes: Sizes) -> tuple[dict[str, int], int]:
    """Lay out the input's products of all steps, (R, T, B, width) for every gate that has one: entries and size."""
    entries, size = {}, 0
    for gate, source in layout.blocks:
        if source == INPUT:
            entries[f"ahead {gate}"] = size
            size += sizes.replicas * sizes.steps * sizes.rows * layout.gate_widths[gate]
    return entries, size


def masks(feed, active, rows) -> tuple[np.ndarray, dict[str, int]]:
    """Flags of the rows that are fed and running, one (T, B) array per fed state; and where each starts."""
    running = np.arange(rows) < np.asarray(active)[:, None]
    parts = [np.ascontiguousarray(mask & running).view(np.uint8).reshape(-1) for _, mask in feed.values()]
    starts = {name: i * len(active) * rows for i, name in enumerate(feed)}
    return np.concatenate([*parts, np.zeros(1, np.uint8)]), starts


def pack(layout: Layout, weights, replicas, dtype, transposed) -> tuple[np.ndarray, dict[str, int]]:
    """Lay the weights end to end, every block (R, inner, units) for the walk it serves.

    Parameters
    ----------
    transposed : bool
        True for the forward walk (k, then the gate's units), False for the backward one (units, then k).
    """
    parts: list[np.ndarray] = []
    entries: dict[str, int] = {}
    used = 0

    def add(name, values):
        nonlocal used
        entries[name] = used
        parts.append(np.ascontiguousarray(values, dtype).reshape(-1))
        used += parts[-1].size

    for (gate, source), block in layout.blocks.items():
        values = weights[block.key][:, block.start : block.stop]
        add(f"weight {gate} {source}", values.transpose(0, 2, 1) if transposed else values)
    for gate, (start, stop) in layout.bias_rows.items():
        if transposed:
            given = "bias" in weights
            add(f"bias {gate}", weights["bias"][:, start:stop] if given else np.zeros((replicas, stop - start)))
    for name in layout.parameter_widths:
        add(f"parameter {name}", weights[name])
    return np.concatenate([*parts, np.zeros(1, dtype)]), entries


def widths(layout: Layout) -> dict[str, int]:
    """Table entries of every vector's width."""
    return {f"width {name}": width for name, width in layout.widths.items()}
