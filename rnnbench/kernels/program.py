"""Tables of addresses and numbers that compiled code reads, laid out once per shape and filled in at each call.

What is not known before the call, the address of a buffer, stands in a table as a :class:`Ref`; :meth:`Program.at`
fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rnnbench.kernels import memory

# What every program starts with; then, for each table, its address and its lines.
TILE, COLUMN_TILE, MOST, LANES, SIZE, WIDTHS, ACTIVE, STEPS, ROWS, CHUNK, TRUNCATE, BEFORE = range(12)
HEADER = 12
SKEW = 320  # bytes between buffers: rows of equal steps would else fall into the same sets of the first-level cache


class Ref(NamedTuple):
    """An address: so many bytes from the start of a buffer known at the call, growing from replica to replica."""

    root: str
    offset: int = 0
    replica: int = 0

    def __add__(self, count):
        return Ref(self.root, self.offset + count, self.replica)


class Arena:
    """Memory that is asked for at once, and what lies where in it."""

    def __init__(self, root):
        self.root, self.size, self.gaps = root, 0, []

    def place(self, size):
        """Reserve some bytes and return where they start."""
        start = self.size
        end = start + size
        self.size = end + -end % memory.ALIGNMENT + SKEW // memory.ALIGNMENT * memory.ALIGNMENT
        self.gaps.append((end, self.size))
        return start


class Table:
    """Lines of int64, or of :class:`Ref`."""

    def __init__(self, columns):
        self.columns, self.values = columns, []

    def __len__(self):
        return len(self.values) // self.columns

    def add(self, *values):
        """Append a line."""
        assert len(values) == self.columns
        self.values += values


class Filled:
    """A program with the addresses of a call, and what was made of it; after the call it waits for the next one.

    Attributes
    ----------
    values : (R, n) int64 array
    made : dict
        Tasks and rooms that depend on this memory's address alone, by what they were made for.
    """

    def __init__(self, program):
        self.program, self.made = program, {}
        self.numbers = memory.empty(len(program.numbers), np.int64)
        self.values = self.numbers.reshape(program.replicas, -1)
        self.address = memory.address(self.values)

    def tasks(self, pieces, section=0):
        """One line per replica and piece: the address of that section of the replica's program, then the piece."""
        step, first = self.program.bytes, self.address + self.program.starts[section]
        lines = [(first + r * step, *piece) for r in range(len(self.values)) for piece in pieces]
        return np.array(lines, np.int64).reshape(len(lines), -1)

    def once(self, key, make):
        """What was made for this key before, or else is made now."""
        found = self.made.get(key)
        if found is None:
            if len(self.made) >= MADE:
                self.made.clear()
            found = self.made[key] = make()
        return found

    def done(self):
        """Wait for the next call."""
        if len(self.program.waiting) < WAITING:
            self.program.waiting.append(self)


MADE, WAITING = 8, 2  # at most, for each memory of a program; for each program


class Program:
    """Tables as one array of int64 per replica, with their addresses to be filled in.

    Parameters
    ----------
    sections : (header, tables)
        Compiled code gets the address of one of them.
    replicas : int
    """

    def __init__(self, *sections, replicas):
        values, self.starts = [], []
        for header, tables in sections:
            self.starts.append(len(values) * 8)
            values += list(header) + [0] * (HEADER - len(header))
            end = len(values) + 2 * len(tables)
            for table in tables:
                values += [Ref("program", end * 8), len(table)]
                end += len(table.values)
            for table in tables:
                values += table.values
        self.bytes = len(values) * 8
        refs = [(i, v) for i, v in enumerate(values) if isinstance(v, Ref)]
        self.roots = list(dict.fromkeys(ref.root for _, ref in refs if ref.root != "program"))
        number = {root: i + 1 for i, root in enumerate(["program", *self.roots])}
        numbers = np.array([v.offset if isinstance(v, Ref) else v for v in values], np.int64)
        roots, growth = np.zeros(len(values), np.intp), np.zeros(len(values), np.int64)
        for i, ref in refs:
            roots[i] = number[ref.root]
            growth[i] = self.bytes if ref.root == "program" else ref.replica
        self.numbers = (numbers + np.arange(replicas)[:, None] * growth).ravel()
        self.replicas, self._root, self.waiting = replicas, np.tile(roots, replicas), []

    def at(self, addresses: Mapping[str, int], header: Mapping[int, int] | None = None):
        """Return a :class:`Filled` for buffers at these addresses; `header` replaces some of its first numbers."""
        try:  # asking first whether one waits would race with other threads
            out = self.waiting.pop()
        except IndexError:
            out = Filled(self)
        base = np.array([0, out.address, *[addresses[root] for root in self.roots]], np.int64)
        np.add(self.numbers, base[self._root], out.numbers)
        if header:
            for place, value in header.items():
                out.values[:, place] = value
        return out
