"""Sizes that make architectures comparable: as many parameters, not as many units."""

from __future__ import annotations

from collections.abc import Callable

from rnnbench import cells
from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer
from rnnbench.layout import Layout

MOST = 4096


def units(cell: str, inputs: int, outputs: int, parameters: int, **options) -> int:
    """Return the hidden size with which a cell and a linear readout have most nearly so many parameters.

    Parameters
    ----------
    cell : str
    inputs, outputs : int
    parameters : int
        Weights and biases, those of the readout counted.
    **options
        Of the cell.

    Raises
    ------
    ValueError
        Where no hidden size comes within a factor of two.

    Examples
    --------
    >>> units("elman", 2, 1, 1000), units("lstm", 2, 1, 1000)
    (30, 14)
    """
    made = cells.get(cell, **options)
    return _nearest(lambda hidden: _count(made, inputs, outputs, hidden), parameters, repr(cell))


def units_of(build: Callable[[int], Layer], parameters: int) -> int:
    """Return the hidden size with which a network of any architecture has most nearly so many trained parameters.

    Parameters
    ----------
    build : function of a hidden size to a Layer without replicas
    parameters : int

    Raises
    ------
    ValueError
        Where no hidden size comes within a factor of two.
    """
    return _nearest(lambda hidden: parameters_of(build(hidden)), parameters, "this network")


def parameters_of(network: Layer) -> int:
    """Return how many numbers training changes, in one replica."""
    fixed = network.fixed()
    return sum(value.size for path, value in network.parameters().items() if path not in fixed) // network.copies


def _nearest(count, parameters, what):
    arguments.integer("parameters", parameters, 1)
    best, nearest = None, parameters
    for hidden in range(1, MOST):
        try:
            found = count(hidden)
        except ValueError:  # a size that this cell cannot have
            continue
        if abs(found - parameters) < nearest:
            best, nearest = hidden, abs(found - parameters)
        if found > 2 * parameters:
            break
    if best is None:
        raise ValueError(f"parameters: got {parameters}, which no hidden size of {what} comes near")
    return best


def _count(made, inputs, outputs, hidden):
    layout = Layout(made, inputs, hidden)
    return layout.weight_count() + outputs * (layout.widths[layout.cell.output] + 1)
