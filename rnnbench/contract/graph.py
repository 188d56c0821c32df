"""What a graph is made of: vectors, gates, unit parameters, stages, a weight map; and how a source is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rnnbench.derivative import write

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
