"""What only NumPy and Python numbers do: complex steps, precision kept in every shape, scalars."""

import numpy as np
import pytest

from rnnbench import ops

STEP = 1e-30


def derivative(function, x):
    """The derivative by a complex step."""
    return np.imag(function(x + 1j * STEP)) / STEP


@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_every_activation_has_its_derivative(name):
    f, d_f = ops.ACTIVATIONS[name]
    x = np.concatenate([np.linspace(-25, 25, 1000), [-700.0, -1e-8, 1e-8, 300.0]])  # not 0, where relu has a kink
    np.testing.assert_allclose(derivative(f, x), d_f(f(x)) + 0 * x, rtol=1e-13, atol=1e-15)
    h = 1e-6
    smooth = np.abs(x) > 1e-5
    central = (f(x + h) - f(x - h)) / (2 * h)
    np.testing.assert_allclose(central[smooth], (d_f(f(x)) + 0 * x)[smooth], atol=1e-7)


def test_log_sigmoid_has_its_derivative():
    x = np.linspace(-40, 40, 1001)  # with 0, where the parts have kinks that cancel
    expected = ops.d_log_sigmoid(ops.log_sigmoid(x))
    np.testing.assert_allclose(derivative(ops.log_sigmoid, x), expected, rtol=1e-13, atol=1e-15)


X = np.concatenate([-np.geomspace(1e-3, 50, 40), np.geomspace(1e-3, 50, 40)])
DERIVATIVES = {
    "exp": (ops.exp, X, np.exp),
    "log": (ops.log, X[40:], lambda x: 1 / x),
    "sqrt": (ops.sqrt, X[40:], lambda x: 0.5 / np.sqrt(x)),
    "square": (ops.square, X, lambda x: 2 * x),
    "log_sigmoid": (ops.log_sigmoid, np.append(X, 0.0), lambda x: 1 / (1 + np.exp(x))),
    "one_minus": (ops.one_minus, X, lambda x: -np.ones_like(x)),
    "absolute": (ops.absolute, X, np.sign),
    "maximum with 1": (lambda x: ops.maximum(x, np.ones_like(x)), X, lambda x: np.where(x >= 1, 1.0, 0)),
    "maximum of 1 with": (lambda x: ops.maximum(np.ones_like(x), x), X, lambda x: np.where(x > 1, 1.0, 0)),
    "minimum with 1": (lambda x: ops.minimum(x, np.ones_like(x)), X, lambda x: np.where(x <= 1, 1.0, 0)),
    "where": (lambda x: ops.where(ops.less(x, ops.const(2, x)), x * x, -x), X, lambda x: np.where(x < 2, 2 * x, -1)),
    "fma": (lambda x: ops.fma(x, x, x), X, lambda x: 2 * x + 1),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_complex_step_gives_the_derivative(name):
    function, x, expected = DERIVATIVES[name]
    np.testing.assert_allclose(derivative(function, x), expected(x), rtol=1e-14)


def test_the_derivative_of_a_tie_is_that_of_the_first():
    tie = np.array([2.0])
    for function in (ops.maximum, ops.minimum):
        assert derivative(lambda x, f=function: f(x, tie + 0j), tie) == 1
        assert derivative(lambda x, f=function: f(tie + 0j, x), tie) == 0


FUNCTIONS = {
    **{name: getattr(ops, name) for name in (
        "exp", "log", "sqrt", "sigmoid", "log_sigmoid", "tanh", "relu", "step", "linear", "absolute", "one_minus",
        "square", "zero", "one", "d_sigmoid", "d_log_sigmoid", "d_tanh", "d_relu", "d_step", "d_linear",
    )},
    "const": lambda x: ops.const(0.1, x),
    "maximum": lambda x: ops.maximum(x, x * x),
    "minimum": lambda x: ops.minimum(x, x * x),
    "where": lambda x: ops.where(ops.less(x, x * x), x, x * x),
    "fma": lambda x: ops.fma(x, x, x),
}  # fmt: skip


def test_every_function_is_listed_here():
    public = {n for n, f in vars(ops).items() if callable(f) and not n.startswith("_") and f.__module__ == ops.__name__}
    assert public - {"less"} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_precision_is_that_of_the_argument(name, dtype):
    function = FUNCTIONS[name]
    shapes = [np.full(shape, 0.3, dtype) for shape in ((), (0,), (3,), (2, 0, 4), (2, 3))]
    for x in [*shapes, dtype(0.3), np.full((4, 6), 0.3, dtype)[::2, ::3]]:
        y = function(x)
        assert y.dtype == dtype, f"shape {np.shape(x)}"
        assert np.shape(y) in ((), np.shape(x))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [0.3, -0.7, 0.0, 1e5, float("inf"), float("nan")])
def test_python_floats_give_what_arrays_give(name, x):
    with np.errstate(all="ignore"):
        got, expected = FUNCTIONS[name](x), FUNCTIONS[name](np.array([x]))
    assert isinstance(got, float)
    np.testing.assert_array_equal(got, np.ravel(expected)[0])


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "sigmoid", "log_sigmoid", "tanh", "relu", "step", "absolute", "maximum"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_argument_raises_or_warns(name, dtype):
    finite = [0.0, -0.0, 1.0, -1.0, 50.0, -50.0, 800.0, -800.0, np.inf, -np.inf, np.nan]
    x = np.array(finite, dtype)
    with np.errstate(all="raise"):
        (lambda x: ops.maximum(x, -x))(x) if name == "maximum" else FUNCTIONS[name](x)


def test_less_compares_real_parts():
    assert ops.less(1.0, 2.0) and not ops.less(2.0, 2.0) and not ops.less(float("nan"), 1.0)
    assert ops.less(1 + 9j, 2 + 0j) and not ops.less(2 + 0j, 1 + 9j)


def test_arguments_are_left_as_they_were():
    x = np.linspace(-3, 3, 7)
    for function in FUNCTIONS.values():
        kept = x.copy()
        with np.errstate(all="ignore"):
            function(x)
        np.testing.assert_array_equal(x, kept)
