"""What there is: experiments, tasks and devices, as flat rows, found without importing any of them."""

from __future__ import annotations

import ast
import importlib.util
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnbench.runner import provenance
from rnnbench.runner.discovery import CHECKOUT, Experiment

GAP, NARROWEST = "  ", 12
BRIEF = {
    "name": "name",
    "year": "year",
    "states": "states",
    "gates": "gates",
    "parameters": "parameters",
    "tape bytes/step": "tape_bytes_per_step",
    "FLOPs/step": "flops_per_step",
}


def brief_cells(described: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The facts of cells that fit on a line each; ``rnnbench show`` has the rest."""
    return [{title: facts[fact] for title, fact in BRIEF.items() if fact in facts} for facts in described]


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
    cuda, gpu = has_module("numba_cuda"), provenance.gpu()
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
            "available": cuda and bool(gpu),
            "model": (gpu or {"gpu": "no NVIDIA GPU answers nvidia-smi"})["gpu"]
            if cuda
            else "numba-cuda is not installed: pip install 'rnnbench[cuda]'",
            "simd_float32": None,
            "threads": None,
        },
    ]


def has_module(name: str) -> bool:
    """Whether a package could be imported; it isn't."""
    return importlib.util.find_spec(name) is not None


def columns(rows: Sequence[Mapping[str, object]], width: int | None = None) -> str:
    """Rows as plain aligned text under their names; numbers to the right, nothing cut off.

    Parameters
    ----------
    rows : sequence of mapping
    width : int, optional
        Where to break: the words of the widest column that is no number go on below.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    numeric = [all(_is_number(row.get(name)) for row in rows) for name in names]
    titles = [name.replace("_", " ") for name in names]
    widths = [max(len(line[i]) for line in [titles, *cells]) for i in range(len(names))]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width if width else 0
    if excess > 0 and not all(numeric):
        widest = max((i for i in range(len(names)) if not numeric[i]), key=lambda i: widths[i])
        widths[widest] = max(widths[widest] - excess, len(titles[widest]), NARROWEST)
    lines = []
    for line in [titles, *cells]:
        broken = [textwrap.wrap(cell, w, break_long_words=False) or [""] for cell, w in zip(line, widths, strict=True)]
        for number in range(max(map(len, broken))):
            parts = [pieces[number] if number < len(pieces) else "" for pieces in broken]
            padded = zip(parts, widths, numeric, strict=True)
            lines.append(GAP.join(part.rjust(w) if right else part.ljust(w) for part, w, right in padded).rstrip())
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
