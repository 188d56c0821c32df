"""A cell's pure functions on PyTorch tensors, so that autograd differentiates the same text that our drivers run.

`on_tensors` copies a plain function and puts PyTorch's meaning wherever it, or a function that it calls, names one of
:mod:`rnnbench.ops`. The cell's module is not touched. A constant stays a Python number: ``1 - z`` is then one
operation, as a PyTorch user writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import torch

from rnnbench import ops
from rnnbench.peers.tasks import NotSupported


def _where(condition, x, y):
    return torch.where(condition, x, y) if isinstance(condition, torch.Tensor) else x if condition else y


def _extreme(of_tensors, limit):
    """`maximum` or `minimum`, where one side may be a number; `limit` is the name of `clamp`'s argument for it."""

    def extreme(x, y):
        if not isinstance(y, torch.Tensor):
            return torch.clamp(x, **{limit: y})
        return of_tensors(x, y) if isinstance(x, torch.Tensor) else torch.clamp(y, **{limit: x})

    return extreme


def _fma(x, y, z):
    tensors = all(isinstance(value, torch.Tensor) for value in (x, y, z))
    return torch.addcmul(z, x, y) if tensors else x * y + z


MEANINGS: dict[str, Callable] = {
    "const": lambda value, like: value,
    "where": _where,
    "less": lambda x, y: x < y,
    "absolute": torch.abs,
    "maximum": _extreme(torch.maximum, "min"),
    "minimum": _extreme(torch.minimum, "max"),
    "fma": _fma,
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "step": lambda x: (x > 0).to(x.dtype),
}


@cache
def on_tensors(function: FunctionType) -> Callable:
    """The function for tensors.

    Raises
    ------
    NotSupported
        It comes to NumPy somewhere and PyTorch has no function of that name.
    """
    if function.__module__ == ops.__name__:
        return _named(function)
    return _copy(function)


def _named(function):
    """The meaning of a function of `ops`: told above, PyTorch's of that name, or its text, which names others."""
    meaning = MEANINGS.get(function.__name__) or getattr(torch, function.__name__, None)
    return _either(function, meaning) if meaning else _copy(function)


def _either(function, meaning):
    """`meaning` for tensors; what is computed of numbers alone stays as it is."""

    def either(*values):
        for value in values:
            if isinstance(value, torch.Tensor):
                return meaning(*values)
        return function(*values)

    return either


class _Ops:
    """The module `ops` itself, for a body that writes ``ops.tanh``."""

    def __getattr__(self, name):
        value = _translated(getattr(ops, name), ops.__name__)
        setattr(self, name, value)
        return value


def _copy(function):
    scope = dict(function.__globals__)
    for name in _names(function.__code__) & scope.keys():
        scope[name] = _translated(scope[name], function.__name__)
    closure = function.__closure__ and tuple(
        CellType(_translated(cell.cell_contents, function.__name__)) for cell in function.__closure__
    )
    return FunctionType(function.__code__, scope, function.__name__, function.__defaults__, closure)


def _translated(value: Any, where: str) -> Any:
    if isinstance(value, FunctionType):
        return on_tensors(value)
    if value is ops:
        return _Ops()
    if isinstance(value, ModuleType) and value.__name__.partition(".")[0] == "numpy":
        raise NotSupported(f"{where}() is written with NumPy, which has no meaning for PyTorch's tensors")
    if isinstance(value, tuple | list):
        return type(value)(_translated(v, where) for v in value)
    if isinstance(value, dict):
        return {key: _translated(v, where) for key, v in value.items()}
    return value


def _names(code: CodeType) -> set[str]:
    """All names that a function and those inside it look up."""
    return set(code.co_names).union(*(_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))
