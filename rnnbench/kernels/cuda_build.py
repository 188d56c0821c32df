"""Compiling: written kernels and their signatures, for the device at hand or, to look at, for any other."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda, types

import rnnbench.ops.jit  # noqa: F401  the meaning of ops for compiled code
from rnnbench.kernels import cuda_common, cuda_device, cuda_persistent_write, cuda_tensor, cuda_write

TYPES = cuda_common.TYPES
WRITERS = {
    "forward": lambda *given: cuda_write.forward(*given),
    "backward": lambda *given: cuda_write.backward(*given),
    "persistent forward": lambda *given: cuda_persistent_write.forward(*given),
    "persistent backward": lambda *given: cuda_persistent_write.backward(*given),
}
_built: dict[Any, Built] = {}
_device: dict[Any, Any] = {}


@dataclass(frozen=True)
class Built:
    """A kernel ready to be launched, and the order of its table."""

    function: Any
    names: tuple[str, ...]
    constants: dict[str, int]
    arguments: tuple[str, ...]

    def table(self, entries: dict[str, int]) -> np.ndarray:
        """Return the entries in the kernel's order."""
        return np.array([(entries | self.constants)[name] for name in self.names], np.int64)


def build(layout, direction: str, dtype: str, geometry) -> Built:
    """Return a kernel of a cell, one of `WRITERS`; the same one for the same text and functions."""
    kernel = WRITERS[direction](layout, geometry, np.dtype(dtype).itemsize)
    key = kernel.text, tuple(kernel.functions.values()), dtype
    if key not in _built:
        function = cuda.jit(compiled(kernel, dtype))
        _built[key] = Built(function, tuple(kernel.names), kernel.constants, kernel.arguments)
    return _built[key]


def compiled(kernel, dtype: str):
    """Return the Python function of a written kernel."""
    scope = {
        "cuda": cuda, "np": np, "number": np.dtype(dtype).type, "number_type": TYPES[dtype],
        "load_rows": device(cuda_device.load_rows), "load_weights": device(cuda_device.load_weights),
    } | {name: device(function) for name, function in kernel.functions.items()}  # fmt: skip
    if kernel.precision != "ieee":
        scope[f"multiply_add_{kernel.precision}"] = cuda_tensor.MULTIPLY_ADD[kernel.precision]
    name = f"<rnnbench {kernel.name} {len(linecache.cache)}>"
    linecache.cache[name] = len(kernel.text), None, kernel.text.splitlines(True), name  # for tracebacks
    exec(compile(kernel.text, name, "exec"), scope)
    return scope[kernel.name]


def device(function):
    """Return a pure function as one that kernels can call."""
    if function not in _device:
        _device[function] = cuda.jit(device=True)(function)
    return _device[function]


def signature(arguments: tuple[str, ...], dtype: str):
    """Numba's types of a written kernel's arguments, all flat arrays."""
    special = {"table": types.int64, "active": types.int64, "masks": types.uint8}
    return types.void(*(special.get(name, TYPES[dtype])[::1] for name in arguments))


def common(dtype: str, precision: str = "ieee") -> dict[str, tuple[Any, Any]]:
    """{name: (kernel, signature)} of what all cells share."""
    weights, sums, inputs = cuda_common.products(dtype, precision=precision)
    f, i, n, b = TYPES[dtype][::1], types.int64[::1], types.int64, types.uint8[::1]
    return {
        "weights": (weights, types.void(i, n, n, f, n, n, f, n, n, n, n, f, n, n)),
        "sums": (sums, types.void(i, n, n, f, n, n, n, f, n, n)),
        "inputs": (inputs, types.void(i, n, f, n, n, f, n, n, n, f, n)),
        "put": (cuda_common.put, types.void(f, n, n, f, n, n, n, i)),
        "take": (cuda_common.take, types.void(f, n, n, f, n, n, n, i)),
        "put_fed": (cuda_common.put_fed, types.void(f, n, n, f, n, n, n, n, b, n)),
        "gather": (cuda_common.gather, types.void(f, f, i, n)),
        "clear": (cuda_common.clear, types.void(f)),
    }
