"""A learned start: initial states as parameters, or biases of the first step.

Source: R. Grosse, Lecture 7, Part 1: Recurrent Neural Nets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnbench import cells
from rnnbench.contract import LEARNED, Cell
from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.layer import Layer


def learned_state(cell, **options) -> Cell:
    """Return a cell whose initial states are parameters, 0 at first.

    Parameters
    ----------
    cell : str or Cell
        With options if it is a name. A layer of it has ``params["initial_h"]`` and so on, used in every row that is
        not given a state.

    Raises
    ------
    ValueError
        For an unknown cell or option.
    """
    cell = cell if isinstance(cell, Cell) else cells.get(cell, **options)
    return replace(cell, vectors=tuple(replace(v, initial=LEARNED) if v.differentiable else v for v in cell.vectors))


class FirstStepBias(Layer):
    """One more number beside x, 1 at the first step and 0 later: (T, B, F) to (T, B, F + 1).

    In the recurrent layer that follows, the weights of that number are biases of the first step alone, one for each
    gate that sees x. On a state that is passed on, the sequence goes on and the number stays 0.

    Parameters
    ----------
    input_size : int
        F >= 0.
    dtype : "float32" or "float64"
    replicas : int, optional

    Notes
    -----
    The state, "begun" (B, 1), is 1 in rows that had a step. No gradient flows through it.
    """

    def __init__(self, input_size, *, dtype="float32", replicas=None):
        self.input_size = arguments.integer("input_size", input_size, 0)
        self.output_size = self.input_size + 1
        super().__init__(dtype=dtype, replicas=replicas)

    def __repr__(self) -> str:
        return f"FirstStepBias({self.input_size})"

    def _forward(self, x, state, lengths, keep):
        x = self.led(arguments.array("x", x, (*self.lead, None, None, self.input_size), self.dtype))
        steps, rows = x.shape[1:3]
        begun = of.states(state, ["begun"]).get("begun")
        if begun is None:
            begun = np.zeros((*self.lead, rows, 1), self.dtype)
        begun = arguments.array("state['begun']", begun, (*self.lead, rows, 1), self.dtype)
        ran = np.full(rows, steps) if lengths is None else arguments.row_order(lengths, steps, rows)[0]
        y = np.zeros((*x.shape[:-1], self.output_size), self.dtype)
        y[..., :-1] = x
        if steps:
            y[:, 0, :, -1:] = 1 - self.led(begun)
        after = np.where(ran[:, None] > 0, self.dtype.type(1), begun)
        return self.bare(y), {"begun": after}, after.shape

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        of.dstates(dstate, {"begun": tape.saved}, self.dtype)
        shape = self._use(tape)
        dx = None
        if need_dx:
            dx = np.zeros((*tape.shape[:-1], self.input_size), self.dtype) if dy is None else dy[..., :-1].copy()
        return dx, {"begun": np.zeros(shape, self.dtype)}
