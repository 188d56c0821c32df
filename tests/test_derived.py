"""Every cell's hand-derived backward against the one derived from its forward; and cells that have no other."""

import dataclasses
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import gradients
import numpy as np
import odd_cells
import pytest
from helpers import CASES, Case, as_params, assert_close, away_from_kinks, problem
from numba.core import types
from test_kernels_compiled import llvm_of

from rnnbench import Recurrent, cells
from rnnbench.contract import Cell, Gate, Stage, Vector, parse
from rnnbench.derivative import without_backward
from rnnbench.derivative.cost import cost
from rnnbench.kernels import cpu, pointwise, reference
from rnnbench.kernels.build import function_hash
from rnnbench.ops import tanh

ROOT = Path(__file__).resolve().parents[1]
ODD = [pytest.param(make, id=make.__name__) for make in odd_cells.ALL]
EVERY = [*as_params(CASES), *ODD]
DTYPES = {np.float32: 2e-5, np.float64: 1e-12}


def build(case):
    return case.build() if isinstance(case, Case) else case()


def stage_inputs(stage, seed):
    """Random gates, reads and parameters, and gradients of what is made; no read is near 0, it may be a divisor."""
    rng = np.random.default_rng(seed)
    shape = 2, 3, 7

    def normal(count):
        return tuple(rng.normal(size=(count, *shape)))

    reads = tuple(rng.choice([-1, 1], shape) * rng.uniform(0.2, 2, shape) for _ in stage.reads)
    parameters = tuple(rng.uniform(0.1, 0.9, (2, 1, 7)) for _ in stage.parameters)
    return normal(len(stage.gates)), reads, parameters, normal(len(stage.makes))


def run_stage(cell, stage, a, reads, p, dmakes):
    """All that a stage returns, by name, but for saved values and gradients of what takes none."""
    flows = cell.differentiable
    made, saved = stage.forward(a, reads, p)
    dmakes = tuple(d * flows[name] for d, name in zip(dmakes, stage.makes, strict=True))  # as the drivers do
    da, dreads, dp = stage.backward(dmakes, reads, made, saved, p)
    dreads = [d * flows[parse(source)[0]] for d, source in zip(dreads, stage.reads, strict=True)]
    parts = {"makes": made, "da": da, "dreads": dreads, "dp": dp}
    return {f"{name} {i}": value for name, values in parts.items() for i, value in enumerate(values)}


@pytest.mark.parametrize("case", EVERY)
def test_the_hand_derived_backward_equals_the_derived_one(case):
    cell = build(case)
    for number, (by_hand, derived) in enumerate(zip(cell.stages, without_backward(cell).stages, strict=True)):
        assert derived.backward is not by_hand.backward
        for seed in range(5):
            given = stage_inputs(by_hand, seed)
            expected, got = run_stage(cell, by_hand, *given), run_stage(cell, derived, *given)
            for name in expected:
                scale = np.abs(expected[name]).max()
                worst = np.abs(got[name] - expected[name]).max()
                assert worst <= 1e-12 * scale, f"stage {number}, {name}: {worst:.2g} of {scale:.2g}"


@pytest.mark.parametrize("case", EVERY)
def test_the_derived_pair_costs_little_more(case):
    cell = build(case)
    for by_hand, derived in zip(cell.stages, without_backward(cell).stages, strict=True):
        expected, got = cost(by_hand), cost(derived)
        assert got.saved <= expected.saved + 1  # a hand may find a way back, as from h = s + tanh(a) to tanh(a)
        assert got.forward.total() <= expected.forward.total()
        assert got.backward.total() <= 1.2 * expected.backward.total() + 1


@pytest.mark.parametrize("name", ["elman", "gru", "gru_reset_after", "jordan", "leaky", "lstm", "skip"])
def test_the_derived_pair_of_a_textbook_cell_costs_the_same(name):
    cell = cells.get(name)
    for by_hand, derived in zip(cell.stages, without_backward(cell).stages, strict=True):
        assert cost(by_hand) == cost(derived)


@pytest.mark.parametrize("case", EVERY)
def test_a_whole_layer_with_the_derived_backward(case):
    cell = build(case)
    sizes = {"T": 5, "B": 3, "lengths": [5, 3, 1], "truncate": 3, "feed": True}
    made = away_from_kinks(cell, lambda seed: problem(cell, seed, **sizes), 1e-6)
    derived = dataclasses.replace(made, layout=dataclasses.replace(made.layout, cell=without_backward(cell)))
    expected, got = made.both(reference), derived.both(reference)
    for name, value in expected.items():
        assert_close(got[name], value, 1e-12, name)


COMPILED = [Case("lstm"), Case("gru"), Case("gru_reset_after"), Case("leaky", (("trained", True),)), Case("jordan")]
COMPILED_ODD = [odd_cells.clock, odd_cells.gateless, odd_cells.unbiased]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [*as_params(COMPILED), *[p for p in ODD if p.values[0] in COMPILED_ODD]])
def test_a_compiled_layer_with_the_derived_backward(case, dtype):
    cell = build(case)
    sizes = {"T": 4, "B": 13, "I": 5, "H": 19, "lengths": np.arange(13) % 5, "dtype": dtype}
    made = away_from_kinks(cell, lambda seed: problem(cell, seed, **sizes), 1e-5, ties=False)
    derived = dataclasses.replace(made, layout=dataclasses.replace(made.layout, cell=without_backward(cell)))
    expected, got = made.both(reference), derived.both(cpu)
    for name, value in expected.items():
        assert_close(got[name], value, DTYPES[dtype], name)


def test_what_is_derived_knows_of_clocks():
    phase, state = without_backward(odd_cells.clock()).stages
    assert cost(phase).backward == {"mul": 1}  # a zero
    assert cost(state).backward["mul"] < cost(odd_cells.clock().stages[1]).backward["mul"]


def test_a_wrong_hand_derived_backward_is_caught():
    cell = cells.get("gru_reset_after")
    (stage,) = cell.stages

    def backward(dmakes, reads, makes, saved, p):
        da, dreads, dp = stage.backward(dmakes, reads, makes, saved, p)
        return (da[0], da[1], da[2], da[3] * (1 + 1e-9)), dreads, dp

    wrong = dataclasses.replace(cell, stages=(dataclasses.replace(stage, backward=backward),))
    with pytest.raises(AssertionError, match="stage 0, da 3"):
        test_the_hand_derived_backward_equals_the_derived_one(lambda: wrong)


# ---- a cell without backward, from a file ----


def code_blocks():
    """The Python of the README that defines a cell: the whole one, and its functions with the backward written."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    whole, functions = [block for block in blocks if "def forward" in block]
    return whole, functions


def example():
    """The cell that the README shows."""
    return code_blocks()[0]


def example_by_hand():
    """The same cell with the backward that the README shows."""
    whole, functions = code_blocks()
    text = re.sub(r"def forward.*?\n\n\n", lambda _: functions + "\n\n", whole, count=1, flags=re.DOTALL)
    text = text.replace("import sigmoid, tanh", "import d_sigmoid, d_tanh, one_minus, sigmoid, tanh")
    return text.replace("Stage(forward, ", "Stage(forward, backward, ")


@pytest.fixture
def example_file(tmp_path):
    path = tmp_path / "my_cell.py"
    path.write_text(example(), "utf-8")
    return path


def run(*command, **environment):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])} | environment
    done = subprocess.run([sys.executable, *map(str, command)], env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_shows_a_short_cell_without_backward(example_file, monkeypatch):
    code = example()
    assert "backward" not in code
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    monkeypatch.setattr(cells, "_user_cells", {})
    cell = cells.get(cells.load_file(example_file))
    made = problem(cell, T=5, B=3)
    worst = gradients.errors(gradients.check_problem(cell))
    assert worst and max(worst.values()) < 1e-10
    expected = made.both(reference)
    for name, value in made.both(cpu).items():
        assert_close(value, expected[name], 1e-12, name)
    for stage in cell.stages:
        for direction in (pointwise.FORWARD, pointwise.INFER, pointwise.BACKWARD):
            assert "double" not in llvm_of(stage, types.float32, direction), "numbers in forward stay float32"


def test_the_backward_that_the_readme_shows_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_user_cells", {})
    path = tmp_path / "by_hand.py"
    path.write_text(example_by_hand(), "utf-8")
    cell = cells.get(cells.load_file(path))
    assert cell.stages[0].backward.__code__.co_filename == str(path), "nothing is derived"
    assert max(gradients.errors(gradients.check_problem(cell)).values()) < 1e-10
    test_the_hand_derived_backward_equals_the_derived_one(lambda: cell)


def test_the_command_line_runs_the_cell_of_the_readme(example_file, tmp_path):
    options = ["--preset", "smoke", "--set", "cell=my_cell", "--cells", example_file, "--results", tmp_path / "results"]
    assert "failed" not in run("-m", "rnnbench", "run", "gradient_decay", *options).replace("0 failed", "")
    assert list((tmp_path / "results").rglob("*.json"))
    assert "my_cell" in run("-m", "rnnbench", "list", "cells", "--cells", example_file)


def test_an_error_in_a_users_file_names_cell_stage_and_line(example_file, monkeypatch):
    monkeypatch.setattr(cells, "_user_cells", {})
    text = re.sub(r"return .*", "return a[0] if a[0] > 0 else -a[0]", example(), count=1)
    example_file.write_text(text, "utf-8")
    line = 1 + text.splitlines().index("    return a[0] if a[0] > 0 else -a[0]")
    with pytest.raises(ValueError, match=rf"stage 0: my_cell.py, line {line}: branches on a value; use where"):
        cells.load_file(example_file)


TRAIN = """
import pickle, sys
import numpy as np
from numba.core import event
from rnnbench import Recurrent, cells
source = sys.argv[1]
cell = pickle.load(open(source, "rb")) if source.endswith(".pickle") else cells.load_file(source)
with event.install_recorder("numba:compile") as recorder:
    layer = Recurrent(cell, 3, 5)
    layer.forward(np.zeros((2, 3, 3), np.float32))
    layer.backward(np.zeros((2, 3, 5), np.float32))
print(len(recorder.buffer))
"""


def test_the_second_process_compiles_nothing(example_file, tmp_path):
    first, second = (
        int(run("-c", TRAIN, example_file, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONHASHSEED=seed))
        for seed in "12"
    )
    assert first > 0
    assert second == 0


def test_a_pickled_cell_runs_in_a_new_process_from_the_same_cache(tmp_path):
    def forward(a, reads, p):
        return 0.75 * reads[0] + 0.25 * tanh(a[0])

    stage = Stage(forward, makes=("h",), gates=(Gate("h", ("x", "h")),), reads=("h",))
    cell = Cell(vectors=(Vector("h"),), stages=(stage,), output="h", name="mine")
    path = tmp_path / "cell.pickle"
    path.write_bytes(pickle.dumps(cell))
    back = pickle.loads(path.read_bytes())
    assert back == cell and back.stages[0].backward is cell.stages[0].backward
    cache = str(tmp_path / "cache")
    assert [int(run("-c", TRAIN, path, NUMBA_CACHE_DIR=cache)) > 0 for _ in range(2)] == [True, False]


def test_a_cell_with_its_backward_written_is_pickled_by_name():
    cell = cells.get("lstm")
    assert pickle.loads(pickle.dumps(cell)).stages == cell.stages


def test_what_is_derived_from_equal_functions_is_compiled_once():
    def make():
        def forward(a, reads, p):
            return tanh(a[0]) * 2

        return Cell((Vector("h"),), (Stage(forward, makes=("h",), gates=(Gate("g", ("x",)),)),), "h").stages[0]

    assert make() == make()
    assert function_hash(make().backward) == function_hash(make().backward)
    assert pointwise.compiled(make(), types.float32, "backward") is pointwise.compiled(
        make(), types.float32, "backward"
    )


def test_a_layer_of_a_cell_without_backward_trains():
    def forward(a, reads, p):
        return tanh(a[0])

    cell = Cell((Vector("h"),), (Stage(forward, makes=("h",), gates=(Gate("h", ("x", "h")),)),), "h", name="mine")
    plain, layer = Recurrent("elman", 3, 4, seed=0), Recurrent(cell, 3, 4, seed=0)
    for key in plain.params:
        layer.params[key][...] = plain.params[key]
    x, dy = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32), np.ones((5, 2, 4), np.float32)
    np.testing.assert_array_equal(layer.forward(x)[0], plain.forward(x)[0])
    np.testing.assert_array_equal(layer.backward(dy)[0], plain.backward(dy)[0])
