"""The derivative of every operation: from the adjoint of its value to those of its arguments.

The adjoint of a value is the derivative of the loss by it. ``RULES[operation](d, y, *arguments)`` gets the adjoint
`d` of the operation's value `y`, and returns one adjoint per argument, None for no gradient.

Ties are those that :mod:`rnnbench.ops` documents: `maximum` and `minimum` pass the gradient to their first argument,
`relu` has the derivative 0 at 0, `absolute` 1; no gradient passes through a condition or a hard threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rnnbench import ops
from rnnbench.derivative.graph import CONDITIONS, Value


@dataclass(frozen=True, eq=False)
class Adjoint:
    """``+-base * factor``; the product is formed late, so that ``d*u - d*v`` can become ``d * (u - v)``."""

    base: Value
    factor: Value | None = None
    positive: bool = True

    def __neg__(self) -> Adjoint:
        return replace(self, positive=not self.positive)

    def __mul__(self, factor: Value) -> Adjoint:
        return replace(self, base=self.product, factor=factor)

    def __truediv__(self, divisor: Value) -> Adjoint:
        return self._changed(lambda d: d / divisor)

    def where(self, condition: Value) -> Adjoint:
        """The adjoint where a condition holds, else 0."""
        return self._changed(lambda d: d.graph.apply("where", condition, d, 0))

    def unless(self, condition: Value) -> Adjoint:
        """0 where a condition holds, else the adjoint."""
        return self._changed(lambda d: d.graph.apply("where", condition, 0, d))

    def negative_where(self, condition: Value) -> Adjoint:
        """Minus the adjoint where a condition holds, else the adjoint."""
        return self._changed(lambda d: d.graph.apply("where", condition, -d, d))

    @property
    def product(self) -> Value:
        """Its magnitude as one value."""
        return self.base if self.factor is None else masked_last(lambda d: d * self.factor, self.base)

    @property
    def value(self) -> Value:
        """It, as one value."""
        return self.product if self.positive else -self.product

    def _changed(self, change):
        return replace(self, base=masked_last(change, self.product), factor=None)


def add_up(adjoints: Iterable[Adjoint]) -> Adjoint:
    """Return the sum of adjoints, products with one base as one product."""
    groups: dict[tuple[int, bool], list[Adjoint]] = {}
    for d in adjoints:
        groups.setdefault((d.base.number, d.factor is None), []).append(d)
    sums = [_one_base(group) for group in groups.values()]
    return sums[0] if len(sums) == 1 else _signed_sum([(d.product, d.positive) for d in sums])


def _one_base(group):
    """The sum of adjoints that differ in factor and sign."""
    if len(group) == 1:
        return group[0]
    if group[0].factor is None:
        return _signed_sum([(d.base, d.positive) for d in group])
    factor = _signed_sum([(d.factor, d.positive) for d in group])
    return Adjoint(group[0].base, factor.base, factor.positive)


def _signed_sum(values):
    """The sum of values with signs; it starts with a positive one if there is any."""
    values = sorted(values, key=lambda v: not v[1])
    (total, positive), *rest = values
    for value, sign in rest:
        total = _combined("add" if sign == positive else "sub", total, value)
    return Adjoint(total, None, positive)


def _combined(operation, x, y):
    """x + y or x - y, as one choice if both are choices by one condition."""
    apply = x.graph.apply
    if y.constant == 0:
        return x
    if x.constant == 0:
        return y if operation == "add" else -y
    if x.operation == y.operation == "where" and x.arguments[0] is y.arguments[0]:
        (condition, *ours), (_, *theirs) = x.arguments, y.arguments
        return apply("where", condition, *(_combined(operation, u, v) for u, v in zip(ours, theirs, strict=True)))
    return apply(operation, x, y)


def masked_last(change: Callable[[Value], Value], x: Value) -> Value:
    """Return what a linear function makes of x, where x is 0 by a condition after all else.

    So a branch that was not taken cannot turn 0 into NaN: its derivative may be infinite.
    """
    apply = x.graph.apply
    if x.operation == "where":
        condition, u, v = x.arguments
        if v.constant == 0:
            return apply("where", condition, masked_last(change, u), 0)
        if u.constant == 0:
            return apply("where", condition, 0, masked_last(change, v))
    return change(x)


def _through(name: str) -> Callable:
    """The rule of a function whose derivative `ops` has as a function of its value."""
    return lambda d, y, x: (d * y.graph.apply(name, y),)


def _none(d, y, *arguments):
    return (None,) * len(arguments)


def _div(d, y, x, divisor):
    quotient = d / divisor
    return quotient, -(quotient * y)


def _absolute(d, y, x):
    return (d.negative_where(y.graph.apply("less", x, 0)),)


def _maximum(d, y, x, other):
    second = y.graph.apply("less", x, other)
    return d.unless(second), d.where(second)


def _minimum(d, y, x, other):
    second = y.graph.apply("less", other, x)
    return d.unless(second), d.where(second)


# ops names the derivative of f, from the value of f, d_f.
FROM_VALUE = {name for name in vars(ops) if f"d_{name}" in vars(ops)} - {"linear", "step"}

# A function of ops without a rule is traced through (square, linear, d_tanh ...).
RULES: dict[str, Callable] = {
    "add": lambda d, y, x, z: (d, d),
    "sub": lambda d, y, x, z: (d, -d),
    "mul": lambda d, y, x, z: (d * z, d * x),
    "div": _div,
    "neg": lambda d, y, x: (-d,),
    "one_minus": lambda d, y, x: (-d,),
    "fma": lambda d, y, x, z, w: (d * z, d * x, d),
    "exp": lambda d, y, x: (d * y,),
    "log": lambda d, y, x: (d / x,),
    "sqrt": lambda d, y, x: (d * y.graph.constant(0.5) / y,),
    "absolute": _absolute,
    "maximum": _maximum,
    "minimum": _minimum,
    "where": lambda d, y, condition, x, z: (None, d.where(condition), d.unless(condition)),
    **{name: _through(f"d_{name}") for name in sorted(FROM_VALUE)},
    **dict.fromkeys(("step", "const", "zero", "one", *sorted(CONDITIONS)), _none),
}
