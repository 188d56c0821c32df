"""Aligned arrays from a pool, for kernels that work on addresses."""

from __future__ import annotations

import ctypes
from math import prod
from typing import ClassVar

import numpy as np

ALIGNMENT = 64
POOL_BYTES = 256 * 2**20  # kept for reuse at most


def address(array):
    """Return where an array's first number lies."""
    try:  # a quarter of the time that NumPy's own ways take, and a call asks for dozens
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, with gaps, or empty
        return array.__array_interface__["data"][0]


class _Block:
    """Memory that goes back to the pool when the last array in it is gone: fresh pages cost more than filling them."""

    free: ClassVar[dict[int, list[np.ndarray]]] = {}
    held: ClassVar[int] = 0

    def __init__(self, size):
        try:  # asking first whether one waits would race with other threads
            self.raw, self.__array_interface__ = _Block.free[size].pop()
            _Block.held -= size
        except (KeyError, IndexError):
            self.raw = np.empty(size + ALIGNMENT, np.uint8)
            start = address(self.raw) + -address(self.raw) % ALIGNMENT
            self.__array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (start, False), "version": 3}
        self.size = size

    def __del__(self):
        if _Block.held + self.size > POOL_BYTES:
            release()  # what waits is of sizes that nobody asks for any more
        if self.size <= POOL_BYTES:
            _Block.free.setdefault(self.size, []).append((self.raw, self.__array_interface__))
            _Block.held += self.size


def empty(shape, dtype):
    """Return an uninitialised array that starts on a cache line."""
    size = prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    return np.asarray(_Block(size)).view(dtype).reshape(shape)


def release():
    """Give the memory that waits for reuse back to the system."""
    _Block.free.clear()
    _Block.held = 0


def zeros(shape, dtype):
    """Return an array of zeros that starts on a cache line."""
    out = empty(shape, dtype)
    out[...] = 0
    return out
