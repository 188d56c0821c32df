"""What this machine needs for CUDA, said in one sentence when it is missing; and device memory.

Imports nothing of CUDA until it is asked to: the CPU never depends on it.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cache

import numpy as np

INSTALL = "pip install 'rnnbench[cuda]' brings it"
OLDEST = 7, 5  # compute capability that CUDA 13 still compiles for
_advice = threading.Lock()


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


def launch(kernel, grid, block, *given) -> None:
    """Run a kernel, without Numba's advice on small grids: a small batch makes one."""
    if simulated():
        kernel[grid, block](*given)
        return
    from numba.cuda import dispatcher

    with _advice:
        before = dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS
        dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
        try:
            configured = kernel[grid, block]
        finally:
            dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = before
    configured(*given)


def empty(size, dtype):
    """Return flat device memory, not initialised.

    Raises
    ------
    MemoryError
        Naming how much was asked for.
    """
    from numba import cuda

    return _guarded(lambda: cuda.device_array(max(int(size), 1), np.dtype(dtype)), size * np.dtype(dtype).itemsize)


def upload(array):
    """Return a flat copy of an array in device memory."""
    from numba import cuda

    flat = np.ascontiguousarray(array).reshape(-1)
    if not flat.size:
        return empty(1, flat.dtype)
    return _guarded(lambda: cuda.to_device(flat), flat.nbytes)


def download(array, shape):
    """Return a NumPy array of this shape from flat device memory."""
    size = int(np.prod(shape))
    if not size:
        return np.zeros(shape, array.dtype)
    return np.asarray(array.copy_to_host())[:size].reshape(shape)


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
