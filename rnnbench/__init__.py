"""rnnbench: the reference bench for recurrent neural networks."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
_LAZY = {"Dense": "rnnbench.layers.dense", "Recurrent": "rnnbench.layers.recurrent"}
_FOLDERS = ("cells", "layers", "probes", "tasks", "training")
__all__ = ["Dense", "Recurrent", "__version__", *_FOLDERS]


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import rnnbench`` and the command line start at once."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _FOLDERS:
        return importlib.import_module(f"rnnbench.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
