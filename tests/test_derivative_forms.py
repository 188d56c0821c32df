"""What a forward function without a backward may return and use, how the rest is refused, and how it all reads."""

import functools
import inspect
import re
import traceback

import numpy as np
import pytest

from rnnbench import ops
from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector
from rnnbench.derivative import derive
from rnnbench.derivative.cost import count_operations
from rnnbench.ops import less, sigmoid, tanh, where


def build(forward, makes=("h",), gates=("g",), **options):
    vectors = tuple(Vector(name) for name in makes)
    stage = Stage(forward, makes=makes, gates=tuple(Gate(name, ("x", makes[0])) for name in gates), **options)
    parameters = tuple(UnitParameter(name) for name in options.get("parameters", ()))
    return Cell(vectors, (stage,), makes[0], parameters, name="mine")


FORMS = {
    "bare": lambda a, reads, p: tanh(a[0]),
    "a tuple": lambda a, reads, p: (tanh(a[0]),),
    "nothing saved": lambda a, reads, p: ((tanh(a[0]),), ()),
    "something saved": lambda a, reads, p: ((tanh(a[0]),), (a[0],)),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_forward_may_return(form):
    (stage,) = build(FORMS[form]).stages
    assert stage.forward is build(FORMS["bare"]).stages[0].forward
    assert stage.forward((0.5,), (), ()) == ((np.tanh(0.5),), ())
    assert stage.backward((2.0,), (), (0.5,), (), ()) == ((1.5,), (), ())


def double(x):
    return helper(x) + helper(x)


def helper(x):
    return ops.tanh(x)


PAIR = {"tanh": (helper, 1)}


def test_functions_of_the_users_own_are_followed():
    (stage,) = build(lambda a, reads, p: double(a[0]) + PAIR["tanh"][0](a[0])).stages
    assert count_operations(stage.forward, 1, 0, 0) == {"tanh": 1, "add": 2}

    def forward(a, reads, p):
        def inside(x, *, times=2):
            return times * tanh(x)

        return inside(a[0])

    assert build(forward).stages[0].forward((0.5,), (), ())[0] == (2 * np.tanh(0.5),)


def test_functions_that_come_as_defaults_or_with_some_arguments_given_are_followed():
    scaled = functools.partial(lambda factor, x: factor * tanh(x), 0.5)
    made = [
        build(lambda a, reads, p, phi=tanh: phi(a[0])),
        build(lambda a, reads, p, *, phi=helper: phi(a[0])),
        build(lambda a, reads, p: scaled(a[0])),
        build(lambda a, reads, p: functools.partial(helper)(a[0])),
    ]
    results = [cell.stages[0].forward((0.5,), (), ())[0][0] for cell in made]
    assert results == pytest.approx([np.tanh(0.5), np.tanh(0.5), 0.5 * np.tanh(0.5), np.tanh(0.5)], rel=1e-15)


def test_a_function_that_took_over_the_name_of_one_of_ops_is_followed():
    @functools.wraps(tanh)
    def doubled(x):
        return 2 * tanh(x)

    (stage,) = build(lambda a, reads, p: doubled(a[0])).stages
    assert stage.forward((0.5,), (), ())[0] == (2 * np.tanh(0.5),)


def test_tracing_leaves_everything_as_it_was():
    before = dict(globals()), dict(vars(ops))
    build(lambda a, reads, p: double(a[0]))
    assert (dict(globals()), dict(vars(ops))) == before


REFUSED = {
    "if": (lambda a, reads, p: a[0] if a[0] > 0 else -a[0], "branches on a value; use where"),
    "if on a number": (lambda a, reads, p: tanh(a[0]) if a[0] else a[0], "branches on a value; use where"),
    "and": (lambda a, reads, p: where(less(a[0], 1) and less(a[0], 2), a[0], a[0]), "branches on a value"),
    "max": (lambda a, reads, p: max(a[0], 0), "branches on a value; use where"),
    "a loop": (lambda a, reads, p: sum(a[0]), "loops over a value"),
    "numpy": (lambda a, reads, p: np.exp(a[0]), "numpy.exp is no operation of rnnbench.ops, expected rnnbench.ops.exp"),
    "numpy.where": (lambda a, reads, p: np.where(a[0] > 0, a[0], 0), "numpy.where is no operation"),
    "an array": (lambda a, reads, p: np.ones(3) * a[0], "got array.* where a value or a real number is expected"),
    "a power": (lambda a, reads, p: a[0] ** 2, r"\*\* is no operation of a cell, expected \+ - \* / and"),
    "abs": (lambda a, reads, p: abs(a[0]), r"abs\(\) \(see absolute\) is no operation"),
    "float": (lambda a, reads, p: float(a[0]), r"float\(\) is no operation"),
    "an index": (lambda a, reads, p: a[0][0], "an index into a value is no operation"),
    "an invisible name": (lambda a, reads, p: tanhh(a[0]), "tanhh"),  # noqa: F821
    "a condition as a number": (lambda a, reads, p: less(a[0], 0) * a[0], "mul of a condition, expected a number"),
    "a number as a condition": (lambda a, reads, p: where(a[0], a[0], 0), "where of a number, expected a condition"),
    "a condition made": (lambda a, reads, p: less(a[0], 0), "'h' is a condition, expected a number"),
    "too many made": (lambda a, reads, p: (a[0], a[0]), "forward makes: got 2 values, expected 1: h"),
    "a list": (lambda a, reads, p: [a[0]], "where a value or a real number is expected"),
    "nothing": (lambda a, reads, p: None, "got None where a value or a real number is expected"),
    "True": (lambda a, reads, p: True, "got True where"),
    "too many unpacked": (lambda a, reads, p: [u for (u, v) in [a]], "not enough values to unpack"),
    "a wrong call": (lambda a, reads, p: tanh(a[0], a[0]), "too many positional arguments"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_derived_is_refused_by_name(case):
    forward, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        build(forward)
    assert str(caught.value).startswith("cell mine, stage 0: ")
    if "made" not in case and case not in ("a list", "nothing", "True"):
        line = forward.__code__.co_firstlineno
        assert re.search(rf"stage 0: test_derivative_forms.py, line {line}: ", str(caught.value))


def test_a_callable_that_is_no_function_is_refused():
    class Forward:
        def __call__(self, a, reads, p):
            return a

    with pytest.raises(ValueError, match="expected a plain function"):
        build(Forward())


def test_a_stage_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no gates, reads or parameters"):
        build(lambda a, reads, p: 1.0, gates=())


def test_the_functions_can_be_read_and_appear_in_tracebacks():
    forward, backward = derive(lambda a, reads, p: (tanh(a[0]), a[0]), ("h", "c"), ("h",))
    assert "tanh(a_h)" in inspect.getsource(forward)
    assert inspect.getsource(backward).startswith("def backward(dmakes, reads, makes, saved, p):")
    with pytest.raises(ValueError) as caught:
        backward((), (), (1.0, 2.0), (), ())
    assert "dh, dc = dmakes" in "".join(traceback.format_exception(caught.value))
    again, _ = derive(lambda a, reads, p: (tanh(a[0]), a[0]), ("h", "c"), ("h",))
    assert again is forward, "one text, one function"


def test_names_that_are_functions_or_keywords():
    reads, parameters = ("h", "h@1", "h_before@0", "h@3"), ("tanh", "for", "1", "a b", "reads", "v0", "s0")

    def body(a, r, p):
        v = tanh(a[0])
        return sum((*r, *p), v * p[0] + v), sum((*r, *p), sigmoid(a[1]) * p[1])

    forward, backward = derive(body, ("sigmoid", "if"), ("tanh", "d_tanh"), reads, parameters)
    given = (0.5, 0.25), (1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0)
    made, saved = forward(*given)
    np.testing.assert_allclose(made, body(*given))
    v, s = np.tanh(0.5), 1 / (1 + np.exp(-0.25))
    da, dreads, dp = backward((1.0, 10.0), given[1], made, saved, given[2])
    np.testing.assert_allclose(da, (6 * (1 - v * v), 60 * s * (1 - s)))
    np.testing.assert_allclose((*dreads, *dp), (11.0,) * 4 + (11 + v, 11 + 10 * s) + (11.0,) * 5)
