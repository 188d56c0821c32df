"""The compiled functions of one precision, each compiled when it is first needed."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
from numba.core import types

from rnnbench.kernels import flat, gradients, host, pack, sweep, symbols, tile, walk
from rnnbench.kernels.build import token
from rnnbench.kernels.emit import compile_task

NUMBA_TYPES = {np.dtype("float32"): types.float32, np.dtype("float64"): types.float64}


class Engine:
    """Everything compiled for float32 or float64.

    Attributes
    ----------
    token : the argument that tells compiled code the precision
    lanes : numbers in a vector
    most : rows of the tallest tile
    widths : (most + 1,) array, the widest tile for each number of rows
    one : (1,) array, what biases are multiplied with
    """

    def __init__(self, dtype):
        self.dtype = dtype
        self.token, self.lanes, self.most = token(dtype), host.lanes(dtype), tile.max_rows()
        self.lane_bytes = self.lanes * dtype.bitwidth // 8
        self.one = np.ones(1, dtype.name)
        self.widths = np.array([1] + [tile.widest(rows) for rows in range(1, self.most + 1)])

    @cached_property
    def tile_rows(self):
        """The tiles for A with rows contiguous in k."""
        return tile.Tiles(self.dtype, True)

    @cached_property
    def tile_columns(self):
        """The tiles for A with columns contiguous in rows."""
        return tile.Tiles(self.dtype, False)

    def _task(self, function):
        """Address of a function of a task's address."""
        return compile_task(function, self.dtype).address

    @cached_property
    def forward(self):
        """Address of :func:`rnnbench.kernels.walk.forward`."""
        return self._task(walk.forward)

    @cached_property
    def backward(self):
        """Address of :func:`rnnbench.kernels.walk.backward`."""
        return self._task(walk.backward)

    @cached_property
    def stretches(self):
        """Address of :func:`rnnbench.kernels.sweep.stretches`."""
        return self._task(sweep.stretches)

    @cached_property
    def weights(self):
        """Address of :func:`rnnbench.kernels.gradients.weights`."""
        return self._task(gradients.weights)

    @cached_property
    def symbols(self):
        """Address of :func:`rnnbench.kernels.symbols.gradients`."""
        return self._task(symbols.gradients)

    @cached_property
    def columns_sum(self):
        """Address of :func:`rnnbench.kernels.gradients.columns_sum`."""
        return self._task(gradients.columns_sum)

    @cached_property
    def products(self):
        """Address of :func:`rnnbench.kernels.flat.products`."""
        return self._task(flat.products)

    @cached_property
    def pack(self):
        """Address of :func:`rnnbench.kernels.pack.pack`."""
        return self._task(pack.pack)


@cache
def engine(name: str) -> Engine:
    """Return the engine for ``"float32"`` or ``"float64"``."""
    return Engine(NUMBA_TYPES[np.dtype(name)])
