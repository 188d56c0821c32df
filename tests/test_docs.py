"""What the documents say of cells is so: names, years, options, and code that runs."""

import ast
import pydoc
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnbench import Recurrent, cells
from rnnbench.runner.discovery import CHECKOUT, find_experiments

ROOT = Path(__file__).resolve().parents[1]
CALL = {"feed", "state", "outputs", "reverse"}  # what its methods take


def text_of(name):
    return (ROOT / name).read_text("utf-8")


def table_rows(text):
    """The cells of every line of every table but titles and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    return [row for row, after in zip(rows, [*rows[1:], [""]], strict=True) if not rule(row) and not rule(after)]


def rule(row):
    return all(re.fullmatch(r":?-+:?", part) for part in row)


def codes(text):
    return re.findall(r"`([^`]+)`", text)


# ---- README.md ----


def test_the_readme_lists_every_cell_with_its_year():
    found = {codes(row[0])[0]: row[1:] for row in table_rows(text_of("README.md")) if codes(row[0]) and len(row) == 3}
    assert found.keys() == {path.stem for path in (ROOT / "rnnbench" / "cells").glob("[a-z]*.py")}
    for name, (year, meaning) in found.items():
        assert int(year) == cells.get(name).year and meaning, name


def test_the_readme_lists_every_experiment_with_its_question():
    found = {codes(row[0])[0]: row[1] for row in table_rows(text_of("README.md")) if len(row) == 2}
    assert found == {name: experiment.title for name, experiment in find_experiments().items()}


def test_the_readme_tells_of_all_that_the_gate_runs():
    gate, readme = text_of(".ci/run"), text_of("README.md")
    targets = re.findall(r"^make ([\w-]+)", gate, re.MULTILINE) + re.findall(r"for target in ([^;]+);", gate)[0].split()
    assert targets == ["test", "test-cuda", "test-peers"]
    assert all(f"`make {target}`" in readme for target in targets)


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_lead_to_files_and_named_files_are_there(document):
    text = text_of(document)
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / document).parent.joinpath(link).is_file(), link
    for name in re.findall(r"`((?:tests|docs|rnnbench|experiments|benchmarks)/[\w/]+\.(?:py|md))`", text):
        assert (ROOT / name).is_file(), name


def test_the_code_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", text_of("README.md"), re.DOTALL)
    programs = [block for block in blocks if block.startswith(("import ", "from "))]
    assert len(programs) == 2
    for program in programs:
        exec(program, {})


# ---- docs/training.md ----


def test_the_code_about_training_runs():
    blocks, names = re.findall(r"```python\n(.*?)```", text_of("docs/training.md"), re.DOTALL), {}
    assert len(blocks) == text_of("docs/training.md").count("```python") == 15
    for block in blocks:
        exec(block, names)
    told, inner = text_of("docs/training.md"), {"blas", "flat", "feed", "loop", "evaluation"}
    for part in (ROOT / "rnnbench" / "training").glob("[a-z]*.py"):
        assert part.stem in told or part.stem in inner, f"no example of {part.stem}"


# ---- docs/cells.md ----


def test_the_tables_of_cells_name_cells():
    rows = table_rows(text_of("docs/cells.md"))
    named = [codes(row[0])[0] for row in rows if codes(row[0])]
    assert len(named) > 30 and set(named) <= set(cells.names())


# ---- docs/lectures.md ----


def mentions(text):
    """[(cell, its options)] of a table's entry, and all else that stands there as code."""
    found, others = [], []
    for code in codes(text):
        option = re.fullmatch(r"(\w+)=(.*)", code)
        if code in cells.names():
            found.append((code, {}))
        elif option and option[1] not in CALL and found:
            found[-1][1][option[1]] = 3 if option[2] == "d" else ast.literal_eval(option[2])
        else:
            others.append(code.partition("=")[0])
    return found, others


LECTURES = [row for row in table_rows(text_of("docs/lectures.md")) if len(row) == 3]
NAMED = [(what, *mention) for what, _, entry in LECTURES for mention in mentions(entry)[0]]


@pytest.mark.parametrize("what, cell, options", NAMED, ids=[f"{what}: {cell}" for what, cell, _ in NAMED])
def test_a_cell_of_the_lectures_runs_with_its_options(what, cell, options):
    layer = Recurrent(cell, 2, 4, device="reference", **options)
    y, _ = layer.forward(np.zeros((5, 1, 2), "float32"))
    assert np.isfinite(y).all()


def test_all_that_the_lectures_name_is_there():
    others = {code for *_, entry in LECTURES for code in mentions(entry)[1]}
    python = {code for code in others if code.startswith("rnnbench.")}
    assert all(pydoc.locate(code) for code in python), python
    assert others - python <= CALL | {"initial"} | find_experiments().keys()
    assert len(NAMED) > 25


def test_every_lecture_has_a_table_and_every_row_an_answer():
    sections = re.split(r"^## ", text_of("docs/lectures.md"), flags=re.MULTILINE)[1:]
    assert len(sections) == 5
    for section in sections:
        rows = table_rows(section)
        assert rows and all(len(row) == 3 and all(row) for row in rows)
        for what, _, entry in rows:
            assert mentions(entry)[0] or re.match(r"a network: |any cell|the experiment `|`rnnbench", entry), what


def test_where_networks_of_the_lectures_live_and_what_checks_and_trains_them():
    rows = [row for row in table_rows(text_of("docs/lectures.md")) if len(row) == 4]
    assert len(rows) > 15
    for what, *entries in rows:
        file, checks, trains = map(codes, entries)
        assert file and checks and all((CHECKOUT / path).is_file() for path in file + checks), what
        assert find_experiments().keys() >= {*trains} and (trains or "none" in entries[-1]), what


def test_the_code_of_the_lectures_learns_an_initial_state():
    (code,) = re.findall(r"```python\n(.*?)```", text_of("docs/lectures.md"), re.DOTALL)
    names = {}
    exec(code, names)
    layer = names["layer"]
    assert layer.params["initial_h"].shape == layer.grads["initial_h"].shape == (5,)


@pytest.mark.parametrize("name", cells.names())
def test_any_cells_initial_state_can_be_learned(name):
    cell = cells.get(name)
    vectors = tuple(replace(v, initial="learned") if v.differentiable else v for v in cell.vectors)
    layer = Recurrent(replace(cell, vectors=vectors), 3, 5, dtype="float64", device="reference")
    learned = [key for key in layer.params if key.startswith("initial_")]
    assert learned
    rng = np.random.default_rng(0)
    for key in learned:
        layer.params[key][...] = rng.uniform(0.5, 1.0, layer.params[key].shape)
    x = rng.normal(size=(3, 4, 3))
    y, _ = layer.forward(x)
    _, dstate = layer.backward(np.ones_like(y))
    rows = {key: dstate[key.removeprefix("initial_")] for key in learned}
    for key, of_rows in rows.items():
        expected = of_rows.reshape(-1, of_rows.shape[-1]).sum(axis=0)
        np.testing.assert_allclose(layer.grads[key], expected, rtol=1e-12, atol=1e-14, err_msg=key)
