"""Refusing a graph that does not hold together, before anything is computed with it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnbench.contract.graph import HIDDEN, INPUT, LEARNED, Gate, Stage, UnitParameter, Vector, WeightMap, parse

if TYPE_CHECKING:
    from rnnbench.contract import Cell

TAKEN = (INPUT, "ih", "hh")  # the matrices of x and h are called weight_ih and weight_hh


def check(cell: Cell) -> None:
    """Refuse a graph that does not hold together.

    Raises
    ------
    ValueError
    """
    try:
        _check_kinds(cell)
        _check_vectors(cell)
        _check_parameters(cell)
        made: set[str] = set()
        for number, stage in enumerate(cell.stages):
            _check_stage(cell, stage, f"stage {number}", made)
        if unmade := [v.name for v in cell.vectors if v.name not in made]:
            _fail("vectors", f"no stage makes {unmade}")
    except ValueError as error:
        raise ValueError(f"cell {cell.name or '(unnamed)'}, {error}") from None


def _fail(where: str, problem: str) -> None:
    raise ValueError(f"{where}: {problem}")


def _check_kinds(cell: Cell) -> None:
    """What stands in each place is of the kind that belongs there."""
    _tuple("vectors", cell.vectors, Vector)
    _tuple("stages", cell.stages, Stage)
    _tuple("parameters", cell.parameters, UnitParameter)
    _flag("smooth", cell.smooth)
    if cell.weights is not None and not isinstance(cell.weights, WeightMap):
        _fail("weights", f"got {cell.weights!r}, expected a WeightMap or None")
    for vector in cell.vectors:
        where = f"vector {vector.name!r}"
        _name(where, vector.name)
        _width(where, vector.width)
        if not (isinstance(vector.initial, str) and vector.initial == LEARNED):
            _number(where, vector.initial, f"a number or {LEARNED!r}")
        _flag(f"{where}, differentiable", vector.differentiable)
    for parameter in cell.parameters:
        where = f"parameter {parameter.name!r}"
        _name(where, parameter.name)
        _width(where, parameter.width)
        if not callable(parameter.initial):
            _number(where, parameter.initial, "a number or a function of the width")
        _flag(f"{where}, trained", parameter.trained)
    for number, stage in enumerate(cell.stages):
        where = f"stage {number}"
        for what in ("forward", "backward"):
            function = getattr(stage, what)
            if not (callable(function) or (function is None and what == "backward")):
                _fail(where, f"{what}: got {function!r}, expected a function")
        _tuple(f"{where}, gates", stage.gates, Gate)
        for what in ("makes", "reads", "parameters"):
            _tuple(f"{where}, {what}", getattr(stage, what), str)
        for gate in stage.gates:
            _name(f"{where}, gate", gate.name)
            _tuple(f"{where}, gate {gate.name!r}, sources", gate.sources, str)
            _flag(f"{where}, gate {gate.name!r}, bias", gate.bias)


def _tuple(where: str, given: Any, kind: type) -> None:
    if type(given) is not tuple or not all(isinstance(one, kind) for one in given):
        comma = "; a tuple of one needs a comma: (one,)" if isinstance(given, kind) else ""
        _fail(where, f"got {given!r}, expected a tuple of {kind.__name__}{comma}")


def _name(where: str, name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        _fail(where, f"name: got {name!r}, expected an identifier")


def _width(where: str, width: Any) -> None:
    if not (isinstance(width, str) and width == HIDDEN) and (type(width) is not int or width < 1):
        _fail(where, f"width: got {width!r}, expected an integer >= 1 or {HIDDEN!r}")


def _flag(where: str, given: Any) -> None:
    if not isinstance(given, bool):
        _fail(where, f"got {given!r}, expected True or False")


def _number(where: str, value: Any, expected: str) -> None:
    if not isinstance(value, Real) or value != value:
        _fail(where, f"initial: got {value!r}, expected {expected}")


def _check_vectors(cell: Cell) -> None:
    names = [v.name for v in cell.vectors]
    if len(set(names)) != len(names) or not {*names}.isdisjoint(TAKEN):
        _fail("vectors", f"got {names}, expected distinct names other than {', '.join(map(repr, TAKEN))}")
    if cell.output not in names:
        _fail("output", f"got {cell.output!r}, expected one of {names}")


def _check_parameters(cell: Cell) -> None:
    gates, declared = [g.name for g in cell.gates], [p.name for p in cell.parameters]
    if len(set(gates)) != len(gates):
        _fail("gates", f"got {gates}, expected distinct names over all stages")
    reserved = [n for n in declared if n.startswith(("weight_", "bias", "initial_"))]
    if len(set(declared)) != len(declared) or reserved:
        _fail("parameters", f"got {declared}, expected distinct names other than weight_..., bias..., initial_...")


def _check_stage(cell: Cell, stage: Stage, where: str, made: set[str]) -> None:
    """One stage; `made`, by those before it, is added to."""
    names, known = [v.name for v in cell.vectors], [p.name for p in cell.parameters]
    if not stage.makes:
        _fail(where, "makes nothing")
    for gate in stage.gates:
        if len(set(gate.sources)) != len(gate.sources):
            _fail(where, f"gate {gate.name!r} has sources {gate.sources}, expected distinct ones")
    for source in (*stage.reads, *(s for g in stage.gates for s in g.sources)):
        try:
            name, lag = parse(source)
        except ValueError as error:
            _fail(where, str(error))
        if name != INPUT and name not in names:
            _fail(where, f"source {source!r} is no vector, expected 'x' or one of {names}")
        if name != INPUT and lag == 0 and name not in made:
            _fail(where, f"source {source!r} is not made by an earlier stage")
    if INPUT in stage.reads:
        _fail(where, "reads 'x' unit by unit; the input has a width of its own, expected a gate")
    if len(set(stage.parameters)) != len(stage.parameters):
        _fail(where, f"parameters: got {stage.parameters}, expected distinct ones")
    if unknown := [p for p in stage.parameters if p not in known]:
        _fail(where, f"parameters {unknown} are not declared, expected some of {sorted(known)}")
    widths = {cell.vector(v).width for v in stage.makes if v in names}
    widths |= {cell.vector(parse(r)[0]).width for r in stage.reads}
    widths |= {p.width for p in cell.parameters if p.name in stage.parameters}
    for name in stage.makes:
        if name not in names or name in made:
            _fail(where, f"makes {name!r}: expected a vector that no stage makes yet")
        made.add(name)
    if len(widths) != 1:
        _fail(where, f"makes, reads and parameters have widths {sorted(map(str, widths))}, expected one")


def probe(stage: Stage) -> int:
    """Run a stage once on zeros and return how many values it saves for its backward pass.

    Raises
    ------
    ValueError
        If the pair of functions does not return tuples of the declared lengths.
    """
    zeros = lambda n: (np.zeros(2),) * n  # noqa: E731 (two: of one number a branch could be taken)
    reads, p = zeros(len(stage.reads)), zeros(len(stage.parameters))
    with np.errstate(all="ignore"):
        made, saved = _parts("forward", stage.forward, (zeros(len(stage.gates)), reads, p), "makes, saved")
        given = zeros(len(stage.makes)), reads, made, saved, p
        da, dreads, dp = _parts("backward", stage.backward, given, "da, dreads, dp")
    counts = (
        ("forward makes", made, stage.makes),
        ("backward da", da, stage.gates),
        ("backward dreads", dreads, stage.reads),
        ("backward dp", dp, stage.parameters),
    )
    if not isinstance(saved, tuple):
        raise ValueError(f"forward saved: got {saved!r}, expected a tuple")
    for what, got, expected in counts:
        if not isinstance(got, tuple) or len(got) != len(expected) or any(one is None for one in got):
            raise ValueError(f"{what}: got {got!r}, expected a tuple of {len(expected)}")
    return len(saved)


def _parts(what: str, function: Callable, given: tuple, expected: str) -> tuple:
    got = function(*given)
    if not isinstance(got, tuple) or len(got) != expected.count(",") + 1:
        raise ValueError(f"{what}: got {got!r}, expected the tuple ({expected})")
    return got
