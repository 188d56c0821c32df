"""Modules from files that somebody is editing: what is written there now is what runs.

Python's cache of bytecode goes by a file's size and the second of its last change: an edit that keeps both would run
as it was before. So it is neither asked nor written here, and nothing appears beside a user's files.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType


class _AsItIs(SourceFileLoader):
    def path_stats(self, path):
        raise OSError("no bytecode")  # so the machinery neither reads nor writes any


def module_of(name: str, path: Path) -> ModuleType:
    """Return the module of a file, not run yet: ``module.__spec__.loader.exec_module(module)`` does that."""
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItIs(name, str(path)))
    return importlib.util.module_from_spec(spec)
