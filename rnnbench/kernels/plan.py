"""What the tables of both walks are made of: sizes, buffers, lines of addresses and strides.

A :class:`Table` keeps two numbers per entry: its value for replica 0 and how much it grows from replica to replica.
"""

from __future__ import annotations

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import memory
from rnnbench.kernels.engine import engine


class Lane:
    """A buffer (R, ring, B, width padded to whole vectors), one line of time per step, of which `lag` before step 0."""

    def __init__(self, array, lag):
        self.array, self.lag, self.ring = array, lag, array.shape[1]
        self.address = memory.address(array)
        self.replica, self.per_step, self.per_row = array.strides[:3]  # bytes from one to the next

    def line(self, back=0):
        """Address, ring, offset, bytes per step, bytes per row; reading `back` steps ago."""
        return self.address, self.ring, self.lag - back, self.per_step, self.per_row


class Table:
    """Lines of int64 and, line by line, what is added per replica to the entries that are addresses."""

    def __init__(self, columns):
        self.columns, self.lines, self.growth = columns, [], []

    def __len__(self):
        return len(self.lines)

    def add(self, *values, **growth):
        """Append a line; ``c3=n`` says that column 3 grows by n per replica."""
        self.lines.append(values)
        self.growth.append(growth)

    def arrays(self, replicas):
        """Return one (lines, columns) array per replica."""
        shape = (len(self.lines), self.columns)
        values = np.array(self.lines, np.int64).reshape(shape)
        if replicas == 1:
            return [values]
        growth = np.zeros(shape, np.int64)
        for line, grows in zip(growth, self.growth, strict=True):
            for column, amount in grows.items():
                line[int(column[1:])] = amount
        return [values + r * growth for r in range(replicas)]


class Sizes:
    """What every buffer's shape follows from."""

    def __init__(self, layout, dtype, replicas, steps, rows):
        self.layout, self.dtype, self.engine = layout, dtype, engine(dtype.name)
        self.replicas, self.steps, self.rows = replicas, steps, rows
        self.lanes, self.lane_bytes = self.engine.lanes, self.engine.lane_bytes

    def vectors(self, width):
        """Vectors that hold `width` numbers."""
        return -(-width // self.lanes)

    def lane(self, width, ring, lag=0):
        """Make a buffer; what lies before step 0 is cleared, padding included."""
        array = memory.empty((self.replicas, ring, self.rows, self.vectors(width) * self.lanes), self.dtype)
        array[:, :lag] = 0
        return Lane(array, lag)


def groups_of(stage):
    """Return the gates of a stage grouped by equal source lists, each group one product."""
    groups: dict[tuple[str, ...], list] = {}
    for gate in stage.gates:
        groups.setdefault(gate.sources, []).append(gate)
    return list(groups.items())


def readers(stage):
    """Return, for each source of a stage's products, the gates that have it."""
    by_source: dict[str, list] = {}
    for gate in stage.gates:
        for source in gate.sources:
            by_source.setdefault(source, []).append(gate)
    return by_source


def constant_line(array):
    """A buffer line for something that is the same at every step and row."""
    return (memory.address(array), 1, 0, 0, 0)


def source_line(source, lanes, x):
    """Return the buffer line of a source and its growth per replica."""
    name, lag = parse(source)
    if name == INPUT:
        return (memory.address(x), max(x.shape[1], 1), 0, x.strides[1], x.strides[2]), x.strides[0]
    lane = lanes["made" if lag == 0 else "read"][name]
    return lane.line(lag), lane.replica
