"""Gate activity: what every gate of a cell was told at every step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.kernels import reference
from rnnbench.layers import weights
from rnnbench.layers.recurrent import Recurrent


def pre_activations(
    layer: Recurrent, x: np.ndarray, state: Mapping[str, np.ndarray] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the sum that goes into every gate, before it is squashed, and all vectors that the cell makes.

    It is computed again from the vectors of a NumPy forward pass, so it works for every cell; what a gate does with the
    sum (a sigmoid, as a rule) is the cell's own.

    Parameters
    ----------
    layer : Recurrent
        Without replicas.
    x : (T, B, I) array
    state : dict of arrays, optional
        As for ``layer.forward``.

    Returns
    -------
    gates, vectors : dicts of (T, B, width) arrays
    """
    layout, (steps, rows) = layer.layout, x.shape[:2]
    start = _start(layer, rows, state)
    used, _ = weights.used(layer)
    active = np.full(steps, rows)
    _, _, tape = reference.forward(layout, used, x[None].astype(layer.dtype), start, active)
    gates = {}
    for gate in layer.cell.gates:
        total = np.zeros((steps, rows, layout.gate_widths[gate.name]), layer.dtype)
        if gate.name in layout.bias_rows and "bias" in used:
            total += used["bias"][0, slice(*layout.bias_rows[gate.name])]
        for source in gate.sources:
            block, (name, lag) = layout.blocks[gate.name, source], parse(source)
            first = 0 if name == INPUT else layout.lags[name] - lag
            read = tape.x[0] if name == INPUT else tape.read[name][0, first : first + steps]
            total += read @ used[block.key][0, block.start : block.stop].T
        gates[gate.name] = total
    return gates, {name: tape.made[name][0, layout.lags[name] :] for name in tape.made}


def _start(layer, rows, state):
    """Initial states as drivers have them, (1, lag, B, width)."""
    empty = np.zeros((0, rows, layer.input_size), layer.dtype)
    _, whole = layer.forward(empty, state, tape=False)  # no steps: what it starts from
    return {name: value[None] if layer.layout.lags[name] > 1 else value[None, None] for name, value in whole.items()}
