"""The commands about cells, as a user calls them: list, show and docs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_experiments import call

import rnnbench
from rnnbench import cells


@pytest.fixture
def bench(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def test_a_row_per_cell(bench):
    code, out, _ = bench("list", "cells")
    titles, *rows = out.splitlines()
    assert code == 0 and [row.split()[0] for row in rows] == cells.names()
    assert titles.split() == ["name", "year", "states", "gates", "parameters", "tape", "bytes/step", "FLOPs/step"]
    [lstm] = [row.split() for row in rows if row.startswith("lstm ")]
    assert lstm == ["lstm", "2000", "h", "c", "i", "f", "g", "o", "131584", "3584", "262144"]
    facts = json.loads(bench("list", "cells", "--json")[1])
    assert facts == [cells.describe(name) for name in cells.names()]


def test_show(bench):
    code, out, err = bench("show", "skip", "--set", "delay=5", "--input-size", "0", "--hidden-size", "64")
    assert (code, err) == (0, "") and out.startswith("skip: Skip connections through time")
    assert "h_t = ϕ(W_h x_t + R_h h_{t−1} + S_h h_{t−d} + b_h)" in out and "h(t−5)" in out and "8256" in out
    facts = json.loads(bench("show", "leaky", "--set", "alpha=0.5", "--set", "trained=True", "--json")[1])
    assert [option["value"] for option in facts["options"]] == ["tanh", 0.5, True]
    assert facts["unit_parameters"][0] == {
        "name": "alpha",
        "width": 128,
        "symbol": "H",
        "initial": 0.5,
        "trained": True,
    }


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["show", "lstn"], "cell: got 'lstn' (did you mean 'lstm'?)"),
        (["show", "skip", "--set", "delay"], "--set got 'delay', expected option=value"),
        (["show", "skip", "--set", "delay=x"], "delay: got 'x', expected an integer >= 2"),
        (["show", "lstm", "--set", "delay=2"], "option 'delay' of cell 'lstm' is unknown, expected no options"),
        (["show", "lstm", "--hidden-size", "0"], "--hidden-size got '0', expected an integer of at least 1"),
        (["show"], "Missing argument 'CELL'"),
        (["docs", "--output", "taken"], "--output got 'taken', expected a folder that can be written to"),
    ],
)
def test_a_mistake_is_one_sentence(bench, arguments, message):
    Path("taken").write_text("")
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "") and err.startswith(f"rnnbench: {message}") and err.count("\n") == 1


def test_docs(bench, tmp_path):
    (tmp_path / "results").mkdir()
    assert bench("docs") == (0, f"{tmp_path / 'reports' / 'cells' / 'index.html'}\n", "")
    pages = {path.stem for path in (tmp_path / "reports" / "cells").glob("*.html")}
    assert pages == {"index", *cells.names()}
    assert bench("docs", "--output", "there")[:2] == (0, "there/index.html\n")


@pytest.mark.parametrize("arguments", ["list cells", "show lstm", "docs --output pages"])
def test_cells_are_told_of_without_numba(tmp_path, arguments):
    code = (
        "import sys; from rnnbench import cli\n"
        "try: cli.main()\n"
        "finally: print(*{'numba', 'llvmlite', 'pandas', 'matplotlib', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(rnnbench.__file__).parents[1]), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def build(**kw): ...", "build(): option 'kw' has no default, expected build(OPTION=VALUE, ...)"),
        ("def build(size): ...", "build(): option 'size' has no default"),
        ("def build(): raise SystemExit(3)", "cells file"),
    ],
)
def test_a_cell_file_that_cannot_be_built_is_one_sentence(bench, tmp_path, code, message):
    path = tmp_path / "mine.py"
    path.write_text(code)
    code, out, err = bench("show", "mine", "--cells", path)
    assert (code, out) == (2, "") and message in err and len(err.splitlines()) == 1


WRONG = """
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import tanh

def forward(a, reads, p):
    return (tanh(a[0]),), ()

def backward(dmakes, reads, makes, saved, p):
    return (dmakes[0],), (), ()

def build():
    return Cell((Vector("h"),), (Stage(forward, backward, ("h",), (Gate("g", ("x", "h")),)),), output="h")
"""


def test_a_wrong_gradient_makes_the_check_fail(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_user_cells", {})
    (tmp_path / "results").mkdir()
    path = tmp_path / "wrong_gradient.py"
    path.write_text(WRONG)
    command = ("run", "gradient_check", "--cells", path, "--only")
    code, out, err = bench(*command, "lstm")
    assert code == 0 and "wrong" not in err
    code, out, err = bench(*command, "wrong_gradient,lstm")
    assert code == 1 and "2 trials: 1 ok; 1 had a result already" in out
    assert "wrong: gradient_check, complex step: " in err and "Above the bound: wrong_gradient." in err
