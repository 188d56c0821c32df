"""One to many: an input at the first step, then none."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


class FirstStep(Layer):
    """A sequence that has x at its first step and 0 from then on: (B, F) to (T, B, F).

    Parameters
    ----------
    steps : int
        T >= 1; ``layer.steps`` may be changed between calls.
    dtype : "float32" or "float64"
    replicas : int, optional

    Notes
    -----
    ``lengths`` are those of the rows to be made; the part that follows heeds them.

    Source: A. Karpathy and L. Fei-Fei, Deep Visual-Semantic Alignments for Generating Image Descriptions, CVPR 2015.
    """

    stateful = False

    def __init__(self, steps, *, dtype="float32", replicas=None):
        self.steps = arguments.integer("steps", steps, 1)
        super().__init__(dtype=dtype, replicas=replicas)

    def __repr__(self) -> str:
        return f"FirstStep({self.steps})"

    def _forward(self, x, state, lengths, keep):
        x = self.led(arguments.array("x", x, (*self.lead, None, None), self.dtype))
        y = np.zeros((len(x), arguments.integer("steps", self.steps, 1), *x.shape[1:]), self.dtype)
        y[:, 0] = x
        return self.bare(y), {}, x.shape

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        shape = self._use(tape)
        if not need_dx:
            return None, {}
        return self.bare(np.zeros(shape, self.dtype) if dy is None else self.led(dy)[:, 0].copy()), {}
