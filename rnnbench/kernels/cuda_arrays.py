"""Device memory that is filled, cleared and rearranged by small kernels."""

from __future__ import annotations

import numpy as np

from rnnbench.kernels import cuda_common
from rnnbench.kernels import cuda_host as gpu

FLAT = 256  # threads of a block that goes over an array


def over(size):
    """Grid and block of a kernel that strides over an array."""
    return max(1, min(-(-int(size) // FLAT), 16 * gpu.multiprocessors())), FLAT


def cleared(size, dtype):
    """Return flat device memory full of zeros."""
    array = gpu.empty(size, dtype)
    gpu.launch(cuda_common.clear, *over(size), array)
    return array


def gathered(values, index):
    """Return rows of an array (..., width) by their numbers from 1 on; zeros where the number is 0."""
    shape = *index.shape, tuple(values.shape)[-1]
    out = gpu.empty(np.prod(shape), values.dtype)
    if index.size:
        given = out, gpu.upload(values), gpu.upload(index.astype(np.int64)), shape[-1]
        gpu.launch(cuda_common.gather, *over(np.prod(shape)), *given)
    return gpu.leave(out, shape)
