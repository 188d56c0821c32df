"""The compiled functions of one precision, each compiled when it is first needed."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
from numba.core import types

from rnnbench.kernels import flat, gradients, host, pack, tile, walk
from rnnbench.kernels.build import compile_function, token

I64, VOID = types.int64, types.void
LINE = types.Array(I64, 1, "C")
TABLE = types.Array(I64, 2, "C")
NUMBA_TYPES = {"float32": types.float32, "float64": types.float64}


class Engine:
    """Everything compiled for float32 or float64.

    Attributes
    ----------
    token : the argument that tells compiled code the precision
    lanes : numbers in a vector
    most : rows of the tallest tile
    widths : (most + 1,) array, the widest tile for each number of rows
    """

    def __init__(self, dtype):
        self.dtype = dtype
        self.token, self.lanes, self.most = token(dtype), host.lanes(dtype), tile.max_rows()
        self.lane_bytes = self.lanes * dtype.bitwidth // 8
        self.widths = np.array([1] + [tile.widest(rows) for rows in range(1, self.most + 1)])

    @cached_property
    def tile_rows(self):
        """Address of the tile for A with rows contiguous in k."""
        return tile.address(self.dtype, True)

    @cached_property
    def tile_columns(self):
        """Address of the tile for A with columns contiguous in rows."""
        return tile.address(self.dtype, False)

    def _walk(self, function, workspace, tables, *last):
        arguments = [I64, LINE, I64, I64, *workspace, types.UniTuple(TABLE, tables), LINE, I64, I64, I64, *last]
        return compile_function(function, VOID(self.token.type, *arguments))

    @cached_property
    def forward(self):
        """Compiled :func:`rnnbench.kernels.walk.forward`."""
        return self._walk(walk.forward, (I64, I64, LINE), 6)

    @cached_property
    def backward(self):
        """Compiled :func:`rnnbench.kernels.walk.backward`."""
        return self._walk(walk.backward, (I64,), 8, I64, I64)

    @cached_property
    def weights(self):
        """Compiled :func:`rnnbench.kernels.gradients.weights`."""
        arguments = [I64, I64, I64, I64, I64, I64, I64, TABLE, TABLE, TABLE, LINE, I64, I64, I64]
        return compile_function(gradients.weights, VOID(self.token.type, *arguments))

    @cached_property
    def columns_sum(self):
        """Compiled :func:`rnnbench.kernels.gradients.columns_sum`."""
        arguments = [I64, I64, I64, TABLE, I64, LINE, I64, I64, I64]
        return compile_function(gradients.columns_sum, VOID(self.token.type, *arguments))

    @cached_property
    def products(self):
        """Compiled :func:`rnnbench.kernels.flat.products`."""
        arguments = [I64, LINE, I64, I64, TABLE, TABLE, LINE, I64, I64, I64]
        return compile_function(flat.products, VOID(self.token.type, *arguments))

    @cached_property
    def pack_units(self):
        """Compiled :func:`rnnbench.kernels.pack.units`."""
        return compile_function(pack.units, VOID(self.token.type, *[I64] * 10))

    @cached_property
    def pack_columns(self):
        """Compiled :func:`rnnbench.kernels.pack.columns`."""
        return compile_function(pack.columns, VOID(self.token.type, *[I64] * 9))


@cache
def engine(name: str) -> Engine:
    """Return the engine for ``"float32"`` or ``"float64"``."""
    return Engine(NUMBA_TYPES[name])
