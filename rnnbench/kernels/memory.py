"""Aligned arrays from a pool, for kernels that work on addresses."""

from __future__ import annotations

import math
from contextlib import suppress
from ctypes import addressof, c_char
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np

ALIGNMENT = 64
POOL_BYTES = 256 * 2**20  # kept for reuse at most


def address(array):
    """Return where an array's first number lies."""
    try:
        return addressof(c_char.from_buffer(array))  # a quarter of the time of what is right for every array
    except (TypeError, ValueError, BufferError):  # read-only, empty, with gaps
        return array.__array_interface__["data"][0]


def by_replica(array):
    """Return (R, ...) numbers of which those of each replica are contiguous: the array, or else a copy."""
    return array if array[0].flags.c_contiguous else np.ascontiguousarray(array)


class Arrays(dict):
    """Arrays (R, ...) by name, those of each replica contiguous; and where they lie, found out once.

    Attributes
    ----------
    addresses : dict of int
        Where each starts.
    apart : dict of int
        How many bytes the replicas of each lie apart; 0 where there is one.
    plans : dict
        What a driver has looked up for them.
    """

    def __init__(self, arrays):
        super().__init__({key: by_replica(value) for key, value in arrays.items()})
        self.addresses = {key: address(value[0]) for key, value in self.items()}
        self.apart = {key: value.strides[0] if len(value) > 1 else 0 for key, value in self.items()}
        self.plans = {}

    @classmethod
    def of(cls, arrays):
        """The same, or if it is a plain dict, one of these."""
        return arrays if isinstance(arrays, cls) else cls(arrays)


LARGE = 2**30  # bytes, from which it is asked first whether there are so many


def require(size, what):
    """Refuse to begin what cannot be held: the system would grant it, and end the process midway.

    Raises
    ------
    MemoryError
    """
    if size < LARGE or size <= available():
        return
    release()
    if size > (free := available()):
        raise MemoryError(
            f"{what} takes {size / 2**30:.1f} GiB, expected at most the {free / 2**30:.1f} GiB that are free; shorter "
            "or fewer sequences need less, and so do checkpoint= and tape=False"
        )


def available():
    """Return how many bytes this process can still get, as far as the system tells; else infinity."""
    free = [math.inf]
    with suppress(OSError, ValueError, IndexError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    with suppress(OSError, ValueError):  # what a container may have, files that it can do without not counted
        group = Path("/sys/fs/cgroup")
        held = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / "memory.current").read_text()) - int(held.get("inactive_file", 0))
        free.append(int((group / "memory.max").read_text()) - used)
    return min(free)


class _Pages(np.ndarray):
    """Memory that starts on a cache line.

    A class of its own, or NumPy would take it for the base of what lies in a loan of it, and let the loan go.
    """


class _Loan(np.ndarray):
    """Memory that goes back to the pool when the last array in it is gone: fresh pages cost more than filling them."""

    __slots__ = ()
    free: ClassVar[dict[int, list[_Pages]]] = {}
    held: ClassVar[int] = 0

    def __del__(self):
        size = self.size
        if type(self.base) is not _Pages:
            return  # a piece or a copy of one
        if _Loan.held + size > POOL_BYTES:
            release()  # what waits is of sizes that nobody asks for any more
        if size <= POOL_BYTES:
            _Loan.free.setdefault(size, []).append(self.base)
            _Loan.held += size


def _loan(size):
    try:  # asking first whether one waits would race with other threads
        pages = _Loan.free[size].pop()
        _Loan.held -= size
    except (KeyError, IndexError):
        raw = np.empty(size + ALIGNMENT, np.uint8)
        start = -address(raw) % ALIGNMENT
        pages = raw[start : start + size].view(_Pages)
    return _Loan(size, np.uint8, pages)


def empty(shape, dtype):
    """Return an uninitialised array that starts on a cache line."""
    size = prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, _loan(size))


def release():
    """Give the memory that waits for reuse back to the system."""
    _Loan.free.clear()
    _Loan.held = 0


def zeros(shape, dtype):
    """Return an array of zeros that starts on a cache line."""
    out = empty(shape, dtype)
    out[...] = 0
    return out
