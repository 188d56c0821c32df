"""Every cell against a textbook loop, against its numeric gradient, and against the house rules of a cell file."""

import ast
import dataclasses
import importlib
from pathlib import Path

import gradients
import naive
import numpy as np
import pytest
from helpers import CASES, as_params, assert_close, random_state, randomise, run_naive

from rnnbench import Recurrent, cells, ops
from rnnbench.cells import __path__ as CELLS_PATH
from rnnbench.contract import parse

FILES = sorted(p for p in Path(CELLS_PATH[0]).glob("*.py") if p.name != "__init__.py")
SHIPPED = [p.stem for p in FILES if not p.stem.startswith("_")]


def layer_for(case, I=3, H=4):
    return randomise(Recurrent(case.cell, I, H, dtype="float64", device="reference", **dict(case.options)))


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_a_textbook_loop(name):
    assert callable(naive.find(name))


def test_a_missing_textbook_loop_is_named():
    with pytest.raises(LookupError, match=r"naive.* has no function 'mine'"):
        naive.find("mine")
    with pytest.raises(LookupError):
        naive.find("math")


@pytest.mark.parametrize("case", as_params(CASES))
@pytest.mark.parametrize("sizes", [(5, 3, 3, 4), (6, 2, 1, 1), (3, 1, 0, 5)], ids=str)
def test_forward_equals_the_textbook_loop(case, sizes):
    T, B, I, H = sizes
    layer = layer_for(case, I, H)
    x = np.random.default_rng(2).normal(size=(T, B, I))
    state = random_state(layer, B)
    y, final = layer.forward(x, state)
    expected, expected_final = run_naive(layer, x, state, **dict(case.options))
    assert_close(y, expected, 1e-12, "y")
    assert final.keys() == expected_final.keys()
    for name in final:
        assert_close(final[name], expected_final[name], 1e-12, name)


@pytest.mark.parametrize("case", as_params(CASES))
def test_each_row_of_a_ragged_batch_equals_the_textbook_loop_alone(case):
    lengths = [2, 6, 0, 5, 1]
    layer = layer_for(case)
    x = np.random.default_rng(3).normal(size=(6, 5, 3))
    state = random_state(layer, 5)
    y, final = layer.forward(x, state, lengths=lengths)
    for row, length in enumerate(lengths):
        own = {key: value[..., row : row + 1, :] for key, value in state.items()}
        expected, expected_final = run_naive(layer, x[:length, row : row + 1], own, **dict(case.options))
        assert_close(y[:length, row : row + 1], expected, 1e-12, f"y of row {row}")
        assert not y[length:, row].any()
        for name in final:
            assert_close(final[name][..., row : row + 1, :], expected_final[name], 1e-12, f"{name} of row {row}")


@pytest.mark.parametrize("case", as_params(CASES))
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"feed": True}, {"I": 0}], ids=str)
def test_backward_equals_the_numeric_gradient(case, options, record_property):
    cell = case.build()
    checked = gradients.check_problem(cell, **options)
    for method in gradients.methods_for(cell):
        found = gradients.errors(checked, method)
        assert found, "nothing was checked"
        record_property(f"worst gradient error by {method}", max(found.values()))
        wrong = {name: f"{error:.2g}" for name, error in found.items() if not error <= gradients.TOLERANCE[method]}
        assert not wrong, f"{case} by {method}: relative errors {wrong}"


def test_the_check_covers_every_array():
    cell = cells.get("leaky", trained=True)
    found = gradients.errors(gradients.check_problem(cell))
    assert set(found) == {"x", "state h", "weight_ih", "weight_hh", "bias", "alpha"}


def tampered(cell, stage, change):
    """A cell whose backward function of one stage has `change` applied to what it returns."""

    def backward(dmakes, reads, makes, saved, p):
        return change(*cell.stages[stage].backward(dmakes, reads, makes, saved, p))

    stages = list(cell.stages)
    stages[stage] = dataclasses.replace(stages[stage], backward=backward)
    return dataclasses.replace(cell, stages=tuple(stages))


def negate(values, at):
    return tuple(-v if i == at else v for i, v in enumerate(values))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_wrong_sign_anywhere_in_backward_is_caught(name):
    options = {"trained": True} if "trained" in cells.option_defaults(name) else {}
    cell = cells.get(name, **options)
    trained = {p.name for p in cell.parameters if p.trained}
    for number, stage in enumerate(cell.stages):
        flows = (  # whether a gradient goes that way at all: none goes to a clock or to a number that is fixed
            [True for _ in stage.gates],
            [cell.differentiable[parse(read)[0]] for read in stage.reads],
            [name in trained for name in stage.parameters],
        )
        for part, places in enumerate(flows):
            for at in np.flatnonzero(places):

                def change(*parts, part=part, at=at):
                    return tuple(negate(v, at) if i == part else v for i, v in enumerate(parts))

                broken = tampered(cell, number, change)
                found = gradients.errors(gradients.check_problem(broken))
                assert max(found.values()) > 1e-3, f"stage {number}, part {part}, number {at}"


@pytest.mark.parametrize("method", gradients.TOLERANCE)
def test_a_forgotten_factor_is_caught_away_from_kinks(method):
    cell = cells.get("elman", activation="relu")
    broken = tampered(cell, 0, lambda da, dreads, dp: (tuple(v * 1.001 for v in da), dreads, dp))
    assert max(gradients.errors(gradients.check_problem(broken), method).values()) > 1e-4


@pytest.mark.parametrize("name", SHIPPED)
def test_a_cell_file_has_equations_and_a_source(name):
    module = importlib.import_module(f"rnnbench.cells.{name}")
    assert ".. math::" in module.__doc__
    assert any(line.startswith(("Source: ", "Sources: ")) for line in module.__doc__.splitlines())
    cell = cells.get(name)
    assert cell.source and cell.year and cell.title
    assert str(cell.year) in module.__doc__, "the year of the cell is that of a source"


@pytest.mark.parametrize("name", SHIPPED)
def test_smooth_is_said_of_the_functions_in_use(name):
    defaults = cells.option_defaults(name)
    for option in [key for key in defaults if key.endswith("activation")]:
        for activation in ops.ACTIVATIONS:
            used = {v for k, v in (defaults | {option: activation}).items() if k.endswith("activation")}
            assert cells.get(name, **{option: activation}).smooth == (not used & {"relu", "step"})


def literals(tree):
    """Numbers written in the bodies of forward and backward functions, except as first argument of const."""
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name.lstrip("_").startswith(("forward", "backward")):
            calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
            allowed = {n.args[0] for n in calls if getattr(n.func, "id", "") == "const" and n.args}
            numbers = [n for n in ast.walk(function) if isinstance(n, ast.Constant) and n not in allowed]
            found += [(function.name, n.lineno) for n in numbers if isinstance(n.value, int | float | complex)]
    return found


def module_state(tree):
    """Statements of a module other than its docstring, imports and functions: names bound, or code run."""
    plain = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    docstring = tree.body[:1] if ast.get_docstring(tree) else []
    found = [n.lineno for n in tree.body if not isinstance(n, plain) and n not in docstring]
    return found + [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Global | ast.Nonlocal)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_cell_writes_no_number_and_keeps_no_state(path):
    tree = ast.parse(path.read_text())
    assert not literals(tree)
    assert not module_state(tree)


@pytest.mark.parametrize(
    "code",
    [
        "def forward(a):\n return 1 - a",
        "def backward_state(a):\n return const(a, 2.0)",
        "def f():\n def forward(a):\n  return a ** 2",
    ],
)
def test_a_number_in_a_cell_is_found(code):
    assert literals(ast.parse(code))


@pytest.mark.parametrize("code", ["def forward(a):\n 'text'\n return const(0.5, a) * a", "def build():\n return 3"])
def test_a_number_where_it_may_stand_is_left_alone(code):
    assert not literals(ast.parse(code))


@pytest.mark.parametrize("code", ["SEEN = []", "'doc'\nx = 1", "def f():\n global x\n x = 1", "print()"])
def test_module_state_is_found(code):
    assert module_state(ast.parse(code))
