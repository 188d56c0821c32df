"""The named functions of a cell body: accurate over the whole range of numbers, on every number system."""

import warnings

import numpy as np
import pytest
from number_systems import EVERY, SYSTEMS

from rnnbench import ops

ULPS = 4
ABSOLUTE = {"float32": 3e-7, "float64": 0.0}
LD = np.longdouble


def smaller(x, y):
    """`where` and `less` together: the only way a cell uses them."""
    return ops.where(ops.less(x, y), x, y)


def tenth(x):
    """A constant that has no exact value."""
    return ops.const(0.1, x)


def zero_and_one(x):
    """The constants that cells need most."""
    return ops.zero(x) + ops.one(x)


EXACT = {  # one rounding at most: NumPy's own answer, bit for bit
    "one_minus": (ops.one_minus, lambda x: x.dtype.type(1) - x),
    "square": (ops.square, lambda x: x * x),
    "sqrt": (ops.sqrt, np.sqrt),
    "absolute": (ops.absolute, np.abs),
    "relu": (ops.relu, lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, x.dtype.type(0)))),
    "step": (ops.step, lambda x: np.where(np.isnan(x), x, (x > 0).astype(x.dtype))),
    "linear": (ops.linear, lambda x: x),
    "tenth": (tenth, lambda x: np.full_like(x, 0.1)),
    "zero_and_one": (zero_and_one, np.ones_like),
    "d_relu": (ops.d_relu, lambda x: np.where(np.isnan(x), x, (x > 0).astype(x.dtype))),
    "maximum": (ops.maximum, np.maximum),
    "minimum": (ops.minimum, np.minimum),
    "smaller": (smaller, lambda x, y: np.where(x < y, x, y)),
}
ROUNDED = {  # against long double
    "exp": (ops.exp, np.exp),
    "log": (ops.log, np.log),
    "sigmoid": (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "log_sigmoid": (ops.log_sigmoid, lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))),
    "tanh": (ops.tanh, np.tanh),
}
BINARY = ("maximum", "minimum", "smaller")


def grid(dtype):
    """Numbers of every magnitude and both signs, densest where functions bend; denormals, ±0, ±inf, NaN."""
    info = np.finfo(dtype)
    magnitudes = np.geomspace(LD(info.smallest_subnormal), LD(info.max), 6001).astype(dtype)
    bends = np.concatenate([np.linspace(-110, 110, 8001), np.linspace(-3, 3, 6001), np.linspace(-760, 760, 4001)])
    around_one = 1 + np.linspace(-1e-3, 1e-3, 2001)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, info.tiny, -info.tiny, info.max, -info.max, info.eps, 1.0, -1.0]
    return np.concatenate([magnitudes, -magnitudes, *(np.array(v, dtype) for v in (bends, around_one, special))])


def pairs(dtype):
    """Pairs with every order, ties, both zeros and NaN on either side."""
    x = grid(dtype)[::7]
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30], dtype)
    a, b = (m.ravel() for m in np.meshgrid(special, special))
    return np.concatenate([x, x, a, x]), np.concatenate([x[::-1], x, b, -x])


def run(system, function, *arrays):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SYSTEMS[system](function, *arrays)


def quiet(function, *arrays):
    with np.errstate(all="ignore"):
        return function(*arrays)


def assert_accurate(got, exact, dtype, where, ulps=ULPS, absolute=None):
    """`exact` is long double. Numbers below the smallest normal one may be flushed to zero."""
    info = np.finfo(dtype)
    expected = quiet(lambda: exact.astype(dtype))
    nan, infinite = np.isnan(expected), np.isinf(expected)
    np.testing.assert_array_equal(np.isnan(got), nan, err_msg="NaN")
    np.testing.assert_array_equal(got[infinite], expected[infinite])
    finite = ~nan & ~infinite
    assert np.isfinite(got[finite]).all()
    error = np.abs(got[finite].astype(LD) - exact[finite])
    allowed = np.maximum(ulps * np.spacing(np.abs(expected[finite])).astype(LD), LD(info.tiny))
    allowed = np.maximum(allowed, LD(ABSOLUTE[dtype] if absolute is None else absolute))
    worst = np.argmax(error / allowed)
    assert error[worst] <= allowed[worst], (
        f"at {where[finite][worst]!r}: got {got[finite][worst]!r}, expected {expected[finite][worst]!r}, "
        f"{float(error[worst] / np.spacing(np.abs(expected[finite][worst]))):.1f} ulp"
    )


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("name", EXACT)
def test_functions_of_one_rounding_are_exact(name, system, dtype):
    function, expected = EXACT[name]
    arrays = pairs(dtype) if name in BINARY else (grid(dtype),)
    got = run(system, function, *arrays)
    got = np.broadcast_to(got, arrays[0].shape)  # a constant of NumPy is one number
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, quiet(expected, *arrays))


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("name", ROUNDED)
def test_functions_are_accurate_over_the_whole_range(name, system, dtype):
    function, expected = ROUNDED[name]
    x = grid(dtype)
    got = run(system, function, x)
    assert got.dtype == np.dtype(dtype)
    assert_accurate(got, quiet(expected, x.astype(LD)), dtype, x)


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("name", ROUNDED)
def test_the_tails_keep_their_relative_accuracy(name, system, dtype):
    """An absolute error would hide there: e**x and sigmoid far below 0, tanh near 0."""
    function, expected = ROUNDED[name]
    x = grid(dtype)
    assert_accurate(run(system, function, x), quiet(expected, x.astype(LD)), dtype, x, ulps=8, absolute=0.0)


@pytest.mark.parametrize("system, dtype", EVERY)
def test_sigmoid_and_tanh_stay_in_their_range(system, dtype):
    x = grid(dtype)
    x = x[~np.isnan(x)]
    y = run(system, ops.sigmoid, x)
    assert y.min() >= 0 and y.max() <= 1
    y = run(system, ops.tanh, x)
    assert np.abs(y).max() <= 1
    np.testing.assert_array_equal(run(system, ops.tanh, -x), -y)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


EXACT_VALUES = [
    (ops.sigmoid, [100, 1e30, np.inf, -np.inf, 0, -0.0], [1, 1, 1, 0, 0.5, 0.5]),
    (ops.tanh, [20, -20, 1e30, -1e30, np.inf, -np.inf, 0], [1, -1, 1, -1, 1, -1, 0]),
    (ops.exp, [0, -0.0, np.inf, -np.inf, 1000, -1000, -1e30], [1, 1, np.inf, 0, np.inf, 0, 0]),
    (ops.log, [1, 0, -0.0, np.inf, -1, -np.inf], [0, -np.inf, -np.inf, np.inf, np.nan, np.nan]),
    (ops.log_sigmoid, [np.inf, -np.inf, 1e30, -1e30, 2000, -2000], [0, -np.inf, 0, -1e30, 0, -2000]),
    (ops.sqrt, [0, 4, np.inf, -1, -np.inf], [0, 2, np.inf, np.nan, np.nan]),
    (ops.relu, [0, -0.0, -1, 3, -np.inf, np.inf], [0, 0, 0, 3, 0, np.inf]),
    (ops.step, [0, -0.0, -1, 3, -np.inf, np.inf, 1e-30], [0, 0, 0, 1, 0, 1, 1]),
    (ops.d_linear, [0, -3, 7], [1, 1, 1]),
    (ops.d_step, [0, 1], [0, 0]),
    (ops.d_relu, [0, -0.0, 5], [0, 0, 1]),
]


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("function, x, expected", EXACT_VALUES, ids=[f.__name__ for f, *_ in EXACT_VALUES])
def test_exact_values(function, x, expected, system, dtype):
    x = np.array(x, dtype)
    np.testing.assert_array_equal(np.broadcast_to(run(system, function, x), x.shape), np.array(expected, dtype))


@pytest.mark.parametrize("system, dtype", EVERY)
def test_saturation_lets_the_derivative_reach_zero(system, dtype):
    x = np.array([20, -20, 100, -100, 1e4], dtype)
    assert not run(system, ops.d_tanh, run(system, ops.tanh, x)).any()
    y = run(system, ops.sigmoid, np.array([100, -100, -1e4], dtype))
    assert 0 <= y[1] < 1e-38 and y[2] == 0
    assert np.all(run(system, ops.d_sigmoid, y) < 1e-38)


UNARY = {f.__name__: f for f in (
    ops.exp, ops.log, ops.sqrt, ops.sigmoid, ops.tanh, ops.relu, ops.step, ops.linear, ops.absolute, ops.one_minus,
    ops.square, ops.log_sigmoid, ops.d_sigmoid, ops.d_log_sigmoid, ops.d_tanh, ops.d_relu, ops.d_step,
)}  # fmt: skip


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("name", UNARY)
def test_nan_passes_through_and_moves_nothing_beside_it(name, system, dtype):
    x = np.linspace(0.1, 0.9, 67).astype(dtype)  # no whole number of vectors
    clean = run(system, UNARY[name], x)
    for at in (0, 5, 66):
        spoiled = x.copy()
        spoiled[at] = np.nan
        got = run(system, UNARY[name], spoiled)
        assert np.isnan(got[at])
        np.testing.assert_array_equal(np.delete(got, at), np.delete(clean, at))


@pytest.mark.parametrize("system, dtype", EVERY)
def test_nan_passes_through_functions_of_several(system, dtype):
    nan, one = np.full(3, np.nan, dtype), np.ones(3, dtype)
    for function in (ops.maximum, ops.minimum):
        for pair in ((nan, one), (one, nan), (nan, nan), (nan, -np.inf * one), (np.inf * one, nan)):
            assert np.isnan(run(system, function, *pair)).all()
    for triple in ((nan, one, one), (one, nan, one), (one, one, nan)):
        assert np.isnan(run(system, ops.fma, *triple)).all()
    np.testing.assert_array_equal(run(system, smaller, nan, one), one)  # no comparison with NaN holds
    assert np.isnan(run(system, smaller, one, nan)).all()


@pytest.mark.parametrize("system, dtype", EVERY)
def test_ties_take_the_first(system, dtype):
    plus, minus = np.zeros(5, dtype), -np.zeros(5, dtype)
    for function in (ops.maximum, ops.minimum):
        assert not np.signbit(run(system, function, plus, minus)).any()
        assert np.signbit(run(system, function, minus, plus)).all()


@pytest.mark.parametrize("system, dtype", EVERY)
def test_fma(system, dtype):
    rng = np.random.default_rng(0)
    x, y, z = (rng.normal(size=1003).astype(dtype) * dtype_scale for dtype_scale in np.array([1, 100, 10], dtype))
    got = run(system, ops.fma, x, y, z)
    exact = x.astype(LD) * y.astype(LD) + z.astype(LD)
    largest = np.abs(x * y) + np.abs(z)  # two roundings are as good as one against this
    assert got.dtype == np.dtype(dtype)
    assert np.all(np.abs(got.astype(LD) - exact) <= np.spacing(largest))


@pytest.mark.parametrize("system, dtype", EVERY)
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_derivatives_from_values(name, system, dtype):
    d_f = {"sigmoid": ops.d_sigmoid, "tanh": ops.d_tanh}[name]
    y = np.linspace(0 if name == "sigmoid" else -1, 1, 3001).astype(dtype)
    wide = y.astype(LD)
    exact = wide * (1 - wide) if name == "sigmoid" else 1 - wide * wide
    assert_accurate(run(system, d_f, y), exact, dtype, y, absolute=np.finfo(dtype).eps)


@pytest.mark.skipif(np.finfo(LD).nmant <= 52, reason="long double is no wider than double here")
def test_the_yardstick_can_tell():
    x = np.linspace(-5, 5, 101)
    assert_accurate(np.exp(x), np.exp(x.astype(LD)), "float64", x)
    with pytest.raises(AssertionError, match="ulp"):
        assert_accurate(np.exp(x) * (1 + 6 * np.finfo(float).eps), np.exp(x.astype(LD)), "float64", x)
    with pytest.raises(AssertionError, match="ulp"):
        clamped = np.maximum(1 / (1 + np.exp(-x * 10)), 1e-6).astype(np.float32)
        assert_accurate(clamped, 1 / (1 + np.exp(-x.astype(LD) * 10)), "float32", x)
