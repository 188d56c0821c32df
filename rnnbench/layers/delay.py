"""Many to many with a delay: a network sees some steps of the future before it must answer."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


class Delayed(Layer):
    """A layer that answers `delay` steps late; y stays aligned with x.

    Each row is run on for `delay` more steps of zeros, and the layer's first `delay` outputs are dropped: y of step t
    is what the layer gives at step t + delay, after x of that step. Its parameters keep their paths.

    Parameters
    ----------
    layer : Layer
        One that gives an output at every step.
    delay : int
        Steps, at least 0.

    Notes
    -----
    Where x is symbols, the steps added have symbol 0. The state is the layer's at the end of the longer rows.

    Source: A. Graves and J. Schmidhuber, Framewise Phoneme Classification with Bidirectional LSTM and Other Neural
    Network Architectures, Neural Networks 18(5-6), 2005 (target delays).
    """

    def __init__(self, layer: Layer, delay: int):
        if not isinstance(layer, Layer):
            raise TypeError(f"layer: got {type(layer).__name__}, expected a layer")
        super().__init__(dtype=layer.dtype, replicas=layer.replicas)
        self.delay = arguments.integer("delay", delay, 0)
        self.parts = {"layer": layer}
        self.takes_symbols = layer.takes_symbols
        self.input_size, self.output_size = getattr(layer, "input_size", None), getattr(layer, "output_size", None)

    def __repr__(self) -> str:
        return f"Delayed({self.parts['layer']!r}, {self.delay})"

    def _tree(self, path=""):
        return self.parts["layer"]._tree(path)

    def _forward(self, x, state, lengths, keep):
        axis = len(self.lead)
        if not isinstance(arguments.unmasked("x", x), np.ndarray) or x.ndim < axis + 2:
            raise ValueError(f"x: got {getattr(x, 'shape', type(x).__name__)}, expected an array (T, B, ...)")
        x, ended = self.led(x), None
        steps, rows = x.shape[1:3]
        longer = np.zeros((len(x), steps + self.delay, *x.shape[2:]), x.dtype)
        longer[:, :steps] = x
        if lengths is not None:
            lengths, _ = arguments.row_order(lengths, steps, rows)
            ended = np.arange(steps)[:, None] >= lengths
            longer[:, :steps][:, ended] = 0
            lengths = lengths + self.delay
        y, state, *tape = self.parts["layer"].forward(self.bare(longer), state, lengths=lengths, tape=keep)
        if y.shape[axis : axis + 2] != (steps + self.delay, rows):
            raise ValueError(f"layer: got y of shape {y.shape}, expected one of each of {steps + self.delay} steps")
        return np.ascontiguousarray(self.bare(self.led(y)[:, self.delay :])), state, (tape, y.shape, ended)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        own, shape, ended = tape.saved
        if dy is not None:
            longer = np.zeros(shape, self.dtype)
            self.led(longer)[:, self.delay :] = self.led(dy)
            dy = longer
        dx, dstate = self.parts["layer"].backward(dy, dstate, tape=own[0], truncate=truncate, need_dx=need_dx)
        self._use(tape)
        if dx is not None:
            dx = self.led(dx)[:, : shape[len(self.lead)] - self.delay].copy()
            if ended is not None:
                dx[:, ended] = 0
            dx = self.bare(dx)
        return dx, dstate
