"""Sequence tasks, one file each, found by their file name.

A task's file has a docstring (what is asked, the chance loss and chance success with their derivation, sources), a
dict ``VARIANTS`` of options by the name of the paper that set them (the first is the default) and a function
``build(**options) -> Task``. Adding a file adds the task to every list, test and experiment; nothing is registered by
hand.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType
from typing import Any

from rnnbench.tasks._task import Batch, Chance, Pair, Task

__all__ = ["Batch", "Chance", "Pair", "Task", "get", "names", "variants"]


def names() -> list[str]:
    """Return the names of all tasks, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def variants(name: str) -> list[str]:
    """Return the names of a task's variants, the default first."""
    return list(_module(name).VARIANTS)


def get(name: str, variant: str | None = None, **options: Any) -> Task:
    """Build the task called `name`.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    variant : str, optional
        One of :func:`variants`; the first unless given.
    **options
        The task's own options; they replace those of the variant.

    Returns
    -------
    Task

    Raises
    ------
    ValueError
        For an unknown task, variant, option or value.
    """
    module = _module(name)
    variant = next(iter(module.VARIANTS)) if variant is None else variant
    if variant not in module.VARIANTS:
        raise ValueError(f"variant of task {name!r}: got {variant!r}, {_expected(variant, module.VARIANTS)}")
    known = inspect.signature(module.build).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"option {option!r} of task {name!r} is unknown, {_expected(option, known)}")
    return replace(module.build(**module.VARIANTS[variant] | options), name=name, variant=variant)


def _expected(given: object, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(str(given), known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"expected one of {', '.join(known)}{hint}" if known else "expected none"


def _module(name: str) -> ModuleType:
    loaded = sys.modules.get(f"{__name__}.{name}") if isinstance(name, str) and not name.startswith("_") else None
    if loaded:  # the folder need not be looked through
        return loaded
    if not isinstance(name, str) or name not in names():
        raise ValueError(f"task: got {name!r}, {_expected(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")
