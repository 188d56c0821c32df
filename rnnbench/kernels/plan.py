"""What both walks are planned from: sizes, the lanes of an arena, sources of products."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import memory
from rnnbench.kernels.engine import engine
from rnnbench.kernels.program import Ref
from rnnbench.layout import STACK_NAMES


class Place(NamedTuple):
    """Where an array lies in the memory of an arena."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    strides: tuple[int, ...]

    def of(self, arena):
        """The array."""
        return np.ndarray(self.shape, self.dtype, arena, self.start, self.strides)


class Lane:
    """A buffer (R, ring, B, width padded to vectors) in an arena: a line per step, of which `lag` before step 0."""

    def __init__(self, sizes, arena, width, ring, lag=0):
        self.shape = (sizes.replicas, ring, sizes.rows, sizes.row(sizes.vectors(width) * sizes.lanes))
        self.dtype, self.lag, self.ring, self.arena = sizes.dtype, lag, ring, arena.root
        self.per_row = self.shape[3] * sizes.dtype.itemsize
        self.per_step = self.per_row * sizes.rows
        self.replica = self.per_step * ring
        self.size = self.replica * sizes.replicas
        self.start = arena.place(self.size)

    def line(self, back=0):
        """Address, ring, offset, bytes per step, bytes per row; reading `back` steps ago."""
        address = Ref(self.arena, self.start, self.replica)
        return address, max(self.ring, 1), self.lag - back, self.per_step, self.per_row

    def of(self, arena):
        """The array, in the memory of an arena."""
        return np.ndarray(self.shape, self.dtype, arena, self.start)

    def place(self, first, count, width):
        """Where some steps of the ring lie without the padding, (R, count, B, width)."""
        strides = self.replica, self.per_step, self.per_row, self.dtype.itemsize
        shape = self.shape[0], count, self.shape[2], width
        return Place(shape, self.dtype, self.start + first * self.per_step, strides)


class Sizes:
    """What every buffer's shape follows from; `symbols` says that x is symbols, (R, T, B) int64.

    `even` holds what :func:`rnnbench.kernels.split.split_of` found, by the number of threads.
    """

    def __init__(self, layout, dtype, replicas, steps, rows, symbols=False):
        self.layout, self.dtype, self.engine = layout, dtype, engine(dtype.name)
        self.symbols, self.flops_per_step = symbols, layout.flops_per_step()
        if symbols:
            self.flops_per_step -= 2 * math.prod(layout.weight_shapes.get(STACK_NAMES[INPUT], (0,)))
        self.replicas, self.steps, self.rows = replicas, steps, rows
        self.lanes, self.lane_bytes = self.engine.lanes, self.engine.lane_bytes
        self.even = {}

    def vectors(self, width):
        """Vectors that hold `width` numbers."""
        return -(-width // self.lanes)

    def row(self, width):
        """Numbers from row to row of a buffer: rows a multiple of half a page apart fall into the same cache sets."""
        return width + self.lanes * (width * self.dtype.itemsize % 2048 == 0 and width > 0)

    def header(self, chunk=0):
        """What every program starts with."""
        e = self.engine
        tiles = e.tile_rows.address, e.tile_columns.address if chunk else 0
        widths = memory.address(e.widths)
        return (*tiles, e.most, e.lanes, self.dtype.itemsize, widths, Ref("active"), self.steps, self.rows, chunk)


def groups_of(stage):
    """Return the gates of a stage grouped by equal sources, each group one product that begins with x."""
    groups: dict[tuple[str, ...], list] = {}
    for gate in stage.gates:
        groups.setdefault(tuple(sorted(gate.sources, key=INPUT.__ne__)), []).append(gate)
    return list(groups.items())


def readers(stage):
    """Return, for each source of a stage's products, the gates that have it."""
    by_source: dict[str, list] = {}
    for gate in stage.gates:
        for source in gate.sources:
            by_source.setdefault(source, []).append(gate)
    return by_source


def constant_line(ref):
    """A buffer line for something that is the same at every step and row."""
    return (ref, 1, 0, 0, 0)


def array_line(root, shape, itemsize):
    """A buffer line for a contiguous array (R, T, B, width)."""
    per_row = shape[3] * itemsize
    per_step = per_row * shape[2]
    return Ref(root, 0, per_step * shape[1]), max(shape[1], 1), 0, per_step, per_row


def source_line(sizes, source, lanes):
    """Return the buffer line of a source."""
    name, lag = parse(source)
    if name == INPUT:
        shape = (sizes.replicas, sizes.steps, sizes.rows, sizes.row(sizes.layout.input_size))
        return array_line("x", shape, sizes.dtype.itemsize)
    return lanes["made" if lag == 0 else "read"][name].line(lag)
