"""Sizes that make architectures comparable: as many parameters, not as many units."""

from __future__ import annotations

from rnnbench import cells
from rnnbench.layers import arguments
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
    arguments.integer("parameters", parameters, 1)
    made = cells.get(cell, **options)
    best, nearest = None, parameters
    for hidden in range(1, MOST):
        try:
            count = _count(made, inputs, outputs, hidden)
        except ValueError:  # a size that this cell cannot have
            continue
        if abs(count - parameters) < nearest:
            best, nearest = hidden, abs(count - parameters)
        if count > 2 * parameters:
            break
    if best is None:
        raise ValueError(f"parameters: got {parameters}, which no hidden size of {cell!r} comes near")
    return best


def _count(made, inputs, outputs, hidden):
    layout = Layout(made, inputs, hidden)
    return layout.weight_count() + outputs * (layout.widths[layout.cell.output] + 1)
