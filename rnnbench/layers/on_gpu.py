"""Arrays that lie on a GPU, as a layer is given them and gives them back: checked, moved row by row, reshaped."""

from __future__ import annotations

from functools import wraps
from math import prod

import numpy as np

from rnnbench.kernels import cuda_host


def device_array(name, value, dtype, device):
    """Return Numba's view of an array on the GPU; nothing is copied.

    Raises
    ------
    TypeError, ValueError
        For anything else, a mask, or room between the numbers.
    """
    kind = type(value).__name__
    try:
        found = cuda_host.on_device(value)
    except RuntimeError as error:  # PyTorch's, of a tensor that wants a gradient
        raise TypeError(f"{name}: got {kind}, which cannot be read ({error}), expected an array of {dtype}") from error
    if not found:
        raise TypeError(f"{name}: got {kind}, expected a NumPy array of {dtype}")
    if device != "cuda":
        raise TypeError(f"{name}: got {kind} on the GPU, expected a NumPy array of {dtype} with device {device!r}")
    if getattr(value, "__cuda_array_interface__", {}).get("mask") is not None:
        raise TypeError(f"{name}: got {kind} with a mask, expected an array without one")
    value = cuda_host.adopt(value)
    if not value.is_c_contiguous():
        raise ValueError(f"{name}: got strides {value.strides} on the GPU, expected a C-contiguous array")
    return value


def on_gpu_too(places):
    """Let a method that moves rows also move those of arrays on the GPU: by what it makes of their numbers.

    `places` names the method that gives every place without a number 0.
    """

    def wrap(method):
        @wraps(method)
        def moved(self, values):
            if self.trivial and "last" not in places:
                return values
            if isinstance(values, np.ndarray):
                return method(self, values)
            from rnnbench.kernels import cuda_arrays

            *leading, _ = values.shape
            numbers = np.arange(1, prod(leading) + 1).reshape(*leading, 1)
            find = getattr(self, places)
            found = np.stack([find(one) for one in numbers]) if places == "put_mask" else find(numbers)
            return cuda_arrays.gathered(values, found[..., 0])

        return moved

    return wrap
