"""What a pure function computes, as a graph of values: recorded while the function runs on values in place of numbers.

Equal values are one value, and constants are folded, so that a value stands for the work it costs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

import numpy as np

from rnnbench import ops

INPUT, CONSTANT = "input", "constant"
INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "and": "&", "or": "|",
}  # fmt: skip
ARITHMETIC = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
CONDITIONS = {"less", "lt", "le", "gt", "ge", "eq", "and", "or"}
COMMUTATIVE = {"add", "mul", "and", "or", "eq"}
UFUNCS = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div"}


class DerivationError(ValueError):
    """A function that is no pure function of arithmetic and :mod:`rnnbench.ops`."""


class Value:
    """One value of a graph: an input, a constant, or an operation on earlier values.

    Parameters
    ----------
    graph : Graph
    number : int
        Its place in the order of computation.
    operation : str
        ``"input"``, ``"constant"``, a key of INFIX, ``"neg"``, or the name of a function of :mod:`rnnbench.ops`.
    arguments : tuple of Value
    constant : float, optional
    """

    __slots__ = ("arguments", "constant", "graph", "number", "operation")
    __hash__ = None  # equality is an operation like any other; `number` tells values apart

    def __init__(self, graph, number, operation, arguments=(), constant=None):
        self.graph, self.number, self.operation = graph, number, operation
        self.arguments, self.constant = arguments, constant

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false, not a number."""
        return self.operation in CONDITIONS

    @property
    def is_constant(self) -> bool:
        """Whether it is the same number for all inputs."""
        return self.operation == CONSTANT

    def __neg__(self):
        return self.graph.apply("neg", self)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if ufunc.__name__ in UFUNCS and method == "__call__" and not options:  # a NumPy number on the left
            return self.graph.apply(UFUNCS[ufunc.__name__], *inputs)
        raise DerivationError(_unknown(ufunc))

    def __array_function__(self, function, types, arguments, options):
        raise DerivationError(_unknown(function))

    def __bool__(self):
        raise DerivationError("branches on a value; use where")

    def __iter__(self):
        raise DerivationError("loops over a value, which is one number")


def _unknown(function) -> str:
    name = function.__name__
    # The user may have called ops's own, but where it could not be replaced by what records: inside an import, say.
    expected = f", expected {ops.__name__}.{name}, imported at the top of the file" if name in vars(ops) else ""
    return f"numpy.{name} is no operation of rnnbench.ops{expected}"


def _binary(operation: str, swapped: bool = False) -> Callable:
    def method(self, other):
        return self.graph.apply(operation, *((other, self) if swapped else (self, other)))

    return method


def _refused(text: str) -> Callable:
    def method(self, *_):
        raise DerivationError(f"{text} is no operation of a cell, expected + - * / and the functions of rnnbench.ops")

    return method


for _name in INFIX:
    setattr(Value, f"__{ {'div': 'truediv'}.get(_name, _name) }__", _binary(_name))
for _name in ("add", "sub", "mul", "and", "or"):
    setattr(Value, f"__r{_name}__", _binary(_name, swapped=True))
Value.__rtruediv__ = _binary("div", swapped=True)
for _name, _text in {
    "pow": "**", "mod": "%", "floordiv": "//", "matmul": "@", "divmod": "divmod()", "xor": "^", "lshift": "<<",
    "rshift": ">>",
}.items():  # fmt: skip
    setattr(Value, f"__{_name}__", _refused(_text))
    setattr(Value, f"__r{_name}__", _refused(_text))
for _name, _text in {
    "abs": "abs() (see absolute)", "pos": "unary +", "invert": "~", "ne": "!=", "getitem": "an index into a value",
    "len": "len()", "float": "float()", "int": "int()", "complex": "complex()", "index": "a value as an index",
    "round": "round()", "call": "a call of a value",
}.items():  # fmt: skip
    setattr(Value, f"__{_name}__", _refused(_text))


class Graph:
    """The values of one trace, each once."""

    def __init__(self) -> None:
        self._values: dict[tuple, Value] = {}

    def input(self) -> Value:
        """Return a new input."""
        return self._value(INPUT, key=(INPUT, len(self._values)))

    def constant(self, number) -> Value:
        """Return a constant."""
        if isinstance(number, bool | np.bool_) or not isinstance(number, int | float | np.integer | np.floating):
            raise DerivationError(f"got {number!r} where a value or a real number is expected")
        number = float(number)
        return self._value(CONSTANT, key=(CONSTANT, repr(number)), constant=number)

    def lift(self, given) -> Value:
        """Return a value, or the constant that a number stands for."""
        return given if isinstance(given, Value) else self.constant(given)

    def apply(self, operation: str, *given) -> Value:
        """Return the value of an operation.

        Raises
        ------
        DerivationError
            For a condition in place of a number, or a number in place of a condition.
        """
        arguments = tuple(self.lift(g) for g in given)
        for place, argument in enumerate(arguments):
            expects_condition = operation in ("and", "or") or (operation == "where" and place == 0)
            if argument.is_condition != expects_condition:
                kinds = ("a condition", "a number")
                got, expected = kinds if argument.is_condition else reversed(kinds)
                raise DerivationError(f"{operation} of {got}, expected {expected}")
        return self._simplified(operation, arguments)

    def _simplified(self, operation, arguments):
        """The value, in its cheapest form that has the same bits."""
        first, last = arguments[0], arguments[-1]
        if operation not in CONDITIONS and all(a.is_constant for a in arguments):
            return self.constant(fold(operation, [a.constant for a in arguments]))
        if operation == "neg" and first.operation == "neg":
            return first.arguments[0]
        if operation in ("mul", "div") and last.constant == 1:
            return first
        if operation == "mul" and first.constant == 1:
            return last
        if operation == "sub" and first.constant == 1:
            return self.apply("one_minus", last)
        numbers = [a.number for a in arguments]
        key = (operation, *(sorted(numbers) if operation in COMMUTATIVE else numbers))
        return self._value(operation, arguments, key)

    def _value(self, operation, arguments=(), key=(), constant=None):
        if key not in self._values:
            self._values[key] = Value(self, len(self._values), operation, arguments, constant)
        return self._values[key]


def fold(operation: str, numbers: Iterable[float]) -> float:
    """Return what an operation makes of constants."""
    with np.errstate(all="ignore"):
        if operation == "neg":
            return -next(iter(numbers))
        function = ARITHMETIC.get(operation) or getattr(ops, operation)
        return float(function(*map(np.float64, numbers)))


def needed(results: Iterable[Value], known: Iterable[int] = ()) -> list[Value]:
    """Return what the results are computed from and the results, in order; nothing behind the `known` numbers."""
    found, todo, known = {}, list(results), set(known)
    while todo:
        value = todo.pop()
        if value.number not in found:
            found[value.number] = value
            if value.number not in known:
                todo += value.arguments
    return [found[number] for number in sorted(found)]
