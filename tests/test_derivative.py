"""Deriving backward from forward: every operation's rule, what is saved, what is refused, and how it says so."""

import inspect
import itertools

import numpy as np
import pytest
from helpers import assert_close
from number_systems import EVERY, SYSTEMS

from rnnbench import ops
from rnnbench.derivative import derive, saving
from rnnbench.derivative.cost import count_operations
from rnnbench.derivative.graph import INFIX, Graph, Value
from rnnbench.derivative.rules import RULES
from rnnbench.derivative.trace import trace
from rnnbench.kernels import pointwise
from rnnbench.ops import (
    absolute,
    const,
    exp,
    fma,
    less,
    log,
    log_sigmoid,
    maximum,
    minimum,
    one,
    one_minus,
    relu,
    sigmoid,
    sqrt,
    square,
    step,
    tanh,
    where,
    zero,
)  # fmt: skip

STEP = 1e-30


# ---- every operation, on every number system ----

# Bodies of two positive numbers; a name of ops that stands in none of them must be traceable by itself.
BODIES = {
    "add": lambda x, y: x + y * x,
    "sub": lambda x, y: x * x - y,
    "mul": lambda x, y: x * y * x,
    "div": lambda x, y: x / (x + y) + const(2.0, x) / y,
    "neg": lambda x, y: -(x * y) + x,
    "one_minus": lambda x, y: one_minus(x * y),
    "fma": lambda x, y: fma(x, y, x),
    "exp": lambda x, y: exp(x * y),
    "log": lambda x, y: log(x) * y,
    "log_sigmoid": lambda x, y: log_sigmoid(x - y) * y,
    "sqrt": lambda x, y: sqrt(x + y),
    "sigmoid": lambda x, y: sigmoid(x - y),
    "tanh": lambda x, y: tanh(x * y),
    "relu": lambda x, y: relu(x - y) * y,
    "step": lambda x, y: step(x - y) * y,
    "absolute": lambda x, y: absolute(x - y) * y,
    "maximum": lambda x, y: maximum(x * x, y),
    "minimum": lambda x, y: minimum(x * x, y),
    "where": lambda x, y: where(less(x, y), x * y, x * x),
    "less": lambda x, y: where(less(y, x), log(y), square(y)) * x,
    "lt": lambda x, y: where(y < x, y, x * y),
    "le": lambda x, y: where(x <= y, y, x * y),
    "gt": lambda x, y: where(x > y, y, x * y),
    "ge": lambda x, y: where(x >= y, y, x * y),
    "eq": lambda x, y: where(x == y, y, x * y),
    "and": lambda x, y: where(less(x, y) & less(x, one(x)), y, x * y),
    "or": lambda x, y: where(less(x, y) | less(x, one(x)), y, x * y),
    "const": lambda x, y: const(0.3, x) * x + minimum(const(float("inf"), x), y),
    "zero": lambda x, y: maximum(zero(x), x - y),
    "one": lambda x, y: (one(x) + x) * y,
    "numbers": lambda x, y: 2 * x - 0.5 * y / (1 + x) + 1 / y,
    "ones": lambda x, y: (x - 1) * (1 - y) * (x + 1) * (1 * y) / 1,
    "both ways around": lambda x, y: (x - y) * exp(y - x) + x / y * exp(y / x),
    "a NumPy number on the left": lambda x, y: np.float64(0.5) * x + y,
}


def derived_of(body, arity=2):
    def forward(a, reads, p):
        return body(*reads)

    return derive(forward, ("y",), (), tuple(f"x{i}" for i in range(arity)))


def derivative(body):
    """The sum of both derivatives, the second one doubled, as a function of two numbers for every number system."""
    forward, backward = derived_of(body)

    def function(x, y):
        made, saved = forward((), (x, y), ())
        _, (dx, dy), _ = backward((x - x + one(x),), (x, y), made, saved, ())
        return dx + dy + dy

    return function, (forward, backward)


def numeric_derivative(body, at, *arrays):
    moved = [a.astype(complex) for a in arrays]
    moved[at] += 1j * STEP
    return (body(*moved) + np.zeros_like(moved[0])).imag / STEP


def assert_derivative(body, system, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.2, 2.0, 40).astype(dtype) for _ in range(2)]
    function, pair = derivative(body)
    for part in pair:
        pointwise._make_jitable(part)
    got = SYSTEMS[system](function, *arrays)
    dx, dy = (numeric_derivative(body, at, *(a.astype(np.float64) for a in arrays)) for at in range(2))
    assert got.dtype == dtype
    tolerance = {"float64": 1e-13, "float32": 1e-5}[dtype]
    assert_close(got, dx + 2 * dy, tolerance)


@pytest.mark.parametrize("system", ["numpy", "python"])
@pytest.mark.parametrize("name", BODIES)
def test_the_derivative_of_every_operation(name, system):
    assert_derivative(BODIES[name], system, "float64")


@pytest.mark.parametrize("system, dtype", EVERY)
def test_the_derivative_of_all_operations_on_every_number_system(system, dtype):
    assert_derivative(lambda x, y: sum(body(x, y) for body in BODIES.values()), system, dtype)


def test_every_operation_has_a_body_above():
    assert not set(RULES) - set(BODIES)
    assert set(INFIX) <= set(RULES)


@pytest.mark.parametrize("name", [n for n, f in vars(ops).items() if inspect.isfunction(f)])
def test_every_function_of_ops_can_be_derived(name):
    function = getattr(ops, name)
    arity = len(inspect.signature(function).parameters)

    def body(*reads):
        if name == "const":
            return const(0.5, reads[0])
        if name == "less":
            return where(less(*reads), *reads)
        return function(less(reads[0], reads[1]), *reads[1:]) if name == "where" else function(*reads)

    forward, backward = derived_of(body, arity)
    x = tuple(np.random.default_rng(0).uniform(0.2, 2, (arity, 7)))
    made, saved = forward((), x, ())
    np.testing.assert_array_equal(made[0], body(*x))
    _, dreads, _ = backward((np.ones(7),), x, made, saved, ())
    for at in range(arity):
        np.testing.assert_allclose(dreads[at], numeric_derivative(body, at, *x), rtol=1e-13)


def gradients_at(body, *numbers):
    forward, backward = derived_of(body, len(numbers))
    x = tuple(np.array([float(n)]) for n in numbers)
    made, saved = forward((), x, ())
    return [float(d[0]) for d in backward((np.ones(1),), x, made, saved, ())[1]]


def test_ties():
    assert gradients_at(maximum, 2, 2) == gradients_at(minimum, 2, 2) == [1, 0]
    assert gradients_at(lambda x, y: maximum(y, x), 2, 2) == [0, 1]
    assert gradients_at(relu, 0) == [0]
    assert gradients_at(step, 1) == [0]
    assert gradients_at(absolute, 0) == [1]
    assert gradients_at(lambda x, y: where(less(x, y), x, y), 2, 2) == [0, 1]
    assert gradients_at(lambda x: where(less(x, const(3.0, x)), const(1.0, x), const(2.0, x)), 3) == [0]


def test_a_branch_not_taken_gives_no_nan():
    def safe_log(x):
        return where(less(zero(x), x), log(x) * x, sqrt(-x))

    with np.errstate(all="ignore"):
        assert gradients_at(safe_log, 1) == [1]
        assert gradients_at(safe_log, -4) == [-0.25]
        assert gradients_at(lambda x: where(less(zero(x), x), one(x) / x, x), 0) == [1]


# Each has an infinite derivative at 0 in a value that is used more than once, or by more than a product.
NOT_TAKEN = {
    "twice": lambda x, y: where(x > 0, y * y + y, 0),
    "quotient": lambda x, y: where(x > 0, (1 - y) / (1 + y), 0),
    "the other branch": lambda x, y: where(x <= 0, 0, y * tanh(y) - y),
    "absolute": lambda x, y: where(x > 0, absolute(y), 0),
    "maximum": lambda x, y: where(x > 0, maximum(y, 0.5) + y, 0),
    "minimum of a sum": lambda x, y: where(x > 0, minimum(y * y + y, 2) + absolute(y), 0),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
@pytest.mark.parametrize("root", [sqrt, log])
def test_no_way_through_a_branch_not_taken_gives_nan(name, root):
    def body(x):
        return NOT_TAKEN[name](x, root(x))

    with np.errstate(all="ignore"):
        assert gradients_at(body, 0) == [0]
    (got,) = gradients_at(body, 2.5)
    assert got == pytest.approx((body(2.5 + 1e-7) - body(2.5 - 1e-7)) / 2e-7, rel=1e-6)


def test_a_chain_behind_two_branches_grows_with_its_length_only():
    def sizes(length):
        def body(x, y):
            for _ in range(length):
                x = (x + x) * tanh(x)
            return where(x > 0, x, 0) + where(y > 0, x, 0)

        return sum(count_operations(derived_of(body, 2)[1], 1, 2, 1, length, 0).values())

    assert sizes(12) - sizes(8) == sizes(8) - sizes(4)


def test_a_zero_gradient_has_the_shape_of_the_others():
    forward, backward = derive(lambda a, reads, p: (step(a[0]) * p[0],), ("h",), ("h",), (), ("w",))
    a, p = (np.ones((2, 3, 4)),), (np.ones((2, 1, 4)),)
    made, saved = forward(a, (), p)
    da, _, dp = backward((np.ones((2, 3, 4)),), (), made, saved, p)
    assert da[0].shape == dp[0].shape == (2, 3, 4)
    assert not da[0].any() and dp[0].all()


# ---- random functions: values, gradients, and how much is saved ----


OPERATIONS = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: y * x, lambda x, y: tanh(x),
    lambda x, y: sigmoid(x), lambda x, y: where(less(x, y), x * y, y), lambda x, y: x / (one(y) + square(y)),
    lambda x, y: one_minus(x) * y, lambda x, y: maximum(x, y), lambda x, y: -x, lambda x, y: exp(-square(x)),
]  # fmt: skip


def random_forward(seed):
    """A forward function of 3 gates, 2 reads and 1 parameter, made of random operations."""
    rng = np.random.default_rng(seed)
    program = [(OPERATIONS[rng.integers(len(OPERATIONS))], *rng.integers(0, 6 + i, 2)) for i in range(10)]

    def forward(a, reads, p):
        values = [*a, *reads, *p]
        for operation, i, j in program:
            values.append(operation(values[i], values[j]))
        return tuple(values[-3:-1]), tuple(values[6:])

    return forward


SIZES = (3, 2, 1)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_function(seed):
    written = random_forward(seed)
    forward, backward = derive(written, ("u", "v"), tuple("abc"), ("r", "s"), ("w",))
    rng = np.random.default_rng(seed)
    given = [tuple(rng.normal(size=(n, 5))) for n in SIZES]
    made, saved = forward(*given)
    for got, expected in zip(made, written(*given)[0], strict=True):
        np.testing.assert_array_equal(got, expected)
    dmakes = tuple(rng.normal(size=(2, 5)))
    results = backward(dmakes, given[1], made, saved, given[2])
    for group, part in enumerate(results):
        for at, got in enumerate(part):
            moved = [[x.astype(complex) for x in xs] for xs in given]
            moved[group][at] += 1j * STEP
            expected = sum(m.imag * d for m, d in zip(written(*map(tuple, moved))[0], dmakes, strict=True)) / STEP
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("seed", range(60))
def test_no_smaller_set_would_do(seed, monkeypatch):
    asked = []
    choose = saving.choose
    monkeypatch.setattr(saving, "choose", lambda *given: asked.append((given, choose(*given))) or asked[-1][1])
    derive(random_forward(seed), ("u", "v"), tuple("abc"), ("r", "s"), ("w",))
    ((made, hidden, seen, results), chosen) = asked[0]
    forward = {v.number: v for v in saving.needed(made)}

    def enough(saved):
        have = {v.number for v in (*seen, *saved)}
        for value in saving.needed(results, have):
            dear = value.number in forward and value.operation not in saving.CHEAP and value.arguments
            if value.number not in have and (dear or value.number in {v.number for v in hidden}):
                return False
        return True

    candidates = [v for v in forward.values() if not v.is_condition]
    assert enough(chosen)
    fewer = itertools.combinations(candidates, max(len(chosen) - 1, 0))
    assert not chosen or not any(enough(set_) for set_ in fewer)


def test_what_is_cheap_is_computed_again():
    forward, _ = derive(lambda a, reads, p: square(tanh(a[0]) + reads[0]) + a[1], ("h",), ("a", "b"), ("c",))
    assert len(forward((1.0, 2.0), (3.0,), ())[1]) == 1
    forward, _ = derive(lambda a, reads, p: square(a[0] + a[1] + a[2]), ("h",), ("a", "b", "c"))
    assert forward((1.0, 2.0, 3.0), (), ())[1] == (6.0,), "the sum, not what it is the sum of"


def test_operations_are_counted_once():
    counts = count_operations(lambda a, p: (a[0] * p[0] + tanh(a[0] * p[0]), (a[0] * p[0],)), 1, 1)
    assert counts == {"mul": 1, "add": 1, "tanh": 1}


def test_a_condition_is_not_saved():
    forward, _ = derive(lambda a, r, p: where(less(a[0], a[1]), r[0], r[0] * r[0]), ("h",), ("a", "b"), ("r",))
    assert forward((1.0, 2.0), (3.0,), ())[1] == (1.0, 2.0)


def test_zeros_keep_their_sign():
    forward, _ = derive(lambda a, r, p: (r[0] * const(0.0, r[0]), r[0] * const(-0.0, r[0])), ("u", "v"), (), ("r",))
    assert [np.signbit(value) for value in forward((), (1.0,), ())[0]] == [False, True]


def test_a_value_is_shown_by_neither_hash_nor_order():
    graph = Graph()
    value = graph.input()
    assert isinstance(value, Value)
    with pytest.raises(TypeError):
        hash(value)
    inputs, result = trace(lambda a: a[0], graph, (1,))
    assert result is inputs[0][0]
