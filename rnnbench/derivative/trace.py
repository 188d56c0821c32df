"""Running a pure function on values in place of numbers, so that what it computes is recorded.

The function itself runs, with each function of :mod:`rnnbench.ops` that it names, directly or through functions of its
own, replaced by one that records. Nothing outside a copy of the function changes.
"""

from __future__ import annotations

import builtins
import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType

from rnnbench import ops
from rnnbench.derivative.graph import DerivationError, Graph, Value
from rnnbench.derivative.rules import RULES

OURS = {str(Path(__file__).parent), str(Path(ops.__file__).parent)}


def trace(function: Callable, graph: Graph, sizes: Sequence[int]) -> tuple[list[tuple[Value, ...]], object]:
    """Run a function of tuples on new inputs of a graph.

    Parameters
    ----------
    function : callable
    graph : Graph
    sizes : sequence of int
        How many numbers each of its tuples holds.

    Returns
    -------
    inputs : list of tuples of Value
    result : whatever the function returned

    Raises
    ------
    DerivationError
        If it does anything else than arithmetic and :mod:`rnnbench.ops`; the message tells the line.
    """
    inputs = [tuple(graph.input() for _ in range(size)) for size in sizes]
    try:
        return inputs, _recording(function, graph)(*inputs)
    except Exception as error:
        raise DerivationError(f"{_place(error)}{error}") from error


def _place(error):
    """Where in the user's code an error comes from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).parent) not in OURS]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""


def _recording(function, graph):
    """A copy of a function whose operations are recorded."""
    if not isinstance(function, FunctionType):
        raise DerivationError(f"got {function!r}, expected a plain function")
    scope = {name: _substitute(function.__globals__[name], graph) for name in _names(function)}
    closure = tuple(CellType(_substitute(cell.cell_contents, graph)) for cell in function.__closure__ or ())
    scope |= {"__builtins__": builtins, "__name__": function.__module__}
    defaults = _substitute(function.__defaults__, graph)
    copy = FunctionType(function.__code__, scope, function.__name__, defaults, closure or None)
    copy.__kwdefaults__ = _substitute(function.__kwdefaults__, graph)
    return copy


def _names(function) -> Iterator[str]:
    """The global names that a function uses, those of functions inside it included."""
    todo = [function.__code__]
    while todo:
        code = todo.pop()
        todo += [c for c in code.co_consts if isinstance(c, CodeType)]
        yield from (name for name in code.co_names if name in function.__globals__)


def _substitute(thing, graph):
    """What stands in the place of something that a function names."""
    if isinstance(thing, FunctionType):
        if thing.__name__ in RULES and thing is getattr(ops, thing.__name__, None):  # no wrapper that took its name
            return _recorder(thing, graph)
        return lambda *args, **kwargs: _recording(thing, graph)(*args, **kwargs)
    if isinstance(thing, ModuleType):
        return _Module(thing, graph)
    if isinstance(thing, partial):
        function, args, kwargs = (_substitute(part, graph) for part in (thing.func, thing.args, thing.keywords))
        return partial(function, *args, **kwargs)
    if type(thing) in (tuple, list):
        return type(thing)(_substitute(part, graph) for part in thing)
    if type(thing) is dict:
        return {key: _substitute(part, graph) for key, part in thing.items()}
    return thing


def _recorder(function, graph):
    """What records a call of a function of ops."""
    signature = inspect.signature(function)

    def record(*args, **kwargs):
        try:
            given = signature.bind(*args, **kwargs).args
        except TypeError as error:
            raise DerivationError(f"{function.__name__}: {error}") from None
        if not any(isinstance(g, Value) for g in given):
            return function(*given)
        if "like" in signature.parameters:  # const(value, like), zero(like), one(like)
            return graph.constant(given[0] if len(given) == 2 else function(0.0))
        return graph.apply(function.__name__, *given)

    return record


class _Module:
    """A module whose functions record."""

    def __init__(self, module, graph):
        self._module, self._graph = module, graph

    def __getattr__(self, name):
        return _substitute(getattr(self._module, name), self._graph)
