"""What a layer's recurrent matrices are: spectral radius, largest singular value."""

from __future__ import annotations

import numpy as np

from rnnbench.contract import INPUT
from rnnbench.layers.recurrent import Recurrent


def recurrent_matrices(layer: Recurrent) -> dict[tuple[str, str], np.ndarray]:
    """Return the matrices of all products but those with the input, by (gate, source).

    They are those that the layer computes with: a cell's map from free parameters to matrices is applied.

    Raises
    ------
    ValueError
        For a layer with replicas.
    """
    if layer.replicas is not None:
        raise ValueError(f"layer: got {layer!r}, expected a layer without replicas")
    layout = layer.layout
    used = {key: layer.params[key] for key in layout.weight_shapes}
    if layer.cell.weights:
        used |= dict(layer.cell.weights.forward({key: value.copy() for key, value in used.items()}))
    return {
        pair: used[block.key][block.start : block.stop]
        for pair, block in layout.blocks.items()
        if block.source != INPUT
    }


def spectral_radius(layer: Recurrent) -> float:
    """Return the largest magnitude of an eigenvalue of any square recurrent matrix; NaN if there is none."""
    square = [w for w in recurrent_matrices(layer).values() if w.shape[0] == w.shape[1]]
    return max((float(np.abs(np.linalg.eigvals(w)).max()) for w in square), default=float("nan"))


def largest_singular_value(layer: Recurrent) -> float:
    """Return the largest singular value of any recurrent matrix; NaN if there is none."""
    norms = (float(np.linalg.norm(w, 2)) for w in recurrent_matrices(layer).values())
    return max(norms, default=float("nan"))
