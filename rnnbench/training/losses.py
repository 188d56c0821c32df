"""What training makes small, from logits or outputs: the value of each replica and the gradient, in one pass.

==========  ====================================================================================  ==================
name        of one position                                                                       target
==========  ====================================================================================  ==================
softmax     ln sum_j exp(z_j) - z_target (nats), gradient softmax(z) - onehot(target)              class
logistic    sum over the outputs of ln(1 + exp(z)) - t z (nats), gradient sigmoid(z) - t           t, in [0, 1]
squared     sum over the outputs of (y - t)^2, gradient 2 (y - t)                                  t
==========  ====================================================================================  ==================

The loss of a batch is the sum over time (over the scored positions) and the mean over the batch, the lectures'
convention; ``mean="positions"`` is the mean over all scored positions of a replica instead.

Sources: J. S. Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, Neurocomputing, 1990
(softmax with its cross-entropy); I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.2 (the sum
over time).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba.core import types
from numba.core.extending import register_jitable

from rnnbench import ops
from rnnbench.kernels import memory
from rnnbench.kernels.build import compile_function
from rnnbench.kernels.engine import NUMBA_TYPES
from rnnbench.layers import arguments
from rnnbench.ops import jit  # noqa: F401 (what exp and log mean in compiled code)

MEANS = ("batch", "positions")


def loss(kind, y, target, mask=None, *, mean="batch", replicas=False):
    """Return the loss and its gradient.

    Parameters
    ----------
    kind : "softmax", "logistic" or "squared"
    y : (T, B, O) or (B, O) array, float32 or float64
        Outputs; logits for softmax and logistic.
    target : (T, B) or (B,) ints for softmax, else an array shaped like y and of its dtype
    mask : (T, B) or (B,) bool array, optional
        The scored positions; all unless given.
    mean : "batch" or "positions"
    replicas : bool
        Whether y, target and mask have a leading replica axis.

    Returns
    -------
    value : float, or (R,) float64 array
        A replica without scored positions has loss 0.
    dy : array like y
        0 where nothing is scored.

    Raises
    ------
    ValueError, TypeError
        For shapes and dtypes that do not fit, and for classes that are none.
    """
    arguments.one_of("loss", kind, tuple(KINDS))
    arguments.one_of("mean", mean, MEANS)
    if not isinstance(arguments.unmasked("y", y), np.ndarray) or y.dtype not in NUMBA_TYPES:
        raise TypeError(f"y: got {getattr(y, 'dtype', type(y).__name__)}, expected a float32 or float64 array")
    if y.ndim - bool(replicas) not in (2, 3):
        axes = "(R, T, B, O) or (R, B, O)" if replicas else "(T, B, O) or (B, O)"
        raise ValueError(f"y: got shape {y.shape}, expected {axes}")
    copies = len(y) if replicas else 1
    target = _target(kind, y, target)
    mask = np.ones(y.shape[:-1], bool) if mask is None else arguments.array("mask", mask, y.shape[:-1], bool)
    mask = mask.reshape(copies, -1)
    counted = np.full(copies, y.shape[-2]) if mean == "batch" else np.count_nonzero(mask, axis=1)
    weight = (1 / np.maximum(counted, 1)).astype(y.dtype)
    y = np.ascontiguousarray(y)
    dy, total = memory.empty(y.shape, y.dtype), np.zeros(copies)
    flat = (copies, mask.shape[1], y.shape[-1])
    bad = _compiled(kind, y.dtype)(
        y.reshape(flat), target.reshape(flat[: target.ndim - y.ndim + 3]), mask, weight, dy.reshape(flat), total
    )
    if bad >= 0:
        raise ValueError(f"target: got class {target.ravel()[bad]}, expected 0 to {y.shape[-1] - 1}")
    total *= weight
    return (total if replicas else float(total[0])), dy


def _target(kind, y, target):
    if kind != "softmax":
        return arguments.array("target", target, y.shape, y.dtype)
    if not isinstance(target, np.ndarray) or not np.issubdtype(target.dtype, np.integer):
        raise TypeError(f"target: got {getattr(target, 'dtype', type(target).__name__)}, expected an array of integers")
    return arguments.array("target", target.astype(np.int64, copy=False), y.shape[:-1], np.int64)


@cache
def _compiled(kind, dtype):
    """The compiled pass over (R, N, O) logits; it returns where the first target is that is none, or -1."""
    number = NUMBA_TYPES[dtype]
    given = types.Array(number, 3, "C", readonly=True)
    target = types.Array(types.int64, 2, "C", readonly=True) if kind == "softmax" else given
    mask = types.Array(types.boolean, 2, "C", readonly=True)
    weight, dy, total = (types.Array(*of, "C") for of in ((number, 1), (number, 3), (types.float64, 1)))
    return compile_function(KINDS[kind], types.int64(given, target, mask, weight, dy, total))


def _softmax(z, target, mask, weight, dz, total):
    copies, rows, width = z.shape
    for r in range(copies):
        for n in range(rows):
            d = dz[r, n]
            if not mask[r, n]:
                d[:] = 0
                continue
            t = target[r, n]
            if t < 0 or t >= width:
                return r * rows + n
            top = _largest(z[r, n])
            for j in range(width):
                d[j] = ops.exp(z[r, n, j] - top)
            sum_ = _sum(d)
            total[r] += ops.log(sum_) - (z[r, n, t] - top)
            scale = weight[r] / sum_
            for j in range(width):
                d[j] *= scale
            d[t] -= weight[r]
    return -1


@register_jitable
def _largest(row):
    """The maximum; four at a time, for a comparison waits for the one before."""
    a = b = c = d = row[0]
    whole = len(row) // 4 * 4
    for j in range(0, whole, 4):
        a = row[j] if row[j] > a else a
        b = row[j + 1] if row[j + 1] > b else b
        c = row[j + 2] if row[j + 2] > c else c
        d = row[j + 3] if row[j + 3] > d else d
    for j in range(whole, len(row)):
        a = row[j] if row[j] > a else a
    a, c = max(a, b), max(c, d)
    return max(a, c)


@register_jitable
def _sum(row):
    """The sum; four at a time, for the same reason, and always in the same order."""
    a = b = c = d = row[0] - row[0]
    whole = len(row) // 4 * 4
    for j in range(0, whole, 4):
        a += row[j]
        b += row[j + 1]
        c += row[j + 2]
        d += row[j + 3]
    for j in range(whole, len(row)):
        a += row[j]
    return (a + b) + (c + d)


def _logistic(z, target, mask, weight, dz, total):
    copies, rows, width = z.shape
    for r in range(copies):
        x, t, d = z[r].ravel(), target[r].ravel(), dz[r].ravel()
        for i in range(len(x)):  # loops without a condition, which run on SIMD vectors
            d[i] = ops.relu(x[i]) - t[i] * x[i] + ops.log(ops.one(x[i]) + ops.exp(-ops.absolute(x[i])))
        sum_ = total[r]  # not in memory, where every addition would wait for the one before to be written
        for n in range(rows):
            if mask[r, n]:
                for j in range(width):
                    sum_ += dz[r, n, j]
        total[r] = sum_
        for i in range(len(x)):
            d[i] = (ops.sigmoid(x[i]) - t[i]) * weight[r]
        for n in range(rows):
            if not mask[r, n]:
                dz[r, n] = 0
    return -1


def _squared(y, target, mask, weight, dy, total):
    copies, rows, width = y.shape
    for r in range(copies):
        sum_ = total[r]
        for n in range(rows):
            for j in range(width):
                if mask[r, n]:
                    error = y[r, n, j] - target[r, n, j]
                    sum_ += error * error
                    dy[r, n, j] = (error + error) * weight[r]
                else:
                    dy[r, n, j] = 0
        total[r] = sum_
    return -1


KINDS = {"softmax": _softmax, "logistic": _logistic, "squared": _squared}
