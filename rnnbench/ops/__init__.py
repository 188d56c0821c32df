"""The named functions of a cell body, and the only place where numbers are written.

A cell is written once, with ``+ - *`` and the functions below, and runs on four number systems: NumPy arrays
(real and complex), SIMD vectors, scalars on a GPU, plain Python floats. This module is their meaning for
NumPy and for plain floats; :mod:`rnnbench.ops.jit` is their meaning for compiled code.

On every number system NaN passes through, saturation is exact (``sigmoid(100) == 1``, ``tanh(20) == 1``, so that
``d_tanh`` reaches 0), and sigmoid's lower tail keeps its relative accuracy. On complex numbers the functions are
analytic continuations and comparisons look at the real part, so that a complex step gives the derivative.
"""

from __future__ import annotations

import numpy as np


def const(value, like):
    """Return the number `value` in the number system and precision of `like`."""
    return np.asarray(like).dtype.type(value) if isinstance(like, np.ndarray | np.generic) else type(like)(value)


def zero(like):
    """Return 0 as a number of the kind of `like`."""
    return const(0, like)


def one(like):
    """Return 1 as a number of the kind of `like`."""
    return const(1, like)


def one_minus(x):
    """Return 1 - x."""
    return const(1, x) - x


def square(x):
    """Return x * x."""
    return x * x


def fma(x, y, z):
    """Return x*y + z; compiled code rounds once, NumPy twice."""
    return x * y + z


def where(condition, x, y):
    """Return `x` where `condition` holds, else `y`, element by element."""
    return np.where(condition, x, y)[()]


def less(x, y):
    """Return whether x < y (real parts); False where either is NaN."""
    return np.real(x) < np.real(y)


def absolute(x):
    """Return the magnitude of a real number; x or -x by the sign of the real part of a complex one."""
    return where(less(x, zero(x)), -x, x)


def maximum(x, y):
    """Return the larger of two; NaN if either is. Where they tie it is `x`, and so is the derivative."""
    return where(np.isnan(x), x, where(less(x, y) | np.isnan(y), y, x))


def minimum(x, y):
    """Return the smaller of two; NaN if either is. Where they tie it is `x`, and so is the derivative."""
    return where(np.isnan(x), x, where(less(y, x) | np.isnan(y), y, x))


def exp(x):
    """Return e**x; 0 and inf beyond the range."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def log(x):
    """Return the natural logarithm; -inf at 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def sqrt(x):
    """Return the square root; NaN below 0."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


def sigmoid(x):
    """Return 1 / (1 + e**-x), accurate in both tails."""
    e = exp(-absolute(x))
    return where(less(x, zero(x)), e, one(x)) / (const(1, x) + e)


def log_sigmoid(x):
    """Return log(sigmoid(x)), accurate in both tails: nearly x far below 0, nearly -e**-x far above."""
    e = exp(-absolute(x))
    u = one(x) + e
    return minimum(zero(x), x) - (log(u) + (e - (u - one(x))) / u)  # the fraction is what rounding took from u


def tanh(x):
    """Return the hyperbolic tangent."""
    return np.tanh(x)


def relu(x):
    """Return max(x, 0); NaN stays NaN."""
    return where(less(zero(x), x) | np.isnan(x), x, zero(x))


def step(x):
    """Return 1 where x > 0, else 0 (a hard threshold); NaN stays NaN."""
    return where(np.isnan(x), x, where(less(zero(x), x), one(x), zero(x)))


def linear(x):
    """Return x."""
    return x


def d_sigmoid(y):
    """Derivative of sigmoid, from its value y."""
    return y * one_minus(y)


def d_log_sigmoid(y):
    """Derivative of log_sigmoid, from its value y."""
    return one_minus(exp(y))


def d_tanh(y):
    """Derivative of tanh, from its value y."""
    return one_minus(y * y)


def d_relu(y):
    """Derivative of relu, from its value y; 0 at 0."""
    return step(y)


def d_step(y):
    """Derivative of the hard threshold almost everywhere: 0 (NaN stays NaN)."""
    return y * zero(y)


def d_linear(y):
    """Derivative of the identity: 1."""
    return one(y)


ACTIVATIONS = {
    "tanh": (tanh, d_tanh),
    "sigmoid": (sigmoid, d_sigmoid),
    "relu": (relu, d_relu),
    "linear": (linear, d_linear),
    "step": (step, d_step),
}
