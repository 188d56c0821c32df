"""docs/your-own-cell.md, done as it says: one file, one command, a report in which the cell stands beside others."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnnbench.runner.discovery import Experiment

pytestmark = pytest.mark.xdist_group("your own cell")  # one process runs the command, for all
ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "your-own-cell.md").read_text(encoding="utf-8")
# What the page promises of the cell.
TOLD = ["gradient_check", "throughput_cells", "gradient_decay", "jacobian_spectrum", "adding", "copy", "parity"]


@pytest.fixture(scope="module", params=["what the page tells of", pytest.param("all", marks=pytest.mark.slow)])
def folder(request, tmp_path_factory):
    """A folder with a space in its name, in which the page's command has run."""
    folder = tmp_path_factory.mktemp("my cell")
    (code,) = re.findall(r"```python my_cell\.py\n(.*?)```", PAGE, re.DOTALL)
    (folder / "my_cell.py").write_text(code, encoding="utf-8")
    (folder / "results").mkdir()
    for command in re.findall(r"^rnnbench (run all .*|report --cells .*)$", PAGE, re.MULTILINE):
        some = command if request.param == "all" else command.replace("run all", f"run {' '.join(TOLD)}")
        run(folder, "-m", "rnnbench", *some.split())
    return folder


def run(folder, *arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_on_the_page_is_the_one_that_ran():
    assert "rnnbench run all --cells my_cell.py --only my_cell,lstm,gru\n" in PAGE
    assert set(re.findall(r"`(\w+)`", PAGE.split("| experiment |")[1].split("\n\n")[0])) == set(TOLD)


def test_the_rates_on_the_page_are_those_it_gets():
    table = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d., ]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, *_ in table] == ["adding", "copy", "parity"]
    for name, rate, rates in table:
        module = Experiment(name, ROOT / "experiments" / f"{name}.py", False).load()
        assert (float(rate), tuple(map(float, rates.split(",")))) == (module.DEFAULT, module.RATES)


def test_the_search_on_the_page_is_one_of_the_cell(folder):
    (command,) = re.findall(r"^rnnbench (run .* --preset search)$", PAGE, re.MULTILINE)
    plan = run(folder, "-m", "rnnbench", *command.replace("run", "plan", 1).split())
    trials = {line.split()[0]: int(line.split()[1]) for line in plan.splitlines()[1:]}
    assert trials == {"adding": 3, "copy": 8, "parity": 6, "total": 17}  # rates by lengths and questions


@pytest.mark.parametrize("name", TOLD)
def test_every_diagnostic_tells_of_the_cell(folder, name):
    records = [json.loads(path.read_text()) for path in (folder / "results" / "local" / name).glob("*.json")]
    mine = [record for record in records if record["setting"]["cell"] == "my_cell"]
    assert mine and all(record["status"] == "ok" and record["rows"] for record in mine)
    beside = {"lstm", "gru"} if name != "throughput_cells" else set()  # their speed is another experiment's
    assert {record["setting"]["cell"] for record in records} == {"my_cell", *beside}


def test_its_gradient_is_that_of_its_forward_function(folder):
    for path in (folder / "results" / "local" / "gradient_check").glob("*.json"):
        record = json.loads(path.read_text())
        if record["setting"]["cell"] == "my_cell":
            errors = [value for block in record["rows"] for value in block.get("error", [])]
            assert errors and max(errors) < 1e-9


def test_it_stands_in_the_report(folder):
    page = (folder / "reports" / "index.html").read_text(encoding="utf-8")
    assert page.count("my_cell") > 10
    ends = (folder / "reports" / "tables" / "adding-local-smoke-ends.csv").read_text()
    assert "my_cell" in ends and "lstm" in ends


def test_the_snippet_in_python_runs(folder):
    snippet = next(s for s in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "load_file" in s)
    assert "weight_hh" in run(folder, "-c", snippet)


def test_the_card_shows_it(folder):
    assert "65792" in run(folder, "-m", "rnnbench", "show", "my_cell", "--cells", "my_cell.py")  # parameters
