"""The cell contract: a recurrent cell as a small static data-flow graph.

A cell names *vectors* (what exists), *stages* (what is computed, in order) and, per stage, two pure
functions over tuples (how). Drivers in :mod:`rnnbench.kernels` turn that into loops; they never know a
cell by name.

A *source* is written as it is read aloud: ``"x"`` is the input, ``"h"`` the vector h of the previous step,
``"h@3"`` of three steps ago, ``"h@0"`` the one made earlier in this step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rnnbench.contract.check import check, probe
from rnnbench.contract.graph import (
    HIDDEN,
    INPUT,
    LEARNED,
    Gate,
    Stage,
    UnitParameter,
    Vector,
    WeightMap,
    parse,
)
from rnnbench.derivative import derive

__all__ = [
    "HIDDEN", "INPUT", "LEARNED", "Cell", "Gate", "Stage", "UnitParameter", "Vector", "WeightMap", "choose", "parse",
    "probe",
]  # fmt: skip


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


def choose(argument: str, given: Any, allowed: Mapping[str, Any]) -> Any:
    """Look an option's value up, or say what was expected.

    Raises
    ------
    ValueError
    """
    if not any(type(given) is type(key) and given == key for key in allowed):
        raise ValueError(f"{argument}: got {given!r}, expected one of {', '.join(map(repr, allowed))}")
    return allowed[given]


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
