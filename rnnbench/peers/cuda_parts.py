"""What the floor of a GPU is made of, measured by itself: a large product, reading, waiting for the grid.

The variant is ``"products tf32"``, ``"read ieee"``, ``"barrier ieee"`` and so on; what a job tells besides its time
(operations, bytes, waits, the GPU's sizes) it gives as arrays.
"""

from __future__ import annotations

import numpy as np

from rnnbench.kernels import cuda_host as gpu
from rnnbench.layout import Layout
from rnnbench.peers import cuda_floor, own, own_cuda
from rnnbench.peers.tasks import Job, Task

load = own_cuda.load
WAITS = 1000  # of the grid in one call
PASSES = 256  # over what is read
LEAST_BYTES = 32 * 1024  # for every multiprocessor: what is read comes from beyond its own cache
THREADS = 256


def prepare(task: Task, arrays: dict) -> Job:
    """The part that the variant names."""
    what, precision = task.variant.split()
    layout = own.make_layer(task).layout
    return {"products": _products, "read": _read, "barrier": _barrier}[what](task, layout, precision)


def product_sizes(task: Task) -> tuple[int, int, int]:
    """Rows, inner size and columns of the large product: all steps and rows, H, the units of all gates."""
    layout = own.make_layer(task).layout
    return task.shape.T * task.shape.B, task.shape.H, sum(layout.gate_widths.values())


def _barrier(task, layout, precision):
    from numba import cuda

    from rnnbench.kernels.cuda_rates import wait

    blocks = gpu.multiprocessors()

    def call():
        gpu.launch(wait, blocks, THREADS, WAITS)
        cuda.synchronize()

    return Job(call, lambda _: {"waits": WAITS})


def _read(task: Task, layout: Layout, precision):
    """As many bytes as the recurrent weights have, again and again, as a kernel without them on the chip would."""
    from numba import cuda

    from rnnbench.kernels.cuda_rates import read

    multiprocessors, shared, _ = gpu.facts()
    held = cuda_floor.ITEM_BYTES[precision] * cuda_floor.recurrent_weights(layout)
    blocks = 8 * multiprocessors
    chunk = max(held, LEAST_BYTES * multiprocessors) // (4 * blocks)
    values = gpu.upload(np.zeros(blocks * chunk, np.float32))
    sums = gpu.empty(blocks * THREADS, np.float32)

    def call():
        gpu.launch(read, blocks, THREADS, values, sums, PASSES)
        cuda.synchronize()

    told = {"bytes": 4 * blocks * chunk * PASSES, "multiprocessors": multiprocessors, "shared": shared}
    return Job(call, lambda _: told)


def _products(task, layout, precision):
    """Our own tiles, with which the layer multiplies over all steps."""
    from numba import cuda

    from rnnbench.kernels import cuda_common
    from rnnbench.kernels.cuda_products import DEPTH, TILE

    own_cuda.check_precision(precision)
    rows, inner, columns = product_sizes(task)
    _, _, kernel = cuda_common.products("float32", TILE, DEPTH, precision)
    rng = np.random.default_rng(0)
    a, b = (gpu.upload(rng.standard_normal(size).astype(np.float32)) for size in ((rows, inner), (inner, columns)))
    out, active = gpu.upload(np.zeros(rows * columns, np.float32)), gpu.upload(np.full(1, rows, np.int64))
    grid = -(-rows // (TILE[1] * cuda_common.ROWS)), -(-columns // TILE[0]), 1

    def call():
        gpu.launch(kernel, grid, TILE, active, rows, a, 0, inner, b, 0, inner, columns, out, 0)
        cuda.synchronize()

    return Job(call, lambda _: {"flops": 2 * rows * inner * columns})
