"""CUDA kernels that all cells share: weight and input gradients after the walk, and moving states in and out.

Every sum has one owner and a fixed order: no atomics, the same bits on every run. `products` makes the kernels of one
precision; `tile` is the most threads along (columns, rows) of a block, which covers `columns` x `4 rows` results.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import cuda, types

from rnnbench.kernels import cuda_inner

ROWS = cuda_inner.ROWS  # results of a thread
TYPES = {"float32": types.float32, "float64": types.float64}


@cache
def products(dtype, tile=(32, 8), depth=16, precision="ieee"):
    """Return the kernels (weights, sums, inputs) for ``"float32"`` or ``"float64"``."""
    number, number_type = np.dtype(dtype).type, TYPES[dtype]
    columns_of_block, groups_of_block = tile
    height = groups_of_block * ROWS
    left_size, right_size, part_size = depth * height, depth * columns_of_block, groups_of_block * columns_of_block
    inner_product, row_of, column_of = cuda_inner.find(precision, depth, height, columns_of_block)

    @cuda.jit(device=True)
    def add(array, at, j, lane, group, corner, rows, edge, columns, value):
        """Add result j of the thread to memory."""
        row, column = corner + row_of(j, lane, group), edge + column_of(j, lane, group)
        if row < rows and column < columns:
            array[at + row * columns + column] += value

    @cuda.jit
    def weights(
        active, rows, chunk, da, da_at, da_stride, source, source_at, source_step, units, columns, grads, grads_at,
        grads_step,
    ):  # fmt: skip
        """``grads[u][k] += sum da[t, b][u] source[t, b][k]``, chunk by chunk of `chunk` steps, the last one first."""
        left = cuda.shared.array(left_size, number_type)
        right = cuda.shared.array(right_size, number_type)
        lane, group = np.int64(cuda.threadIdx.x), np.int64(cuda.threadIdx.y)
        edge = np.int64(cuda.blockIdx.x) * columns_of_block
        column = edge + lane
        corner = np.int64(cuda.blockIdx.y) * height
        replica = np.int64(cuda.blockIdx.z)
        zero, steps = number(0), np.int64(active.size)
        da_at += replica * steps * rows * da_stride
        source_at += replica * source_step * rows * columns
        grads_at += replica * grads_step
        chunks = (steps + chunk - 1) // chunk
        for back in range(chunks):
            first = (chunks - 1 - back) * chunk * rows
            stop = min((chunks - back) * chunk, steps) * rows
            c0 = c1 = c2 = c3 = zero
            for start in range(first, stop, depth):
                for m in range(group, depth, groups_of_block):
                    at = start + m
                    runs = at < stop and at % rows < active[min(at // rows, steps - 1)]
                    for i in range(lane, height, columns_of_block):
                        value = zero
                        if runs and corner + i < units:
                            value = da[da_at + at * da_stride + corner + i]
                        left[m * height + i] = value
                    value = zero
                    if runs and column < columns:
                        value = source[source_at + at * columns + column]
                    right[m * columns_of_block + lane] = value
                cuda.syncthreads()
                c0, c1, c2, c3 = inner_product(left, right, lane, group, c0, c1, c2, c3)
                cuda.syncthreads()
            # Added to memory chunk by chunk, as a checkpointed run does: the same sums in the same order.
            add(grads, grads_at, 0, lane, group, corner, units, edge, columns, c0)
            add(grads, grads_at, 1, lane, group, corner, units, edge, columns, c1)
            add(grads, grads_at, 2, lane, group, corner, units, edge, columns, c2)
            add(grads, grads_at, 3, lane, group, corner, units, edge, columns, c3)

    @cuda.jit
    def sums(active, rows, chunk, da, da_at, da_stride, units, grads, grads_at, grads_step):
        """``grads[u] += sum da[t, b][u]``, chunk by chunk, the last one first: biases and unit parameters."""
        part = cuda.shared.array(part_size, number_type)
        lane, group = np.int64(cuda.threadIdx.x), np.int64(cuda.threadIdx.y)
        unit = np.int64(cuda.blockIdx.x) * columns_of_block + lane
        replica = np.int64(cuda.blockIdx.y)
        steps = np.int64(active.size)
        da_at += replica * steps * rows * da_stride
        chunks = (steps + chunk - 1) // chunk
        for back in range(chunks):
            first = (chunks - 1 - back) * chunk * rows
            stop = min((chunks - back) * chunk, steps) * rows
            total = number(0)
            for at in range(first + group, stop, groups_of_block):
                if unit < units and at % rows < active[at // rows]:
                    total += da[da_at + at * da_stride + unit]
            part[group * columns_of_block + lane] = total
            cuda.syncthreads()
            if group == 0 and unit < units:
                for other in range(1, groups_of_block):
                    total += part[other * columns_of_block + lane]
                grads[grads_at + replica * grads_step + unit] += total
            cuda.syncthreads()

    @cuda.jit
    def inputs(active, rows, da, da_at, da_stride, weight, weight_at, units, columns, dx, dx_at):
        """``dx[t, b][k] += sum da[t, b][u] weight[u][k]`` for one gate; or with x for da, W^T for W and so on."""
        left = cuda.shared.array(left_size, number_type)
        right = cuda.shared.array(right_size, number_type)
        lane, group = np.int64(cuda.threadIdx.x), np.int64(cuda.threadIdx.y)
        edge = np.int64(cuda.blockIdx.y) * columns_of_block
        column = edge + lane
        corner = np.int64(cuda.blockIdx.x) * height
        replica = np.int64(cuda.blockIdx.z)
        zero, steps = number(0), np.int64(active.size)
        every = steps * rows
        da_at += replica * every * da_stride
        weight_at += replica * units * columns
        dx_at += replica * every * columns
        c0 = c1 = c2 = c3 = zero
        for start in range(0, units, depth):
            for i in range(group, height, groups_of_block):
                at = corner + i
                runs = at < every and at % rows < active[min(at // rows, steps - 1)]
                for u in range(lane, depth, columns_of_block):
                    value = zero
                    if runs and start + u < units:
                        value = da[da_at + at * da_stride + start + u]
                    left[u * height + i] = value
            for u in range(group, depth, groups_of_block):
                value = zero
                if column < columns and start + u < units:
                    value = weight[weight_at + (start + u) * columns + column]
                right[u * columns_of_block + lane] = value
            cuda.syncthreads()
            c0, c1, c2, c3 = inner_product(left, right, lane, group, c0, c1, c2, c3)
            cuda.syncthreads()
        add(dx, dx_at, 0, lane, group, corner, every, edge, columns, c0)
        add(dx, dx_at, 1, lane, group, corner, every, edge, columns, c1)
        add(dx, dx_at, 2, lane, group, corner, every, edge, columns, c2)
        add(dx, dx_at, 3, lane, group, corner, every, edge, columns, c3)

    return weights, sums, inputs


@cuda.jit
def put(lane, start, ring, dense, lag, rows, width, ends):
    """Write ``dense[r, j, b]`` to the time ``ends[b] + j`` of a lane that keeps `ring` steps."""
    total = dense.size
    for i in range(cuda.grid(1), total, cuda.gridsize(1)):
        unit, b, j, r = i % width, i // width % rows, i // (width * rows) % lag, i // (width * rows * lag)
        lane[start + ((r * ring + (ends[b] + j) % ring) * rows + b) * width + unit] = dense[i]


@cuda.jit
def take(lane, start, ring, dense, lag, rows, width, ends):
    """Read ``dense[r, j, b]`` back from the time ``ends[b] + j`` of a lane."""
    total = dense.size
    for i in range(cuda.grid(1), total, cuda.gridsize(1)):
        unit, b, j, r = i % width, i // width % rows, i // (width * rows) % lag, i // (width * rows * lag)
        dense[i] = lane[start + ((r * ring + (ends[b] + j) % ring) * rows + b) * width + unit]


@cuda.jit
def put_fed(lane, start, ring, values, steps, rows, width, shift, masks, mask_at):
    """Write fed values to where step t reads the value before: the time ``t + shift`` of a lane."""
    total = values.size
    for i in range(cuda.grid(1), total, cuda.gridsize(1)):
        unit, b, t, r = i % width, i // width % rows, i // (width * rows) % steps, i // (width * rows * steps)
        if masks[mask_at + t * rows + b] != 0:
            lane[start + ((r * ring + t + shift) * rows + b) * width + unit] = values[i]


@cuda.jit
def gather(out, values, rows, width):
    """Row i of `out` is row ``rows[i] - 1`` of `values`, or 0 where ``rows[i]`` is 0."""
    for i in range(cuda.grid(1), rows.size * width, cuda.gridsize(1)):
        row, unit = rows[i // width], i % width
        value = out.dtype.type(0)
        if row > 0:
            value = values[(row - 1) * width + unit]
        out[i] = value


@cuda.jit
def clear(array):
    """Set an array to 0."""
    for i in range(cuda.grid(1), array.size, cuda.gridsize(1)):
        array[i] = 0
