"""Dense layers on our threads: a cell of one gate and no past, whose products are made for all steps at once.

BLAS would need threads of its own for this, which wait spinning and take the processors from ours.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba.core import types

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.kernels import memory, products, sweep
from rnnbench.kernels.build import compile_function
from rnnbench.kernels.cpu import planned, prepare
from rnnbench.kernels.engine import NUMBA_TYPES
from rnnbench.kernels.gradients import chunk_steps
from rnnbench.kernels.plan import Sizes, array_line, constant_line
from rnnbench.kernels.program import Program, Ref, Table
from rnnbench.kernels.split import split_of
from rnnbench.layout import Layout

ENOUGH = 2 * 10**7  # floating-point operations of a product below which BLAS on one thread is about as soon done


class Plan:
    """The programs of one shape, with the names that :mod:`rnnbench.kernels.sweep` knows them by."""

    columns, scratch = (), 0

    def __init__(self, sizes, prepared):
        self.sizes, layout, size = sizes, sizes.layout, sizes.dtype.itemsize
        inputs, outputs = layout.input_size, layout.hidden_size
        self.padded = sizes.vectors(outputs) * sizes.lanes
        self.active = np.full(sizes.steps, sizes.rows)
        x, y, dy = (
            array_line(name, (sizes.replicas, sizes.steps, sizes.rows, width), size)
            for name, width in (("x", inputs), ("y", self.padded), ("dy", self.padded))
        )
        panels, bias, per_panel = prepared.packing.groups["y",]
        tables = _product(sizes, x, inputs, panels, per_panel, outputs, y, bias)
        self.forward = Program((sizes.header(), tables), replicas=sizes.replicas)

        panels, per_panel = prepared.packing.panels[0, "x"]
        padded = sizes.vectors(inputs) * sizes.lanes
        self.zeros = memory.zeros(padded, sizes.dtype)
        dx = array_line("dx", (sizes.replicas, sizes.steps, sizes.rows, padded), size)
        of_input = _product(sizes, dy, outputs, panels, per_panel, inputs, dx, memory.address(self.zeros))

        da, pieces, targets, wide = Table(6), Table(8), Table(2), 2 * sizes.lanes
        narrow, bias = Table(6), Table(2)
        da.add(*dy, self.padded)
        narrow.add(*constant_line(memory.address(sizes.engine.one)), 1)
        bias.add(Ref("d bias", 0, outputs * size) if "bias" in prepared.weights else 0, size)
        for first in range(0, inputs, wide):
            pieces.add(*x, first, min(wide, inputs - first), 0)
            targets.add(Ref("d weight_ih", first * size, outputs * inputs * size), inputs * size)
        self.chunk, self.da_bytes = chunk_steps(sizes.rows), sizes.rows * outputs * size
        tables = of_input, [da, pieces, targets, narrow, bias]
        self.program = Program(*((sizes.header(self.chunk), t) for t in tables), replicas=sizes.replicas)
        self.sections, self.weights = {"dx": 0, "weights": 1}, [(outputs, len(pieces))]


def _product(sizes, source, depth, panels, per_panel, width, out, start):
    lines, sources = Table(13), Table(8)
    lines.add(0, 1, sizes.vectors(width), *out, *constant_line(start))
    sources.add(*source, depth, panels, per_panel)
    return [lines, sources]


def forward(x, weights):
    """Return y = W x + b.

    Parameters
    ----------
    x : (R, T, B, I) array
    weights : dict of arrays
        ``"weight_ih"`` (R, O, I), optionally ``"bias"`` (R, O).
    """
    plan, prepared = _planned(x, weights)
    outputs, split = plan.sizes.layout.hidden_size, split_of(plan.sizes, plan.active)
    y = memory.empty((*x.shape[:3], plan.padded), x.dtype)
    addresses = {"active": split.address, "x": memory.address(x), "y": memory.address(y), "packed": prepared.address}
    program = plan.forward.at(addresses)
    products.at_once(plan.sizes, program, 0, split)
    program.done()
    return np.ascontiguousarray(y[..., :outputs])


def backward(x, dy, weights, grads, need_dx=True):
    """Add to the gradients by the weights, and return dx or None.

    Parameters
    ----------
    x : (R, T, B, I) array
    dy : (R, T, B, O) array
    weights, grads : dicts of arrays
        As for :func:`forward`.
    """
    plan, prepared = _planned(x, weights)
    split, given = split_of(plan.sizes, plan.active), dy
    if dy.shape[3] != plan.padded:  # whole vectors are read
        dy = memory.empty((*dy.shape[:3], plan.padded), dy.dtype)
        dy[..., : given.shape[3]] = given
    addresses = {"x": memory.address(x), "dy": memory.address(dy), "packed": prepared.address}
    return sweep.backward(plan, addresses, split, grads, need_dx)


def outer(column, row, out):
    """Write the products of (R, N, 1) and (R, 1, M) arrays into an (R, N, M) array; BLAS takes no such thing."""
    _outer_compiled(out.dtype)(column, row, out)


@cache
def _outer_compiled(dtype):
    given, out = (types.Array(NUMBA_TYPES[dtype], 3, "C", readonly=only) for only in (True, False))
    return compile_function(_outer, types.void(given, given, out))


def _outer(column, row, out):
    for r in range(out.shape[0]):
        values = row[r, 0]
        for n in range(out.shape[1]):
            factor = column[r, n, 0]
            for m in range(out.shape[2]):
                out[r, n, m] = factor * values[m]


def _planned(x, weights):
    layout, shape = _layout(x.shape[3], weights["weight_ih"].shape[1]), (x.dtype, *x.shape[:3])
    prepared = prepare(layout, weights, x.dtype, len(x), keep=True)
    sizes = planned(layout, shape, lambda: Sizes(layout, *shape))
    return planned(layout, ("dense", shape, tuple(weights)), lambda: Plan(sizes, prepared)), prepared


def _as_it_is(a, reads, p):
    return a, ()


@cache
def _layout(inputs, outputs):
    stage = Stage(_as_it_is, makes=("y",), gates=(Gate("y", ("x",)),))
    return Layout(Cell(vectors=(Vector("y"),), stages=(stage,), output="y", name="dense"), inputs, outputs)
