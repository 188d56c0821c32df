"""What the pair of functions of a stage costs, counted: operations, and values saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rnnbench.derivative.graph import Graph, Value, needed
from rnnbench.derivative.trace import trace


@dataclass(frozen=True)
class Cost:
    """Per unit, row and step: values saved, and each operation's number in both functions."""

    saved: int
    forward: Counter
    backward: Counter


def cost(stage) -> Cost:
    """Return what a stage that has both functions costs."""
    gates, reads, makes, p = (len(names) for names in (stage.gates, stage.reads, stage.makes, stage.parameters))
    _, (_, saved) = trace(stage.forward, Graph(), (gates, reads, p))
    forward = count_operations(stage.forward, gates, reads, p)
    return Cost(len(saved), forward, count_operations(stage.backward, makes, reads, makes, len(saved), p))


def count_operations(function: Callable, *sizes: int) -> Counter:
    """Return how often a pure function does each operation; equal operations count once.

    Parameters
    ----------
    function : callable
        Of tuples, as all functions of a stage are.
    *sizes : int
        The length of each of its tuples.
    """
    _, result = trace(function, Graph(), sizes)
    values = needed(value for value in _flat(result) if isinstance(value, Value))
    return Counter(value.operation for value in values if value.arguments)


def _flat(result):
    for part in result if isinstance(result, tuple) else (result,):
        yield from _flat(part) if isinstance(part, tuple) else (part,)
