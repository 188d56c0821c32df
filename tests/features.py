"""What of the cell contract a cell makes use of, and the few cells that together make use of all of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import odd_cells
import pytest
from helpers import CASES, Case

from rnnbench.contract import INPUT, Cell, parse
from rnnbench.layout import Layout

WORDS = {"name", "title", "year", "source", "options"}  # who published a cell: no part of what it is

PARAMETERS = ("case", "cell", "make", "name")  # what tests call a cell

Feature = tuple[str, str, object]


def features(cell: Cell) -> set[Feature]:
    """Return how a cell fills each field of the contract's dataclasses, and what its graph reads."""
    weights = [cell.weights] if cell.weights else []
    found = {
        (type(part).__name__, field.name, kind(getattr(part, field.name), field.default))
        for part in (cell, *cell.vectors, *cell.gates, *cell.parameters, *cell.stages, *weights)
        for field in fields(part)
        if field.name not in WORDS
    }
    flows, products = cell.differentiable | {INPUT: True}, {s for gate in cell.gates for s in gate.sources}
    for how, sources in (("product", products), ("read", {s for stage in cell.stages for s in stage.reads})):
        for name, lag in map(parse, sources):
            found.add((how, "input" if name == INPUT else "lag", min(lag, 2)))
            found.add((how, "of what takes a gradient", flows[name]))
    for stage in cell.stages:
        found.add(("Stage", "gates of several lists of sources", len({gate.sources for gate in stage.gates}) > 1))
    found.add(("Cell", "reads the input", INPUT in products))
    found.add(("Cell", "its output is a state", cell.output in Layout(cell, 1, 1).states))
    return found


def kind(value: Any, default: Any) -> object:
    """Return what a driver has to distinguish: yes or no, how many, the default or of which type."""
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple):
        return ("none", "one", "several")[min(len(value), 2)]
    if type(value) is type(default) and value == default:
        return "default"
    return "function" if callable(value) else "mapping" if isinstance(value, Mapping) else type(value).__name__


def cover(groups: Iterable[Mapping[Any, set[Feature]]]) -> list[Any]:
    """Choose keys whose values hold all that any holds: from the first groups what they have, ever what adds most."""
    chosen, covered = [], set()
    for group in groups:
        left = set().union(*group.values()) - covered
        while left:
            best = max(group, key=lambda key: len(group[key] & left))  # the first of equals
            chosen.append(best)
            left -= group[best]
            covered |= group[best]
    return chosen


def groups() -> list[dict[Case | Callable[[], Cell], set[Feature]]]:
    """Return what every cell uses: those shipped, those with other options than their defaults, the odd ones."""
    plain, others = ([c for c in CASES if bool(c.options) == has] for has in (False, True))
    return [
        *({c: features(c.build()) for c in some} for some in (plain, others)),
        {m: features(m()) for m in odd_cells.ALL},
    ]


@functools.cache
def chosen() -> list[Case | Callable[[], Cell]]:
    """Return few cells that use, among them, all of the contract that any cell uses."""
    return cover(groups())


def stays(item: pytest.Item) -> bool:
    """Whether ``pytest --fast`` runs a test: one that is given a cell, by name or built, which is a chosen one."""
    callspec = getattr(item, "callspec", None)
    given = [callspec.params[name] for name in PARAMETERS if name in callspec.params] if callspec else []
    names = {one.cell if isinstance(one, Case) else one.__name__ for one in chosen()}
    return bool(given) and all(one in (names if isinstance(one, str) else chosen()) for one in given)
