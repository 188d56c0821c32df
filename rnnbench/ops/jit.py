"""The named functions for compiled code: SIMD vectors on the CPU, scalars on a GPU.

One text for all widths and both precisions. ``tests/test_ops.py`` holds every function to its promised accuracy.
"""

from __future__ import annotations

from numba.core import types
from numba.core.extending import overload, register_jitable

from rnnbench import ops
from rnnbench.ops import primitives
from rnnbench.ops.constants import LIFT, LIFT_BITS, LN2_HIGH, LN2_LOW, LOG_TAIL, TINY
from rnnbench.ops.primitives import (
    const,
    constants,
    copysign,
    fma,
    horner,
    negative,
    power_of_two,
    scalar_type,
    select,
    split,
    unordered,
)
from rnnbench.ops.vector import Mask, is_real


def exp_parts(x, numbers):
    """(s, q) with e^x = s * (1 + q), s a power of two and \\|q\\| < 0.42; \\|x\\| within the exponent's range."""
    log2_e, shift, same_shift, high, low = numbers[:5]
    shifted = fma(x, log2_e, shift)
    n = shifted - same_shift
    r = fma(n, low, fma(n, high, x))
    return power_of_two(shifted), fma(horner(numbers[5:], r), r * r, r)


def exp_squared(x, numbers):
    """e^2x over the whole range, as a square: the power of two in e^x is always a normal number."""
    s, q = exp_parts(x, numbers)
    root = fma(s, q, s)
    return root * root


for _function in (exp_parts, exp_squared):
    register_jitable(_function)


@overload(ops.exp)
def _exp(x):
    if not is_real(x):
        return None

    def impl(x):
        numbers = constants("exp", x)
        half, high, low = numbers[:3]
        x = x * half
        x = select(high < x, high, x)
        return exp_squared(select(low > x, low, x), numbers[3:])

    return impl


@overload(ops.sigmoid)
def _sigmoid(x):
    if not is_real(x):
        return None

    def impl(x):
        numbers = constants("sigmoid", x)
        minus_half, limit, one, same_one = numbers[:4]
        half = primitives.absolute(x) * minus_half
        e = exp_squared(select(limit > half, limit, half), numbers[4:])
        return select(negative(x), e, one) / (same_one + e)

    return impl


@overload(ops.tanh)
def _tanh(x):
    if not is_real(x):
        return None

    def impl(x):
        numbers = constants("tanh", x)
        limit, minus_one, two = numbers[:3]
        magnitude = primitives.absolute(x)
        magnitude = select(limit < magnitude, limit, magnitude)
        s, q = exp_parts(magnitude + magnitude, numbers[3:])
        less_one = fma(s, q, s + minus_one)  # e^(2|x|) - 1
        return copysign(less_one / (less_one + two), x)

    return impl


@overload(ops.log)
def _log(x):
    if not is_real(x):
        return None
    dtype = scalar_type(x)
    high, low, tail = LN2_HIGH[dtype], LN2_LOW[dtype], LOG_TAIL[dtype]
    tiny, lift, lift_bits = TINY[dtype], LIFT[dtype], LIFT_BITS[dtype]

    def impl(x):
        is_tiny = x < const(tiny, x)
        m, e = split(select(is_tiny, x * const(lift, x), x))
        e = select(is_tiny, e - const(lift_bits, x), e)
        f = m - const(1, x)
        s = f / (m + const(1, x))
        z = s * s
        # log m = f - s (f - z P(z)), exact in its leading term
        y = fma(e, const(low, x), -(s * (f - z * horner(tail, z))))
        y = fma(e, const(high, x), f + y)
        y = select(x > const(0, x), y, select(x < const(0, x), const(float("nan"), x), const(float("-inf"), x)))
        return select(unordered(x), x, select(x == const(float("inf"), x), x, y))

    return impl


@overload(ops.const)
def _const(value, like):
    return (lambda value, like: const(value, like)) if is_real(like) else None


@overload(ops.zero)
def _zero(like):
    return (lambda like: const(0, like)) if is_real(like) else None


@overload(ops.one)
def _one(like):
    return (lambda like: const(1, like)) if is_real(like) else None


@overload(ops.one_minus)
def _one_minus(x):
    return (lambda x: const(1, x) - x) if is_real(x) else None


@overload(ops.fma)
def _fma(x, y, z):
    return (lambda x, y, z: fma(x, y, z)) if is_real(x) else None


@overload(ops.sqrt)
def _sqrt(x):
    return (lambda x: primitives.sqrt(x)) if is_real(x) else None


@overload(ops.absolute)
def _absolute(x):
    return (lambda x: primitives.absolute(x)) if is_real(x) else None


@overload(ops.less)
def _less(x, y):
    return (lambda x, y: x < y) if is_real(x) else None


@overload(ops.where)
def _where(condition, x, y):
    if isinstance(condition, Mask | types.Boolean) and is_real(x):
        return lambda condition, x, y: select(condition, x, y)
    return None


@overload(ops.maximum)
def _maximum(x, y):
    if not is_real(x):
        return None
    return lambda x, y: select(unordered(x), x, select(unordered(y), y, select(x < y, y, x)))


@overload(ops.minimum)
def _minimum(x, y):
    if not is_real(x):
        return None
    return lambda x, y: select(unordered(x), x, select(unordered(y), y, select(y < x, y, x)))


@overload(ops.relu)
def _relu(x):
    return (lambda x: select(x <= const(0, x), const(0, x), x)) if is_real(x) else None


@overload(ops.step)
def _step(x):
    if not is_real(x):
        return None
    return lambda x: select(unordered(x), x, select(x > const(0, x), const(1, x), const(0, x)))


for _function in (
    ops.square, ops.linear, ops.log_sigmoid, ops.d_sigmoid, ops.d_log_sigmoid, ops.d_tanh, ops.d_relu, ops.d_step,
    ops.d_linear,
):  # fmt: skip
    register_jitable(_function)
