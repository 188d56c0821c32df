"""Print how well every cell holds: ``python tests/cell_table.py [--markdown] [--cases] [CELL ...]``.

A row is a cell, and each number the worst over its options (``CASES`` of helpers.py); with ``--cases`` each has a row.
All of it is float64 on the reference driver:

* the gradient by every array against a complex step and, where a function has a kink, against central differences,
  relative to the largest number in that array;
* outputs and final states against the textbook loop;
* every result and gradient of a ragged layer with feeds and truncation against the derived backward.

The last column is what adding the cell took: its file, the file of its textbook loop, and helpers.py where one of its
options or states needs numbers to be tested with; the README lists it too.
"""

import dataclasses
import inspect
import sys
from collections import defaultdict
from pathlib import Path

import gradients
import naive
import numpy as np
from helpers import AT_LEAST, CASES, VARIANTS, away_from_kinks, problem, random_state, randomise, run_naive

from rnnbench import Recurrent, cells
from rnnbench.derivative import without_backward
from rnnbench.kernels import reference

ROOT = Path(__file__).resolve().parents[1]
TITLES = ("cell", "complex step", "central differences", "textbook loop", "derived backward", "files")


def by_numeric_gradient(case):
    """{method: worst relative error}."""
    cell = case.build()
    checked = gradients.check_problem(cell)
    return {method: max(gradients.errors(checked, method).values()) for method in gradients.methods_for(cell)}


def to_the_textbook_loop(case, T=6, B=3, I=3, H=4):
    """The worst distance of outputs and final states, relative to numbers above 1."""
    layer = randomise(Recurrent(case.cell, I, H, dtype="float64", device="reference", **dict(case.options)))
    x, state = np.random.default_rng(2).normal(size=(T, B, I)), random_state(layer, B)
    y, final = layer.forward(x, state)
    expected, expected_final = run_naive(layer, x, state, **dict(case.options))
    return worst({"y": y} | final, {"y": expected} | expected_final)


def to_the_derived_backward(case):
    """The worst distance of all that both passes give, relative to numbers above 1."""
    cell = case.build()
    sizes = {"T": 5, "B": 3, "lengths": [5, 3, 1], "truncate": 3, "feed": True}
    made = away_from_kinks(cell, lambda seed: problem(cell, seed, **sizes), 1e-6)
    derived = dataclasses.replace(made, layout=dataclasses.replace(made.layout, cell=without_backward(cell)))
    return worst(derived.both(reference), made.both(reference))


def worst(got, expected):
    """The largest difference of two dicts of arrays, each relative to its largest number if that is above 1."""
    scales = {name: max(1.0, np.abs(value).max(initial=0)) for name, value in expected.items()}
    return max(float(np.abs(got[name] - expected[name]).max(initial=0) / scales[name]) for name in expected)


def files(name):
    """The files that adding a cell makes or changes."""
    found = [cells.file(name), Path(inspect.getfile(naive.find(name)))]
    if VARIANTS.keys() & cells.option_defaults(name).keys() or any(cell == name for cell, _ in AT_LEAST):
        found.append(ROOT / "tests" / "helpers.py")
    return [path.name for path in found]


def row(cases, title):
    """A line of the table: the worst of some cases of a cell."""
    found = defaultdict(list)
    for case in cases:
        for method, error in by_numeric_gradient(case).items():
            found[method].append(error)
        found["textbook loop"].append(to_the_textbook_loop(case))
        found["derived backward"].append(to_the_derived_backward(case))
    return title, *(one_digit(found[of]) for of in TITLES[1:-1]), ", ".join(files(cases[0].cell))


def one_digit(numbers):
    """The largest number."""
    return f"{max(numbers):.0e}".replace("0e+00", "0") if numbers else "–"


def lines(table, markdown):
    """The table as text."""
    widths = [max(len(row[i]) for row in table) for i in range(len(TITLES))]
    for number, texts in enumerate(table):
        padded = [text.ljust(width) for text, width in zip(texts, widths, strict=True)]
        yield "| " + " | ".join(padded) + " |" if markdown else "  ".join(padded).rstrip()
        if markdown and number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def main(*arguments):
    """Print the table of the cells named, or of all."""
    chosen = [argument for argument in arguments if not argument.startswith("--")] or cells.names()
    cases = [case for case in CASES if case.cell in chosen]
    if "--cases" in arguments:
        rows = [row([case], str(case)) for case in cases]
    else:
        rows = [row([case for case in cases if case.cell == name], name) for name in chosen]
    for line in lines([TITLES, *rows], "--markdown" in arguments):
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
