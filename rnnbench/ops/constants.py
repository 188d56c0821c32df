"""The numbers that the named functions are computed from, for both precisions.

The polynomials are Chebyshev interpolants of the function on the reduced range, computed at 60 digits.
"""

from __future__ import annotations

from numba.core import types

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


def _rows(dtype):
    half = EXP_LIMIT[dtype] / 2
    parts = LOG2_E, SHIFT[dtype], SHIFT[dtype], -LN2_HIGH[dtype], -LN2_LOW[dtype], 0.5, *EXP_TAIL[dtype]
    return {
        ("exp", dtype): (0.5, half, -half, *parts),
        ("sigmoid", dtype): (-0.5, -half, 1.0, 1.0, *parts),
        ("tanh", dtype): (TANH_LIMIT[dtype], -1.0, 2.0, *parts),
    }


# Each function's numbers in a row, for `primitives.constants`: its own, then what it hands on to `exp_parts`. What two
# instructions use is there twice, for each to have an operand in memory.
ROWS = _rows(types.float32) | _rows(types.float64)
