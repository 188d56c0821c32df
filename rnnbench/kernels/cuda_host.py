"""What this machine needs for CUDA, said in one sentence when it is missing; streams, launches and device memory.

Imports nothing of CUDA until it is asked to: the CPU never depends on it.
"""

from __future__ import annotations

import importlib.util
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import numpy as np

INSTALL = "pip install 'rnnbench[cuda]' brings it"
OLDEST = 7, 5  # compute capability that CUDA 13 still compiles for
TENSOR_CORES = 8, 0  # that multiply tf32 and bf16
_advice = threading.Lock()
_stream: ContextVar = ContextVar("stream", default=0)  # 0 is Numba's for the default stream


def simulated() -> bool:
    """Whether Numba plays the GPU itself (``NUMBA_ENABLE_CUDASIM=1`` when it was imported)."""
    from numba.core import config

    return bool(getattr(config, "ENABLE_CUDASIM", False))


def require() -> None:
    """Refuse to go on where no GPU can be used.

    Raises
    ------
    RuntimeError
        One sentence that says what is missing and how to get it.
    """
    if simulated():
        return
    if importlib.util.find_spec("numba_cuda") is None:
        raise RuntimeError(f"device 'cuda': the package numba-cuda is not installed; {INSTALL}")
    try:
        from numba import cuda

        available, problem = cuda.is_available(), cuda.cuda_error()
    except Exception as error:  # a broken or mismatched installation fails in many ways
        raise RuntimeError(f"device 'cuda': numba-cuda does not start here ({_brief(error)}); {INSTALL}") from error
    if not available:
        reason = f" ({_brief(problem)})" if problem else ""
        raise RuntimeError(
            f"device 'cuda': no NVIDIA GPU can be used here{reason}; it needs a GPU and NVIDIA's driver for CUDA 13 or "
            "later, and nvidia-smi shows both"
        )
    capability = tuple(cuda.get_current_device().compute_capability)
    if capability < OLDEST:
        raise RuntimeError(
            f"device 'cuda': this GPU has compute capability {capability[0]}.{capability[1]}, "
            f"expected {OLDEST[0]}.{OLDEST[1]} or later (Turing, 2018)"
        )


def require_tensor_cores(precision) -> None:
    """Refuse a precision that the GPU does not have.

    Raises
    ------
    RuntimeError
    """
    if simulated():
        raise RuntimeError(f"precision {precision!r}: Numba's simulator has no tensor cores, expected 'ieee'")
    from numba import cuda

    capability = tuple(cuda.get_current_device().compute_capability)
    if capability < TENSOR_CORES:
        raise RuntimeError(
            f"precision {precision!r}: this GPU has compute capability {capability[0]}.{capability[1]}, "
            f"expected {TENSOR_CORES[0]}.{TENSOR_CORES[1]} or later (Ampere, 2020)"
        )


def _brief(error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__


@cache
def multiprocessors() -> int:
    """How many blocks it takes to give every multiprocessor one."""
    if simulated():
        return 1
    from numba import cuda

    return int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


@contextmanager
def on(stream):
    """Let everything inside the block happen in the order of a stream; None stands for the default stream."""
    token = _stream.set(_numba_stream(stream))
    try:
        yield
    finally:
        _stream.reset(token)


def _numba_stream(stream):
    """Numba's stream for one of Numba, CuPy (``ptr``) or PyTorch (``cuda_stream``), or for a plain handle.

    Raises
    ------
    TypeError
    """
    if stream is None:
        return 0
    if callable(getattr(stream, "auto_synchronize", None)):  # one of Numba's
        return stream
    handle = next((getattr(stream, name) for name in ("ptr", "cuda_stream") if hasattr(stream, name)), stream)
    if isinstance(handle, bool) or not isinstance(handle, int):
        raise TypeError(
            f"stream: got {type(stream).__name__}, expected one of Numba, CuPy or PyTorch, or a handle (an integer)"
        )
    from numba import cuda

    return cuda.external_stream(handle)


def facts() -> tuple[int, int, bool]:
    """Multiprocessors, bytes of shared memory that a block may ask for, and whether blocks can be started together."""
    if simulated():
        return 1, 48 * 1024, True
    from numba import cuda

    device = cuda.get_current_device()
    return multiprocessors(), int(device.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), bool(device.COOPERATIVE_LAUNCH)


def blocks_together(kernel, signature, threads, shared) -> int:
    """Return how many blocks of a kernel can run at the same time, each with so much shared memory, which it allows."""
    if simulated():
        return 1
    from numba.cuda.cudadrv import driver

    compiled = kernel.compile(signature)
    function = compiled._codelibrary.get_cufunc()
    attribute = driver.binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    driver.driver.cuKernelSetAttribute(attribute, shared, function.handle, function.device.id)
    return compiled.max_cooperative_grid_blocks(threads, shared)


def launch(kernel, grid, block, *given, shared=0) -> None:
    """Run a kernel; `shared` is the bytes of dynamic shared memory of a block.

    Without Numba's advice on small grids: a small batch makes one.
    """
    setting = grid, block, _stream.get(), shared
    if simulated():
        kernel[setting](*given)
        return
    from numba.cuda import dispatcher

    with _advice:
        before = dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS
        dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
        try:
            configured = kernel[setting]
        finally:
            dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = before
    configured(*given)


def on_device(value) -> bool:
    """Whether an array lies on a GPU (or on the one that Numba plays)."""
    return hasattr(value, "__cuda_array_interface__") or hasattr(value, "__cuda_ndarray__")


def on_host(array):
    """Return the NumPy array itself, or a copy of one on the GPU."""
    return download(array, array.shape) if on_device(array) else array


def adopt(value):
    """Return Numba's view of an array that lies on the GPU; nothing is copied."""
    if hasattr(value, "__cuda_ndarray__"):
        return value
    from numba import cuda

    return cuda.as_cuda_array(value)


def empty(size, dtype):
    """Return flat device memory, not initialised.

    Raises
    ------
    MemoryError
        Naming how much was asked for.
    """
    from numba import cuda

    def allocate():
        return cuda.device_array(max(int(size), 1), np.dtype(dtype), stream=_stream.get())

    return _guarded(allocate, size * np.dtype(dtype).itemsize)


def upload(array):
    """Return an array flat in device memory: a copy, or, if it lies there already, itself."""
    from numba import cuda

    if on_device(array):
        return array.reshape(-1) if array.size else empty(1, array.dtype)
    flat = np.ascontiguousarray(array).reshape(-1)
    if not flat.size:
        return empty(1, flat.dtype)
    return _guarded(lambda: cuda.to_device(flat, stream=_stream.get()), flat.nbytes)


def download(array, shape):
    """Return a NumPy array of this shape from flat device memory."""
    size = int(np.prod(shape))
    if not size:
        return np.zeros(shape, array.dtype)
    stream = _stream.get()
    host = array.copy_to_host(stream=stream)
    if stream:
        stream.synchronize()
    return np.asarray(host).reshape(-1)[:size].reshape(shape)


def leave(array, shape):
    """Return flat device memory as an array of this shape, where it is."""
    size = int(np.prod(shape))
    if not size:
        from numba import cuda

        return cuda.device_array(shape, array.dtype, stream=_stream.get())
    return array[:size].reshape(shape)


def _guarded(allocate, size):
    try:
        return allocate()
    except Exception as error:
        if "MEMORY" not in str(error).upper():
            raise
        raise MemoryError(
            f"device 'cuda': no room for another {size / 2**20:.0f} MiB on the GPU; "
            "a smaller batch or checkpoint= needs less"
        ) from error
