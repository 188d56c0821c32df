"""The gradient check of one layer: its BPTT beside a numeric gradient by every parameter, initial state and input.

The numeric gradient runs the NumPy driver, forward only; BPTT is the layer's own, on the device it is on. Rows have
several lengths, and the cost sums all outputs and final states with random weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnbench.kernels import reference
from rnnbench.layers.recurrent import Recurrent
from rnnbench.probes import numeric

AGREE = 1e-6  # of the two numeric gradients: no kink is near
DRAWS = 50  # of problems, until one is away from all kinks
BURN_IN = 3


@dataclass(frozen=True)
class GradientError:
    """How far BPTT is from a numeric gradient.

    Attributes
    ----------
    array : str
        A parameter's name, ``x``, or ``state <name>``.
    method : str
        "complex step" or "central differences".
    error : float
        Largest difference, relative to the largest number of that gradient.
    largest : float
        That largest number; 0 where no gradient arrives, and nothing is shown.
    """

    array: str
    method: str
    error: float
    largest: float


def gradient_errors(
    layer: Recurrent, rng: np.random.Generator, *, rows: int = 3, steps: int | None = None
) -> list[GradientError]:
    """Hold a layer's BPTT against numeric gradients at a random place.

    A cell with kinks (``smooth=False``) is checked by both methods, at a place where they agree with each other: there
    no kink is near. Which place that is does not depend on BPTT.

    Parameters
    ----------
    layer : Recurrent
        In float64, any device, no replicas, one bias per gate or none. Its parameters are replaced by random ones, its
        gradients set to 0.
    rng : numpy.random.Generator
    rows : int
    steps : int, optional
        Two more than the longest lag reaches unless given.

    Returns
    -------
    list of GradientError
        Of every array that holds a number, and method. A state declared not differentiable is left out.

    Raises
    ------
    ValueError
        If the layer is not in float64.
    """
    if layer.dtype != np.float64:
        raise ValueError(f"layer: got dtype {layer.dtype}, expected float64 (rounding would hide errors)")
    steps = steps or max(2, *(lag + 1 for lag in layer.layout.lags.values())) + 2
    for _ in range(DRAWS):
        check = _Check(layer, rng, rows, steps)
        expected = {name: {numeric.COMPLEX: check.gradient(name, numeric.COMPLEX)} for name in check.differentiable}
        if layer.cell.smooth:
            break
        for name, found in expected.items():
            found[numeric.CENTRAL] = check.gradient(name, numeric.CENTRAL)
        if all(numeric.relative_error(*found.values(), numeric.CENTRAL) < AGREE for found in expected.values()):
            break
    got = check.bptt()
    return [
        GradientError(
            name, method, numeric.relative_error(got[name], value, method), float(np.abs(value).max(initial=0))
        )
        for name, found in expected.items()
        for method, value in found.items()
    ]


class _Check:
    """A random problem for one layer: parameters, inputs, states, and the weights of the cost."""

    def __init__(self, layer, rng, rows, steps):
        self.layer, self.layout = layer, layer.layout
        self.lengths = np.array([max(1, steps - row) if row < rows - 1 else 1 for row in range(rows)])
        self.active = (self.lengths > np.arange(steps)[:, None]).sum(axis=1)
        _randomise(layer, rng)
        warm = rng.normal(size=(BURN_IN, rows, layer.input_size))
        _, self.state = layer.forward(warm, tape=False)  # a state that the cell itself has made
        self.x = rng.normal(size=(steps, rows, layer.input_size))
        self.dy = rng.normal(size=(steps, rows, layer.output_size))
        self.dstate = {name: rng.normal(size=value.shape) for name, value in self.state.items()}
        learned = {f"initial_{name}" for name in self.layout.learned}  # not read where a state is given
        fixed = {p.name for p in layer.cell.parameters if not p.trained}
        self.arrays = {"x": self.x[None]} | {f"state {name}": self._led(name, v) for name, v in self.state.items()}
        self.arrays |= {key: value[None].copy() for key, value in layer.params.items() if key not in learned}
        smooth = layer.cell.differentiable
        self.differentiable = [
            name
            for name, value in self.arrays.items()
            if value.size and name not in fixed and smooth.get(name.removeprefix("state "), True)
        ]

    def gradient(self, name, method):
        return numeric.gradient(self._objective, self.arrays, name, method)

    def bptt(self):
        """{array: gradient} of the layer itself, with the replica axis of `arrays`."""
        self.layer.zero_grad()
        _, _, tape = self.layer.forward(self.x, self.state, lengths=self.lengths, tape=True)
        dx, dstate = self.layer.backward(self.dy, self.dstate, tape=tape)
        found = {"x": dx[None]} | {f"state {name}": self._led(name, value) for name, value in dstate.items()}
        found |= {key: value[None].copy() for key, value in self.layer.grads.items()}
        self.layer.zero_grad()
        return found

    def _objective(self, arrays):
        """One number per replica, by the forward pass of the NumPy driver."""
        weights = {key: value for key, value in arrays.items() if key in self.layer.params}
        if weight_map := self.layer.cell.weights:
            keys, count = self.layout.weight_shapes, len(arrays["x"])
            mapped = [dict(weight_map.forward({key: weights[key][r] for key in keys})) for r in range(count)]
            weights |= {key: np.stack([one[key] for one in mapped]) for key in mapped[0]}
        state = {name: arrays[f"state {name}"] for name in self.layout.states}
        y, final, _ = reference.forward(self.layout, weights, arrays["x"], state, self.active, keep=False)
        total = (y * self.dy).sum(axis=(1, 2, 3))
        return total + sum((final[name] * self._led(name, d)).sum(axis=(1, 2, 3)) for name, d in self.dstate.items())

    def _led(self, name, value):
        """A state as drivers have it, (1, lag, B, width)."""
        return value[None] if self.layout.lags[name] > 1 else value[None, None]


def _randomise(layer, rng):
    fixed = {p.name for p in layer.cell.parameters if not p.trained}
    units = {p.name for p in layer.cell.parameters}
    for key, value in layer.params.items():
        if key in units:
            value[...] = value if key in fixed else rng.uniform(0.1, 0.9, value.shape)
        else:
            std = 1.2 / np.sqrt(max(value.shape[1], 1)) if value.ndim == 2 else 0.5
            value[...] = rng.normal(0.0, std, value.shape)
