"""Gradients without back-propagation: a complex step, and central differences.

The complex step f'(p) = Im f(p + ih)/h subtracts nothing, so h may be 1e-30 and the result is exact to rounding. It
stays on the branch that it starts on (`where`, relu, maximum compare real parts); central differences know nothing of
branches, and so tell whether a kink is near. All numbers of an array are perturbed at once: a replica axis carries one
perturbation each.

Sources: J. N. Lyness and C. B. Moler, Numerical differentiation of analytic functions, SIAM Journal on Numerical
Analysis 4, 1967; J. R. R. A. Martins, P. Sturdza and J. J. Alonso, The complex-step derivative approximation, ACM
Transactions on Mathematical Software 29, 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

COMPLEX, CENTRAL = "complex step", "central differences"
COMPLEX_STEP, REAL_STEP = 1e-30, 1e-5
FLOOR = {COMPLEX: 1e-6, CENTRAL: 1e-2}  # what is smaller is no scale: rounding, or the differences' own error


def gradient(
    objective: Callable[[dict[str, np.ndarray]], np.ndarray],
    arrays: Mapping[str, np.ndarray],
    name: str,
    method: str = COMPLEX,
) -> np.ndarray:
    """Return the gradient of an objective by one of its arrays.

    Parameters
    ----------
    objective : callable
        Takes all arrays, each with R replicas on its first axis, and returns R numbers, one for each replica. For the
        complex step it has to work on complex128.
    arrays : dict of (1, ...) float64 arrays
    name : str
        The array that the gradient is taken by.
    method : "complex step" or "central differences"

    Returns
    -------
    (1, ...) array
        Of the shape of ``arrays[name]``.
    """
    shape = arrays[name].shape
    if not arrays[name].size:
        return np.zeros(shape)
    if method == COMPLEX:
        moved = objective(_perturbed(arrays, name, 1j * COMPLEX_STEP))
        return moved.imag.reshape(shape) / COMPLEX_STEP
    above, below = (objective(_perturbed(arrays, name, h)) for h in (REAL_STEP, -REAL_STEP))
    return (above - below).reshape(shape) / (2 * REAL_STEP)


def relative_error(got: np.ndarray, expected: np.ndarray, method: str) -> float:
    """Return the largest difference, relative to the largest number in `expected`."""
    scale = max(float(np.abs(expected).max(initial=0)), FLOOR[method])
    return float(np.abs(got - expected).max(initial=0)) / scale


def _perturbed(arrays, name, size):
    """All arrays once per number of the array `name`, with `size` added to that number."""
    count, dtype = arrays[name].size, np.result_type(size, np.float64)
    wide = {key: np.repeat(value.astype(dtype), count, axis=0) for key, value in arrays.items()}
    wide[name].reshape(count, count)[np.arange(count), np.arange(count)] += size
    return wide
