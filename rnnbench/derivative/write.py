"""From values to a Python function: its text, and the function itself.

The text is kept where tracebacks, debuggers and :func:`inspect.getsource` look for it. One text is one function, in
this process and, but for its identity, in every other.
"""

from __future__ import annotations

import hashlib
import itertools
import keyword
import linecache
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from types import FunctionType

from rnnbench import ops
from rnnbench.derivative.graph import CONSTANT, INFIX, Value, needed

FUNCTIONS = {name: f for name, f in vars(ops).items() if isinstance(f, FunctionType)}
SPECIAL = {"INF": math.inf, "NAN": math.nan}
LONGEST = 60  # of an expression that is written where it is used
WIDTH = 100
ARGUMENTS = {"a", "reads", "makes", "saved", "dmakes", "p"}
PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3}
OPERAND, CONDITION = 4, 0

_texts: dict[str, str] = {}


class Names:
    """Distinct names of variables that hide no function."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*FUNCTIONS, *SPECIAL, *ARGUMENTS, "_", *taken}

    def new(self, wish: str) -> str:
        """Return `wish` as an identifier, with a number after it if it is taken."""
        wish = re.sub(r"\W|^(?=\d)", "_", wish, flags=re.ASCII)
        name, number = wish, 0
        while name in self._taken or keyword.iskeyword(name):
            name, number = f"{wish}_{number}", number + 1
        self._taken.add(name)
        return name

    def of(self, wishes: Iterable[str], values: Sequence[Value]) -> dict[str, Value]:
        """Return values by new names."""
        return {self.new(wish): value for wish, value in zip(wishes, values, strict=True)}


def write(
    name: str,
    about: str,
    arguments: dict[str, dict[str, Value]],
    results: Sequence[Sequence[Value]],
    variables: dict[str, Value] | None = None,
) -> str:
    """Return the text of a function of tuples that returns tuples.

    Parameters
    ----------
    name, about : str
        The function's name and its docstring.
    arguments : dict of dict of Value
        Each argument's name, and the names of the values in it.
    results : sequence of sequences of Value
    variables : dict of Value, optional
        Names that some values shall have.
    """
    known: dict[int, str] = {}
    for values in arguments.values():
        for variable, value in values.items():
            known.setdefault(value.number, variable)
    body = _Body(known, {value.number: variable for variable, value in (variables or {}).items()}, results)
    lines = [f"def {name}({', '.join(arguments)}):", f'    """{about}"""']
    for argument, values in arguments.items():
        targets = [variable if variable in body.read else "_" for variable in values]
        if set(targets) - {"_"}:
            lines.append(f"    {_tuple(targets) if len(targets) == 1 else ', '.join(targets)} = {argument}")
    return "\n".join([*lines, *body.lines, *_returned([[*map(body.text, part)] for part in results]), ""])


def _tuple(texts):
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def _returned(parts):
    """The last statement, on as many lines as it takes to be read."""
    short = f"    return {', '.join(map(_tuple, parts))}"
    if len(short) <= WIDTH:
        return [short]
    lines = ["    return ("]
    for part in parts:
        lines += (
            [f"        {_tuple(part)},"]
            if len(part) < 2
            else ["        (", *(f"            {t}," for t in part), "        ),"]
        )
    return [*lines, "    )"]


class _Body:
    """The assignments of a function, and the expressions that are left to its last line."""

    def __init__(self, known, wished, results):
        flat = [value for part in results for value in part]
        order = needed(flat, known)
        uses = Counter(a.number for v in order if v.number not in known for a in v.arguments)
        uses.update(v.number for v in flat)
        names = Names([*known.values(), *wished.values()])
        count = itertools.count()
        self.lines: list[str] = []
        self._like = next((known[v.number] for v in order if v.number in known), next(iter(known.values())))
        self.read = {self._like} | {known[number] for number in uses if number in known}
        self._written = {number: (variable, OPERAND) for number, variable in known.items()}
        for value in order:
            if value.number in known:
                continue
            text, precedence = self._expression(value)
            if value.operation != CONSTANT and (uses[value.number] > 1 or len(text) > LONGEST):
                variable = wished.get(value.number) or names.new(f"v{next(count)}")
                self.lines.append(f"    {variable} = {text}")
                text, precedence = variable, OPERAND
            self._written[value.number] = text, precedence

    def text(self, value):
        """A value as an expression."""
        return self._written[value.number][0]

    def _operand(self, value, binds):
        text, precedence = self._written[value.number]
        return text if precedence >= binds else f"({text})"

    def _expression(self, value):
        """The text of an operation, and how tightly it binds."""
        operation, arguments = value.operation, value.arguments
        if operation == CONSTANT:
            return self._constant(value.constant), OPERAND
        if operation == "neg":
            return f"-{self._operand(arguments[0], OPERAND)}", PRECEDENCE["neg"]
        if operation in PRECEDENCE:  # the right one binds tighter: the order of roundings stays
            binds = PRECEDENCE[operation]
            left, right = self._operand(arguments[0], binds), self._operand(arguments[1], binds + 1)
            return f"{left} {INFIX[operation]} {right}", binds
        if operation in INFIX:
            left, right = (self._operand(a, CONDITION + 1) for a in arguments)
            return f"{left} {INFIX[operation]} {right}", CONDITION
        return f"{operation}({', '.join(map(self.text, arguments))})", OPERAND

    def _constant(self, number):
        if number in (0, 1) and math.copysign(1, number) > 0:
            return f"{'one' if number else 'zero'}({self._like})"
        text = repr(number) if math.isfinite(number) else ("NAN" if math.isnan(number) else "INF")
        return f"const({'-' * (number == -math.inf)}{text}, {self._like})"


@cache
def compiled(text: str) -> FunctionType:
    """Return the function that a text defines, the same one for the same text."""
    filename = f"<derived {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    _texts[filename] = text
    linecache.cache[filename] = len(text), None, text.splitlines(keepends=True), filename
    scope = {**FUNCTIONS, **SPECIAL, "__name__": "rnnbench.derivative"}
    before = set(scope)
    exec(compile(text, filename, "exec"), scope)
    (name,) = set(scope) - before - {"__builtins__"}
    return scope[name]


def text_of(function: Callable) -> str | None:
    """Return the text of a function that :func:`compiled` made, None for any other."""
    return _texts.get(getattr(getattr(function, "__code__", None), "co_filename", ""))
