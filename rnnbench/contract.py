"""The cell contract: a recurrent cell as a small static data-flow graph.

A cell names *vectors* (what exists), *stages* (what is computed, in order) and, per stage, two pure
functions over tuples (how). Drivers in :mod:`rnnbench.kernels` turn that into loops; they never know a
cell by name.

A *source* is written as it is read aloud: ``"x"`` is the input, ``"h"`` the vector h of the previous step,
``"h@3"`` of three steps ago, ``"h@0"`` the one made earlier in this step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnnbench.derivative import derive, write

HIDDEN = "hidden_size"
LEARNED = "learned"
INPUT = "x"


@dataclass(frozen=True)
class Vector:
    """A named vector of the graph.

    Parameters
    ----------
    name : str
    width : int or "hidden_size"
    initial : float or "learned"
        Value before the first step; ``"learned"`` makes it a parameter, one number per unit.
    differentiable : bool
        False for a clock phase and the like: no gradient enters or leaves it.
    """

    name: str
    width: int | str = HIDDEN
    initial: float | str = 0.0
    differentiable: bool = True


@dataclass(frozen=True)
class Gate:
    """A pre-activation: the sum of one matrix product per source, and a bias."""

    name: str
    sources: tuple[str, ...]
    bias: bool = True


@dataclass(frozen=True)
class UnitParameter:
    """One number per unit (a peephole, a leak rate), trained or fixed.

    Parameters
    ----------
    name : str
    initial : float or function
        The same number for all units, or ``initial(width)``, an array (width,) with each unit's own.
    trained : bool
    width : int or "hidden_size"
    """

    name: str
    initial: float | Callable[[int], np.ndarray] = 0.0
    trained: bool = True
    width: int | str = HIDDEN


@dataclass(frozen=True)
class Stage:
    """One step of the graph: products into gates, then a pure function per unit.

    Parameters
    ----------
    forward : ``forward(a, reads, p) -> (makes, saved)``
    backward : ``backward(dmakes, reads, makes, saved, p) -> (da, dreads, dp)``, optional
        Tuples in, tuples out; arithmetic and :mod:`rnnbench.ops` only, no arrays, loops, branches or numbers.
        Left out, it is derived from `forward`, which then need return no more than `makes` and may write numbers;
        what is saved follows by itself. A cell's stages always have both; see :mod:`rnnbench.derivative`.
    makes : names of the vectors made
    gates : pre-activations ``a``, in order
    reads : sources seen unit by unit, without a product
    parameters : names of the unit parameters seen as ``p``
    """

    forward: Callable
    backward: Callable | None = None
    makes: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    reads: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __reduce__(self):  # no module holds a derived function for pickle to find: its text goes along
        functions = (write.text_of(f) or f for f in (self.forward, self.backward))
        return _unpickled, (*functions, self.makes, self.gates, self.reads, self.parameters)


def _unpickled(forward, backward, *rest):
    return Stage(*(write.compiled(f) if isinstance(f, str) else f for f in (forward, backward)), *rest)


@dataclass(frozen=True)
class WeightMap:
    """From the free parameters to the matrices used, once per call, outside the loop over time.

    Parameters
    ----------
    forward : ``forward(raw) -> used``
        Dicts of arrays with the keys and shapes of ``Recurrent.params``; may return only the keys it changes.
    backward : ``backward(raw, dused) -> draw``
        The gradient by the free parameters, for the same keys.
    free : ``free(shapes) -> counts``, optional
        How many numbers of a matrix the map really uses, {key: count} from {key: shape}: those of a triangle, those
        that no mask strikes out. May return only the keys where it is not all of them.
    flops : ``flops(shapes) -> (forward, backward)``, optional
        Floating-point operations of the products and inverses that no way round the map saves, for models of a call's
        time. Left out where there are none.
    """

    forward: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
    backward: Callable[[Mapping[str, np.ndarray], Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
    free: Callable[[Mapping[str, tuple[int, int]]], Mapping[str, int]] | None = None
    flops: Callable[[Mapping[str, tuple[int, int]]], tuple[int, int]] | None = None


@dataclass(frozen=True)
class Cell:
    """A recurrent cell; built by the ``build(**options)`` of its file.

    Parameters
    ----------
    vectors, stages, output, parameters, weights
        The graph; see the classes above. `output` names the vector that is the layer's y.
    smooth : bool
        False if a function has a kink or a jump.
    init : str or dict
        The recipe that initial parameters follow unless the layer is given another; see
        :func:`rnnbench.layers.initialise.initialise`.
    year, source, name, title, options
        Who published it; the last three are filled in by :func:`rnnbench.cells.get`.

    Raises
    ------
    ValueError
        If the graph does not hold together; the message names the cell, the stage and the name at fault.
    """

    vectors: tuple[Vector, ...]
    stages: tuple[Stage, ...]
    output: str
    parameters: tuple[UnitParameter, ...] = ()
    weights: WeightMap | None = None
    smooth: bool = True
    init: str | Mapping[str, Any] = "uniform"
    year: int | None = None
    source: str = ""
    name: str = ""
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "stages", tuple(complete(self, number) for number in range(len(self.stages))))

    def vector(self, name: str) -> Vector:
        """Return the vector called `name`."""
        return next(v for v in self.vectors if v.name == name)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """All gates, in the order of the stages."""
        return tuple(gate for stage in self.stages for gate in stage.gates)

    @property
    def differentiable(self) -> dict[str, bool]:
        """Whether a gradient flows through each vector."""
        return {v.name: v.differentiable for v in self.vectors}


def parse(source: str) -> tuple[str, int]:
    """Split a source into the vector's name and its lag in steps (1 unless written, 0 for the input).

    >>> parse("h"), parse("h@3"), parse("y@0"), parse("x")
    (('h', 1), ('h', 3), ('y', 0), ('x', 0))
    """
    name, at, lag = source.partition("@")
    if name == INPUT:
        if at:
            raise ValueError(f"source {source!r}: the input is read at this step only, expected 'x'")
        return INPUT, 0
    if at and not lag.isdecimal():
        raise ValueError(f"source {source!r}: expected NAME or NAME@STEPS with STEPS an integer >= 0")
    return name, int(lag) if at else 1


def choose(argument: str, given: Any, allowed: Mapping[str, Any]) -> Any:
    """Look an option's value up, or say what was expected.

    Raises
    ------
    ValueError
    """
    if not any(type(given) is type(key) and given == key for key in allowed):
        raise ValueError(f"{argument}: got {given!r}, expected one of {', '.join(map(repr, allowed))}")
    return allowed[given]


def probe(stage: Stage) -> int:
    """Run a stage once on zeros and return how many values it saves for its backward pass.

    Raises
    ------
    ValueError
        If the pair of functions does not return tuples of the declared lengths.
    """
    zeros = lambda n: (np.zeros(1),) * n  # noqa: E731
    reads, p = zeros(len(stage.reads)), zeros(len(stage.parameters))
    with np.errstate(all="ignore"):
        made, saved = stage.forward(zeros(len(stage.gates)), reads, p)
        da, dreads, dp = stage.backward(zeros(len(stage.makes)), reads, made, saved, p)
    counts = (
        ("forward makes", made, stage.makes),
        ("backward da", da, stage.gates),
        ("backward dreads", dreads, stage.reads),
        ("backward dp", dp, stage.parameters),
    )
    if not isinstance(saved, tuple):
        raise ValueError(f"forward saved: got {saved!r}, expected a tuple")
    for what, got, expected in counts:
        if not isinstance(got, tuple) or len(got) != len(expected):
            raise ValueError(f"{what}: got {got!r}, expected a tuple of {len(expected)}")
    return len(saved)


def complete(cell: Cell, number: int) -> Stage:
    """Return a stage of a cell with its backward function, derived if there is none, once both have run on zeros.

    Raises
    ------
    ValueError
    """
    stage = cell.stages[number]
    try:
        if stage.backward is None:
            gates = tuple(gate.name for gate in stage.gates)
            still = [name for name, flows in cell.differentiable.items() if not flows]
            forward, backward = derive(stage.forward, stage.makes, gates, stage.reads, stage.parameters, still)
            stage = replace(stage, forward=forward, backward=backward)
        probe(stage)
    except Exception as error:  # whatever a user's function raises, the cell and the stage are named
        raise ValueError(f"cell {cell.name or '(unnamed)'}, stage {number}: {error}") from error
    return stage


def check(cell: Cell) -> None:
    """Refuse a graph that does not hold together.

    Raises
    ------
    ValueError
    """
    names = [v.name for v in cell.vectors]
    known = {p.name for p in cell.parameters}

    def fail(where: str, problem: str) -> None:
        raise ValueError(f"cell {cell.name or '(unnamed)'}, {where}: {problem}")

    if len(set(names)) != len(names) or INPUT in names:
        fail("vectors", f"got {names}, expected distinct names other than 'x'")
    if cell.output not in names:
        fail("output", f"got {cell.output!r}, expected one of {names}")
    gates = [g.name for g in cell.gates]
    if len(set(gates)) != len(gates):
        fail("gates", f"got {gates}, expected distinct names over all stages")
    for vector in cell.vectors:
        if vector.width != HIDDEN and (type(vector.width) is not int or vector.width < 1):
            fail(f"vector {vector.name!r}", f"width: got {vector.width!r}, expected an integer >= 1 or {HIDDEN!r}")
        if vector.initial != LEARNED and not isinstance(vector.initial, int | float):
            fail(f"vector {vector.name!r}", f"initial: got {vector.initial!r}, expected a number or {LEARNED!r}")
    declared = [p.name for p in cell.parameters]
    reserved = [n for n in declared if n.startswith(("weight_", "bias", "initial_"))]
    if len(known) != len(declared) or reserved:
        fail("parameters", f"got {declared}, expected distinct names other than weight_..., bias..., initial_...")
    made: set[str] = set()
    for number, stage in enumerate(cell.stages):
        where = f"stage {number}"
        if not stage.makes:
            fail(where, "makes nothing")
        for gate in stage.gates:
            if len(set(gate.sources)) != len(gate.sources):
                fail(where, f"gate {gate.name!r} has sources {gate.sources}, expected distinct ones")
        for source in (*stage.reads, *(s for g in stage.gates for s in g.sources)):
            try:
                name, lag = parse(source)
            except ValueError as error:
                fail(where, str(error))
            if name != INPUT and name not in names:
                fail(where, f"source {source!r} is no vector, expected 'x' or one of {names}")
            if name != INPUT and lag == 0 and name not in made:
                fail(where, f"source {source!r} is not made by an earlier stage")
        if INPUT in stage.reads:
            fail(where, "reads 'x' unit by unit; the input has a width of its own, expected a gate")
        widths = {cell.vector(v).width for v in stage.makes if v in names}
        widths |= {cell.vector(parse(r)[0]).width for r in stage.reads}
        widths |= {p.width for p in cell.parameters if p.name in stage.parameters}
        for name in stage.makes:
            if name not in names or name in made:
                fail(where, f"makes {name!r}: expected a vector that no stage makes yet")
            made.add(name)
        if len(widths) != 1:
            fail(where, f"makes, reads and parameters have widths {sorted(map(str, widths))}, expected one")
        if unknown := [p for p in stage.parameters if p not in known]:
            fail(where, f"parameters {unknown} are not declared, expected some of {sorted(known)}")
    if unmade := [n for n in names if n not in made]:
        fail("vectors", f"no stage makes {unmade}")
