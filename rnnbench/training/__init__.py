"""Training: losses, optimisers, clipping, and the loop that puts them together.

Every public name of the files here is found by its file, ``training.losses``; ``training.train`` and
``training.Trainer`` are those of :mod:`rnnbench.training.loop`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

_LAZY = {
    "Event": "history", "History": "history", "Stopping": "stopping", "Trainer": "loop", "evaluate": "evaluation",
    "train": "loop",
}  # fmt: skip
__all__ = ["Event", "History", "Stopping", "Trainer", "evaluate", "train"]


def __getattr__(name: str) -> Any:
    """Import on first use: what only draws schedules needs no compiler."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in (module.name for module in pkgutil.iter_modules(__path__)):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
