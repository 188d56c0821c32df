"""The named functions for compiled code: SIMD vectors on the CPU, scalars on a GPU.

One text for all widths and both precisions. The polynomials are Chebyshev interpolants of the function on the reduced
range, computed at 60 digits; ``tests/test_ops.py`` holds every function to its promised accuracy.
"""

from __future__ import annotations

from numba.core import types
from numba.core.extending import overload, register_jitable

from rnnbench import ops
from rnnbench.ops import primitives
from rnnbench.ops.primitives import const, copysign, fma, horner, power_of_two, scalar_type, select, split, unordered
from rnnbench.ops.vector import Mask, is_real

LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has few enough bits for its product with an exponent to be exact.
LN2_HIGH = {types.float32: 0.693115234375, types.float64: 0.6931471803691238}
LN2_LOW = {types.float32: 3.1946184945309415e-05, types.float64: 1.9082149292705877e-10}
# Adding it rounds to an integer and leaves that integer's exponent field in the low bits.
SHIFT = {types.float32: 1.5 * 2**23 + 127, types.float64: 1.5 * 2**52 + 1023}
# (e^r - 1 - r - r^2/2) / r^3 on |r| <= ln(2)/2
EXP_TAIL = {
    types.float32: (
        0.16666666666666666, 0.041666553762567636, 0.008333320792253258, 0.0013926325618133463,
        0.0001988285607209004,
    ),
    types.float64: (
        0.16666666666666669, 0.041666666666666664, 0.008333333333330011, 0.0013888888888886517,
        0.00019841269863303223, 2.4801587317322748e-05, 2.75572680728901e-06, 2.7557282693108636e-07,
        2.5100569275813683e-08, 2.0911367871348534e-09,
    ),
}  # fmt: skip
# (2 artanh(s) - 2 s) / s^3 in powers of s^2, |s| <= 1/5
LOG_TAIL = {
    types.float32: (0.6666666627400921, 0.4000031316584595, 0.28532584920242654, 0.23750543842657018),
    types.float64: (
        0.6666666666666666, 0.4000000000000791, 0.28571428567288626, 0.22222223046238151,
        0.1818173779218046, 0.15388861178921123, 0.1320983858287046, 0.13608029180041875,
    ),
}  # fmt: skip
# Beyond: e^x is 0 or inf, tanh is 1 to the last bit; halved, the first stays within the exponent's range.
EXP_LIMIT = {types.float32: 174.0, types.float64: 1400.0}
TANH_LIMIT = {types.float32: 10.0, types.float64: 20.0}
TINY = {types.float32: 2.0**-126, types.float64: 2.0**-1022}
LIFT = {types.float32: 2.0**24, types.float64: 2.0**54}
LIFT_BITS = {types.float32: 24.0, types.float64: 54.0}


def exp_parts(x):
    """(s, q) with e^x = s * (1 + q), s a power of two and \\|q\\| < 0.42; \\|x\\| within the exponent's range."""
    raise TypeError("compiled code only")


@overload(exp_parts)
def _exp_parts(x):
    dtype = scalar_type(x)
    high, low, shift, tail = -LN2_HIGH[dtype], -LN2_LOW[dtype], SHIFT[dtype], EXP_TAIL[dtype]

    def impl(x):
        shifted = fma(x, const(LOG2_E, x), const(shift, x))
        n = shifted - const(shift, x)
        r = fma(n, const(low, x), fma(n, const(high, x), x))
        tail_r = fma(horner(tail, r), r, const(0.5, x))
        return power_of_two(shifted), fma(tail_r, r * r, r)

    return impl


def exp_half_squared(x):
    """e^x over the whole range, as the square of e^(x/2), whose power of two is always a normal number."""
    raise TypeError("compiled code only")


@overload(exp_half_squared)
def _exp_half_squared(x):
    def impl(x):
        s, q = exp_parts(x * const(0.5, x))
        root = fma(s, q, s)
        return root * root

    return impl


@overload(ops.exp)
def _exp(x):
    if not is_real(x):
        return None
    limit = EXP_LIMIT[scalar_type(x)]

    def impl(x):
        high, low = const(limit, x), const(-limit, x)
        x = select(x > high, high, x)
        return exp_half_squared(select(x < low, low, x))

    return impl


@overload(ops.sigmoid)
def _sigmoid(x):
    if not is_real(x):
        return None
    limit = EXP_LIMIT[scalar_type(x)]

    def impl(x):
        magnitude = primitives.absolute(x)
        magnitude = select(magnitude > const(limit, x), const(limit, x), magnitude)
        e = exp_half_squared(-magnitude)
        return select(x < const(0, x), e, const(1, x)) / (const(1, x) + e)

    return impl


@overload(ops.tanh)
def _tanh(x):
    if not is_real(x):
        return None
    limit = TANH_LIMIT[scalar_type(x)]

    def impl(x):
        magnitude = primitives.absolute(x)
        magnitude = select(magnitude > const(limit, x), const(limit, x), magnitude)
        s, q = exp_parts(magnitude + magnitude)
        less_one = fma(s, q, s - const(1, x))  # e^(2|x|) - 1
        return copysign(less_one / (less_one + const(2, x)), x)

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
