"""Recurrent cells, one file each, found by their file name.

A cell's file has a docstring (equations, source) and a function ``build(**options) -> Cell``. Adding a file adds
the cell to every driver, check, benchmark, table and figure; nothing is registered by hand.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from rnnbench.contract import Cell
from rnnbench.sources import module_of

_user_cells: dict[str, ModuleType] = {}


def names() -> list[str]:
    """Return the names of all cells, the user's own included, sorted."""
    return sorted({*_shipped(), *_user_cells})


def added() -> list[str]:
    """Return the names of the user's own cells, in the order in which they were loaded."""
    return list(_user_cells)


def get(name: str, **options: Any) -> Cell:
    """Build the cell called `name`.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    **options
        The cell's own options, for example ``activation="relu"``.

    Returns
    -------
    Cell

    Raises
    ------
    ValueError
        For an unknown cell, option or value.
    """
    module = _module(name)
    known = option_defaults(name)
    for option in options:
        if option not in known:
            expected = f"one of {', '.join(known)}" if known else "no options"
            raise ValueError(f"option {option!r} of cell {name!r} is unknown, expected {expected}")
    title = (docstring(name) or name).splitlines()[0].rstrip(".").replace("``", "")
    cell = module.build(**options)
    if not isinstance(cell, Cell):
        raise ValueError(f"build() gave a {type(cell).__name__}, expected a Cell")
    return replace(cell, name=name, title=title, options=known | options)


def option_defaults(name: str) -> dict[str, Any]:
    """Return the options of a cell with their default values."""
    return {p.name: p.default for p in inspect.signature(_module(name).build).parameters.values()}


def docstring(name: str) -> str:
    """Return the docstring of a cell's file: title, equations, sources."""
    return inspect.getdoc(_module(name)) or ""


def builder(name: str) -> Callable[..., Cell]:
    """Return a cell's function ``build(**options)``."""
    return _module(name).build


def file(name: str) -> Path:
    """Return the path of a cell's file."""
    return Path(inspect.getfile(_module(name)))


def load_file(path: str | Path) -> str:
    """Add the cell in a file of the user's own and return its name (the file's stem).

    Raises
    ------
    ValueError
        If the file cannot be read or does not hold a cell.
    """
    path = Path(path)
    name = path.stem
    if not path.is_file() or path.suffix != ".py":
        raise ValueError(f"cells file: got {str(path)!r}, expected an existing .py file")
    if not name.isidentifier() or name in _shipped():
        raise ValueError(f"cells file: name {name!r} is taken or no identifier, expected another than {_shipped()}")
    qualified = f"rnnbench_user_cells_{name}"
    module = sys.modules[qualified] = module_of(qualified, path)
    try:
        module.__spec__.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"cells file {path}: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, "build", None)):
        raise ValueError(f"cells file {path}: expected a function build(**options) that returns a Cell")
    before = dict(_user_cells)
    _user_cells[name] = module
    try:
        if unset := [key for key, value in option_defaults(name).items() if value is inspect.Parameter.empty]:
            raise ValueError(f"build(): option {unset[0]!r} has no default, expected build(OPTION=VALUE, ...)")
        get(name)
    except (Exception, SystemExit) as error:
        _user_cells.clear()
        _user_cells.update(before)
        raise ValueError(f"cells file {path}: {error}") from error
    return name


def describe(name: str) -> dict[str, Any]:
    """Return the facts of a cell as a flat dict: what ``rnnbench list cells`` shows.

    Parameters, tape and FLOPs are for I = H = 128; bytes are those of float32, per batch row and step.
    """
    from rnnbench.layout import Layout

    cell = get(name)
    layout = Layout(cell, 128, 128)
    return {
        "name": name,
        "title": cell.title,
        "year": cell.year,
        "states": " ".join(layout.states),
        "gates": " ".join(g.name for g in cell.gates),
        "options": " ".join(f"{k}={v}" for k, v in cell.options.items()),
        "parameters": layout.weight_count(),
        "tape_bytes_per_step": 4 * layout.tape_floats(),
        "flops_per_step": layout.flops_per_step(),
    }


def _shipped() -> list[str]:
    return [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]


def _module(name: str) -> ModuleType:
    if isinstance(name, str) and name in _user_cells:
        return _user_cells[name]
    if isinstance(name, str) and not name.startswith("_"):  # known already: no need to look at all files again
        loaded = sys.modules.get(f"{__name__}.{name}")
        if loaded is not None:
            return loaded
    if not isinstance(name, str) or name not in names():
        close = difflib.get_close_matches(str(name), names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"cell: got {name!r}{hint}, expected one of {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")
