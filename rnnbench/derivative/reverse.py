"""Reverse mode: the gradient by the inputs of a graph, as further values of that graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rnnbench.derivative.graph import Graph, Value, needed
from rnnbench.derivative.rules import RULES, Adjoint, add_up


def gradients(
    made: Sequence[Value], dmade: Sequence[Value], inputs: Sequence[Value], still: Collection[int] = ()
) -> list[Value | None]:
    """Return the gradient by each input, None where it is 0 whatever the numbers.

    Parameters
    ----------
    made : sequence of Value
    dmade : sequence of Value
        The gradient by each of `made`.
    inputs : sequence of Value
    still : collection of int
        Numbers of inputs that are constants to the gradient.
    """
    adjoints: dict[int, list[Adjoint]] = {}
    for value, d in zip(made, dmade, strict=True):
        adjoints.setdefault(value.number, []).append(Adjoint(d))
    for value in reversed(needed(made)):
        if value.number not in adjoints or not value.arguments:
            continue
        d = add_up(adjoints[value.number])
        parts = RULES[value.operation](d, value, *value.arguments)
        for argument, part in zip(value.arguments, parts, strict=True):
            if part is not None and not argument.is_constant and argument.number not in still:
                adjoints.setdefault(argument.number, []).append(part)
    return [add_up(adjoints[value.number]).value if value.number in adjoints else None for value in inputs]


def zero_like(graph: Graph, d: Value) -> Value:
    """Return a 0 that has the shape of `d`, and is NaN where that is NaN."""
    return graph.apply("mul", d, 0)
