"""What there is: experiments, tasks and devices, as flat rows, found without importing any of them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnbench.runner import provenance
from rnnbench.runner.discovery import CHECKOUT, Experiment


def experiments(found: Mapping[str, Experiment]) -> list[dict[str, object]]:
    """One row per experiment: name, question and whose it is."""
    return [
        {"name": e.name, "question": e.title, "from": "rnnbench" if e.packaged else str(e.path.parent)}
        for e in found.values()
    ]


def tasks(folder: Path = CHECKOUT / "rnnbench" / "tasks") -> list[dict[str, object]]:
    """One row per task: name and the first line of its file; empty if there is no such folder."""
    rows = []
    for path in sorted(folder.glob("*.py")):
        if not path.stem.startswith("_"):
            docstring = ast.get_docstring(ast.parse(path.read_bytes())) or ""
            rows.append({"name": path.stem, "title": docstring.partition("\n")[0]})
    return rows


def devices() -> list[dict[str, object]]:
    """One row per device: name, whether it can be used, model, SIMD width and threads."""
    cuda = has_module("numba_cuda")
    return [
        {
            "name": "cpu",
            "available": True,
            "model": provenance.cpu_model(),
            "simd_float32": provenance.simd_lanes(),
            "threads": provenance.threads(),
        },
        {
            "name": "cuda",
            "available": False,
            "model": "numba-cuda is installed; the kernels are not part of this version"
            if cuda
            else "numba-cuda is not installed: pip install 'rnnbench[cuda]'",
            "simd_float32": None,
            "threads": None,
        },
    ]


def has_module(name: str) -> bool:
    """Whether a package could be imported; it isn't."""
    return importlib.util.find_spec(name) is not None


def columns(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as plain aligned text under their names; numbers to the right, nothing cut off."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    numeric = [all(_is_number(row.get(name)) for row in rows) for name in names]
    titles = [name.replace("_", " ") for name in names]
    widths = [max(len(line[i]) for line in [titles, *cells]) for i in range(len(names))]
    lines = []
    for line in [titles, *cells]:
        parts = zip(line, widths, numeric, strict=True)
        lines.append("  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in parts).rstrip())
    return "\n".join(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(element) for element in value) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(element)}" for name, element in value.items()) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
