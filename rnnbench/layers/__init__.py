"""Layers: cells with parameters run over sequences, and what is made of them.

Every public class of the files here is found by its name, ``layers.Chain`` or ``from rnnbench.layers import Chain``,
and its file is imported only then. Adding a file adds its classes; nothing is registered by hand.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

_CLASS = re.compile(r"^class ([A-Z]\w*)", re.MULTILINE)


def __getattr__(name: str) -> Any:
    """Import the file of this name, or the one that has the class of this name."""
    files = _files()
    if name in files:
        return importlib.import_module(f"{__name__}.{name}")
    for file, classes in files.items():
        if name in classes:
            return getattr(importlib.import_module(f"{__name__}.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    files = _files()
    return sorted({*globals(), *files, *(name for classes in files.values() for name in classes)})


@cache
def _files() -> dict[str, list[str]]:
    """The public files of this folder and the classes in each."""
    files = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("_"))
    return {path.stem: _CLASS.findall(path.read_text("utf-8")) for path in files}
