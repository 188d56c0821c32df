"""CUDA kernels that do one thing only, to find out how fast a GPU does it: wait for the grid, read memory."""

from __future__ import annotations

import numpy as np
from numba import cuda, types

SIGNATURES = {
    "wait": types.void(types.int64),
    "read": types.void(types.float32[::1], types.float32[::1], types.int64),
}


@cuda.jit
def wait(count):
    """Let the whole grid wait for itself so many times."""
    for _ in range(count):
        cuda.cg.this_grid().sync()


@cuda.jit
def read(values, sums, passes):
    """Read all values so many times; blocks pass their chunks on, or they would find them in their own cache."""
    blocks, threads = np.int64(cuda.gridDim.x), np.int64(cuda.blockDim.x)
    block, thread = np.int64(cuda.blockIdx.x), np.int64(cuda.threadIdx.x)
    chunk = values.size // blocks
    total = values.dtype.type(0)
    for turn in range(passes):
        start = (block + turn) % blocks * chunk
        for i in range(thread, chunk, threads):
            total += values[start + i]
    sums[block * threads + thread] = total
