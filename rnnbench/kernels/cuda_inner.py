"""The inner loops of the products over all steps: on ordinary cores, or on tensor cores.

Each takes two tiles in shared memory, ``left[k][row]`` and ``right[k][column]``, and adds their product to the four
results of the thread; `row_of` and `column_of` say which ones those are.
"""

from __future__ import annotations

from numba import cuda

from rnnbench.kernels import cuda_tensor

ROWS = 4  # results of a thread


def find(precision: str, depth: int, height: int, columns: int):
    """Return (inner_product, row_of, column_of) for tiles of this size, 32 x 32 for tensor cores."""
    return _ieee(depth, height, columns) if precision == "ieee" else _tensor(precision, depth, height, columns)


def _ieee(depth, height, columns):
    @cuda.jit(device=True)
    def inner_product(left, right, lane, group, c0, c1, c2, c3):
        for k in range(depth):
            v = right[k * columns + lane]
            c0 += left[k * height + group * ROWS] * v
            c1 += left[k * height + group * ROWS + 1] * v
            c2 += left[k * height + group * ROWS + 2] * v
            c3 += left[k * height + group * ROWS + 3] * v
        return c0, c1, c2, c3

    @cuda.jit(device=True)
    def row_of(j, lane, group):
        return group * ROWS + j

    @cuda.jit(device=True)
    def column_of(j, lane, group):
        return lane

    return inner_product, row_of, column_of


def _tensor(precision, depth, height, columns):
    """A warp, which is a group, owns a fragment of 16 x 8 results, see :mod:`rnnbench.kernels.cuda_tensor`."""
    multiply_add = cuda_tensor.MULTIPLY_ADD[precision]

    @cuda.jit(device=True)
    def inner_product(left, right, lane, group, c0, c1, c2, c3):
        row, column = group // 4 * 16 + lane // 4, group % 4 * 8 + lane // 4
        for inner in range(0, depth, 8):  # counted alike by all threads of the warp, which multiply together
            low = inner + lane % 4
            high = low + 4
            a0, a1 = left[low * height + row], left[low * height + row + 8]
            a2, a3 = left[high * height + row], left[high * height + row + 8]
            b0, b1 = right[low * columns + column], right[high * columns + column]
            c0, c1, c2, c3 = multiply_add(a0, a1, a2, a3, b0, b1, c0, c1, c2, c3)
        return c0, c1, c2, c3

    @cuda.jit(device=True)
    def row_of(j, lane, group):
        return group // 4 * 16 + lane // 4 + j // 2 * 8

    @cuda.jit(device=True)
    def column_of(j, lane, group):
        return group % 4 * 8 + lane % 4 * 2 + j % 2

    return inner_product, row_of, column_of
