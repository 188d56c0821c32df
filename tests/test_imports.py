"""The import direction and the house rules, read from the sources; each is also shown to fail."""

import ast
import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400  # 300 is the aim

# What each part of rnnbench may import of ours, besides itself. A part without a row is common ground: it
# imports nothing but common ground, and every part but `ops` may import it.
BASE = {"ops", "derivative", "contract", "layout"}
LAYERS = BASE | {"cells", "kernels", "layers"}
ALLOWED = {
    "ops": set(),
    "derivative": {"ops"},
    "contract": {"ops", "derivative"},
    "layout": {"ops", "contract"},
    "cells": BASE,
    "kernels": BASE,
    "layers": LAYERS,
    "training": LAYERS | {"tasks"},
    "probes": LAYERS,
    "peers": LAYERS | {"tasks", "training"},
    "tasks": BASE | {"cells"},
    "runner": (LAYERS - {"kernels"}) | {"training", "probes", "tasks", "experiments"},
    "report": BASE | {"cells", "tasks", "runner", "experiments"},
    "pages": BASE | {"cells", "runner", "report"},
    "studies": LAYERS | {"training", "tasks", "probes", "runner", "report"},
}
# "" is rnnbench itself: `from rnnbench import Recurrent`
ALLOWED["experiments"] = {*ALLOWED, "experiments", ""}
ALLOWED[""] = ALLOWED["experiments"]
ALLOWED["cli"] = ALLOWED["experiments"]
ALLOWED["__main__"] = {"cli"}


@dataclass(frozen=True)
class Import:
    """One import of ours: what, where, and whether importing the module runs it."""

    target: str
    line: int
    on_import: bool


@dataclass(frozen=True)
class Module:
    """A source file with its dotted name; experiments/ counts as rnnbench.experiments."""

    name: str
    root: Path
    path: Path  # below root
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, str(self.path))

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def imports(self) -> Iterator[Import]:
        yield from _imports(self.tree, self.package, on_import=True)


def part(name: str) -> str:
    """The first level below rnnbench: `cells` for rnnbench.cells.lstm, "" for rnnbench itself."""
    return [*name.split("."), ""][1]


def load(root: Path) -> dict[str, Module]:
    """Every module under root/rnnbench and root/experiments by its name."""
    modules = {}
    for folder, prefix in [("rnnbench", "rnnbench"), ("experiments", "rnnbench.experiments")]:
        for path in sorted((root / folder).rglob("*.py")):
            tail = path.relative_to(root / folder).with_suffix("").parts
            name = ".".join((prefix, *tail)).removesuffix(".__init__")
            modules[name] = Module(name, root, path.relative_to(root), path.read_text("utf-8"))
    return modules


def _imports(node: ast.AST, package: str, on_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        runs = on_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
            stem = ".".join([*base, *([child.module] if child.module else [])])
            names = [f"{stem}.{alias.name}" for alias in child.names]
        elif isinstance(child, ast.Call) and child.args and isinstance(child.args[0], ast.Constant):
            called = ast.unparse(child.func).rpartition(".")[2]
            if called in ("import_module", "__import__") and isinstance(child.args[0].value, str):
                names = [importlib.util.resolve_name(child.args[0].value, package)]
        for name in names:
            if name.split(".")[0] == "experiments":
                name = f"rnnbench.{name}"
            if name.split(".")[0] == "rnnbench":
                yield Import(name, child.lineno, runs)
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            runs = False
        yield from _imports(child, package, runs)


def wrong_direction(modules: dict[str, Module]) -> list[str]:
    """Imports, lazy ones included, that ALLOWED does not allow."""
    parts = {part(name) for name in modules} | set(ALLOWED)
    problems = []
    for module in modules.values():
        here = part(module.name)
        for found in module.imports():
            there = part(found.target)
            if there == "__version__":
                continue
            if there not in parts:
                there = ""  # an attribute of rnnbench itself
            common = there not in ALLOWED and here != "ops"
            if there != here and not common and there not in ALLOWED.get(here, set()):
                hint = "" if here in ALLOWED else f" (or give {here} a row in tests/test_imports.py)"
                told = f"{here or 'rnnbench'} must not import {there or 'rnnbench itself'}{hint}"
                problems.append(f"{module.path}:{found.line}: {told}")
    return problems


def pulls_in(modules: dict[str, Module], start: str, unwanted: set[str]) -> list[str]:
    """Chains of import-time imports that lead from the part `start` to an unwanted part."""
    todo = [[name] for name in modules if part(name) == start]
    seen, problems = {chain[0] for chain in todo}, []
    while todo:
        chain = todo.pop()
        if part(chain[-1]) in unwanted:
            problems.append(" -> ".join(chain))
            continue
        targets = [found.target for found in modules[chain[-1]].imports() if found.on_import] + [chain[-1]]
        for target in targets:
            pieces = target.split(".")
            for name in (".".join(pieces[:n]) for n in range(1, len(pieces) + 1)):  # a.b runs a first
                if name in modules and name not in seen:
                    seen.add(name)
                    todo.append([*chain, name])
    return problems


def stray_fastmath(module: Module) -> Iterator[str]:
    """`fastmath=` with anything but False: NaN must survive, and nothing may be reassociated."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "fastmath" and ast.unparse(node.value) != "False":
            yield f"{module.path}:{node.value.lineno}: fastmath={ast.unparse(node.value)}"


def stray_print(module: Module) -> Iterator[str]:
    """`print(` without `file=` anywhere but where output is the job: stdout is the caller's."""
    if part(module.name) in ("cli", "report"):
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "print":
            continue
        if not any(keyword.arg == "file" for keyword in node.keywords):
            yield f"{module.path}:{node.lineno}: print("


def too_long(module: Module) -> Iterator[str]:
    """A file of more than MAX_LINES lines."""
    if (lines := len(module.source.splitlines())) > MAX_LINES:
        yield f"{module.path}: {lines} lines, at most {MAX_LINES}"


def no_docstring(module: Module) -> Iterator[str]:
    """A public module, function or class without one; in a cell, its module's covers forward and backward."""
    if any(piece.startswith("_") for piece in module.name.split(".")):
        return
    if not ast.get_docstring(module.tree):
        yield f"{module.path}:1: the module has no docstring"
    for node in module.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        told = node.name.startswith("_") or (
            part(module.name) == "cells" and node.name.split("_")[0] in ("forward", "backward")
        )
        if not told and not ast.get_docstring(node):
            yield f"{module.path}:{node.lineno}: {node.name} has no docstring"


def no_init(module: Module) -> Iterator[str]:
    """A folder of modules without __init__.py, which an installation would leave out."""
    if not (module.root / module.path).with_name("__init__.py").exists():
        yield f"{module.path.parent}: no __init__.py"


RULES = [stray_fastmath, stray_print, too_long, no_docstring, no_init]


def report(problems) -> None:
    problems = sorted(set(problems))
    assert not problems, "\n" + "\n".join(problems)


def test_imports_go_one_way():
    report(wrong_direction(load(ROOT)))


@pytest.mark.parametrize("start", ["tasks", "report", "pages"])
def test_tasks_report_and_pages_pull_in_no_kernels(start):
    report(pulls_in(load(ROOT), start, {"kernels", "layers"}))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_rule(rule):
    report(problem for module in load(ROOT).values() for problem in rule(module))


@pytest.mark.parametrize("name", ["rnnbench", "rnnbench.cli"])
def test_light_to_import(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"no {name} yet")
    heavy = {"numba", "pandas", "matplotlib", "torch"}
    code = f"import sys, {name}; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"import {name} pulls in: {done.stderr}"


def test_experiments_are_part_of_the_package():
    try:
        importlib.metadata.version("rnnbench")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("rnnbench is not installed here")
    assert importlib.util.find_spec("rnnbench.experiments") is not None


@pytest.mark.parametrize("cell", ["any"])
def test_tests_of_one_cell_share_a_worker(request, cell):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("not run by `make test`")
    assert request.node.nodeid.endswith(f"@cell-{cell}")  # else xdist ignores the groups


@pytest.mark.peers
def test_the_peer_has_the_pinned_version():
    torch = pytest.importorskip("torch", reason="make test-peers installs it")
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert f"torch=={torch.__version__.partition('+')[0]}" in pins


# ---- the checkers can fail ----


def grow(root: Path, files: dict[str, str]) -> dict[str, Module]:
    """A small tree: `files`, and a module for every part so that names resolve."""
    empty = ["__init__", "ops", "contract", "cells/lstm", "kernels/cpu", "layers/recurrent"]
    for path, source in {**{f"rnnbench/{name}.py": "" for name in empty}, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source, "utf-8")
    return load(root)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("rnnbench/ops.py", "from . import contract"),
        ("rnnbench/ops.py", "from rnnbench.units import ms"),
        ("rnnbench/contract.py", "import rnnbench.cells.lstm"),
        ("rnnbench/cells/gru.py", "from ..kernels import cpu"),
        ("rnnbench/cells/gru.py", "from ..kernels.cpu import run as go"),
        ("rnnbench/cells/gru.py", "from .. import layers"),
        ("rnnbench/cells/__init__.py", "from ..layers import recurrent"),
        ("rnnbench/kernels/cpu.py", "def f():\n    from rnnbench import cells"),
        ("rnnbench/kernels/cpu.py", "import importlib\nimportlib.import_module('rnnbench.cells.lstm')"),
        ("rnnbench/layers/stack.py", "from rnnbench.training import losses"),
        ("rnnbench/layers/stack.py", "from rnnbench import Recurrent"),
        ("rnnbench/training/loop.py", "from rnnbench.probes import norms"),
        ("rnnbench/probes/norms.py", "from rnnbench.runner import store"),
        ("rnnbench/probes/norms.py", "from ..report import html"),
        ("rnnbench/tasks/copy.py", "from ..layers.recurrent import Recurrent"),
        ("rnnbench/report/html.py", "if True:\n    import rnnbench.kernels.cpu"),
        ("rnnbench/runner/trials.py", "from ..kernels import cpu"),
        ("rnnbench/runner/trials.py", "from ..cli import main"),
        ("rnnbench/units.py", "from .layers import recurrent"),
        ("rnnbench/__init__.py", "from .cli import main"),
        ("experiments/copying.py", "from rnnbench import cli"),
        ("rnnbench/layers/stack.py", "import experiments.copying"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path, path, source):
    [problem] = wrong_direction(grow(tmp_path, {path: source}))
    assert problem.startswith(f"{Path(path)}:{len(source.splitlines())}: ")


def test_right_imports_pass(tmp_path):
    files = {
        "rnnbench/cells/gru.py": "import numpy\nfrom .. import ops\nfrom ..units import s\nfrom . import f",
        "rnnbench/kernels/cpu.py": "from rnnbench.contract import Cell\nfrom . import simd",
        "rnnbench/units.py": "import math\nfrom rnnbench import __version__",
        "rnnbench/layers/recurrent.py": "from ..kernels import cpu\nfrom ..cells import lstm",
        "experiments/copying.py": "from rnnbench import Recurrent, cells\nfrom rnnbench.kernels import cpu",
        "rnnbench/__main__.py": "from rnnbench.cli import main",
    }
    assert wrong_direction(grow(tmp_path, files)) == []


def test_a_hidden_way_to_the_kernels_is_seen(tmp_path):
    files = {
        "rnnbench/report/html.py": "from ..runner import store",
        "rnnbench/runner/__init__.py": "from . import trials",
        "rnnbench/runner/trials.py": "from ..layers import recurrent",
    }
    modules = grow(tmp_path, files)
    assert wrong_direction(modules) == []
    [chain] = pulls_in(modules, "report", {"kernels", "layers"})
    way = "report.html -> rnnbench.runner -> rnnbench.runner.trials -> rnnbench.layers.recurrent"
    assert chain == f"rnnbench.{way}"
    for guard in ("def f():", "if TYPE_CHECKING:"):
        files["rnnbench/runner/trials.py"] = f"{guard}\n    from ..layers import recurrent"
        assert pulls_in(grow(tmp_path, files), "report", {"kernels", "layers"}) == []


@pytest.mark.parametrize(
    ("rule", "path", "good", "bad"),
    [
        (stray_fastmath, "kernels/cpu.py", "njit(fastmath=False)", "njit(fastmath=True)"),
        (stray_fastmath, "kernels/cpu.py", "njit()", "f(1, fastmath={'reassoc'})"),
        (stray_print, "layers/stack.py", "log('print(1)')", "def f():\n    print(1)"),
        (stray_print, "layers/stack.py", "self.print(1)\nprint(1, file=sys.stderr)", "print()"),
        (too_long, "layers/stack.py", "\n" * MAX_LINES, "\n" * (MAX_LINES + 1)),
        (no_docstring, "layers/stack.py", "'doc'\ndef f(): 'doc'", "'doc'\ndef f(): pass"),
        (no_docstring, "layers/stack.py", "'doc'\nclass _C: pass", "'doc'\nclass C: pass"),
        (no_docstring, "layers/stack.py", "'doc'", "x = 1"),
        (no_docstring, "cells/gru.py", "'doc'\ndef forward(): pass", "'doc'\ndef helper(): pass"),
    ],
)
def test_a_broken_house_rule_is_seen(tmp_path, rule, path, good, bad):
    def seen(source):
        modules = grow(tmp_path, {f"rnnbench/{path}": source})
        return list(rule(modules[f"rnnbench.{path[:-3].replace('/', '.')}"]))

    assert seen(good) == []
    assert len(seen(bad)) == 1


def test_output_may_be_printed_where_it_is_the_job(tmp_path):
    modules = grow(tmp_path, {"rnnbench/cli.py": "print(1)", "rnnbench/report/html.py": "print(1)"})
    assert [problem for module in modules.values() for problem in stray_print(module)] == []


def test_a_folder_without_init_is_seen(tmp_path):
    modules = grow(tmp_path, {"rnnbench/cells/__init__.py": "", "rnnbench/cells/new/a.py": ""})
    assert list(no_init(modules["rnnbench.cells.lstm"])) == []
    assert list(no_init(modules["rnnbench.cells.new.a"])) == [f"{Path('rnnbench/cells/new')}: no __init__.py"]
