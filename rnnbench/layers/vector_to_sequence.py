"""A sequence conditioned on one vector: as an extra input of every step, as initial state, or both."""

from __future__ import annotations

import math

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.dense import Dense
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent


class VectorToSequence(Layer):
    r"""A recurrent layer that models a sequence given a context vector c.

    ``forward((context, x))`` takes the context (B, C) and inputs (T, B, I), and returns the layer's y (T, B, H).
    The context comes in as an extra input of every step, :math:`(x_t; c)`, as initial state, :math:`s_0 = V c + b` for
    every state s of the cell, or as both. A `state` that is given goes before the initial state made of the context.

    Parameters
    ----------
    context_size, input_size, hidden_size : int
        C >= 1, I >= 0, H >= 1. With I = 0, x is (T, B, 0) and tells the number of steps.
    context : "input", "state" or "both"
    cell : str or Cell
    dtype, device, seed
        As for :class:`~rnnbench.layers.recurrent.Recurrent`.
    **options
        Others of ``Recurrent``, and the cell's own.

    Attributes
    ----------
    parts : dict
        ``recurrent``, and ``initial_<state>``, a ``Dense``, for each state.

    Notes
    -----
    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, 2016, section 10.2.4.
    """

    def __init__(
        self, context_size, input_size, hidden_size, *, context="both", cell="lstm", dtype="float32", device="cpu",
        seed=0, **options,
    ):  # fmt: skip
        self.context_size = arguments.integer("context_size", context_size, 1)
        self.input_size = arguments.integer("input_size", input_size, 0)
        self.context = arguments.one_of("context", context, ("input", "state", "both"))
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        seed = of.seed(rngs, replicas)
        width = self.input_size + (self.context_size if context != "state" else 0)
        recurrent = Recurrent(cell, width, hidden_size, dtype=dtype, device=device, seed=seed, **options)
        self.parts = {"recurrent": recurrent}
        self.output_size = recurrent.output_size
        if context == "input":
            return
        for name in recurrent.layout.states:
            if recurrent.cell.differentiable[name]:
                size = recurrent.layout.lags[name] * recurrent.layout.widths[name]
                self.parts[f"initial_{name}"] = Dense(self.context_size, size, dtype=dtype, seed=seed)

    def __repr__(self) -> str:
        return f"VectorToSequence({self.context_size}, {self.parts['recurrent']!r}, context={self.context!r})"

    def _forward(self, x, state, lengths, keep):
        context, inputs = sequences.pair("x", x, "context", "inputs")
        context = arguments.array("context", context, (*self.lead, None, self.context_size), self.dtype)
        inputs = arguments.array("inputs", inputs, (*self.lead, None, None, self.input_size), self.dtype)
        sequences.same_rows("context", context.shape[-2], "inputs", inputs.shape[-2])
        state, tapes = dict(of.states(state, self.parts["recurrent"].layout.states)), {}
        for name in self.parts["recurrent"].layout.states:
            if f"initial_{name}" in self.parts and name not in state:
                flat, _, *tapes[name] = self.parts[f"initial_{name}"].forward(context, tape=keep)
                state[name] = self._to_state(name, flat)
        if self.context != "state":
            repeated = np.broadcast_to(context[..., None, :, :], (*inputs.shape[:-1], self.context_size))
            inputs = np.concatenate([inputs, repeated], axis=-1)
        y, final, *tape = self.parts["recurrent"].forward(inputs, state, lengths=lengths, tape=keep)
        return y, final, (tape, tapes, context.shape)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        (of_recurrent,), tapes, shape = tape.saved
        recurrent = self.parts["recurrent"]
        dx, dinitial = recurrent.backward(dy, dstate, tape=of_recurrent, truncate=truncate, need_dx=need_dx)
        self._use(tape)
        dcontext = np.zeros(shape, self.dtype)
        for name, (of_dense,) in tapes.items():
            flat = self._from_state(name, dinitial.pop(name))
            through, _ = self.parts[f"initial_{name}"].backward(flat, tape=of_dense, need_dx=need_dx)
            if need_dx:
                dcontext += through
        if not need_dx:
            return None, dinitial
        if self.context != "state":
            dx, repeated = np.split(dx, [self.input_size], axis=-1)
            dcontext += repeated.sum(axis=-3)
        return (dcontext, np.ascontiguousarray(dx)), dinitial

    def _to_state(self, name, flat):
        """(B, lag * width) as the cell's state, (lag, B, width) where it is carried several steps."""
        layout = self.parts["recurrent"].layout
        if layout.lags[name] == 1:
            return flat
        apart = flat.reshape(*flat.shape[:-1], layout.lags[name], layout.widths[name])
        return np.ascontiguousarray(np.moveaxis(apart, -2, -3))

    def _from_state(self, name, value):
        """The inverse of `_to_state`."""
        if self.parts["recurrent"].layout.lags[name] == 1:
            return value
        value = np.moveaxis(value, -3, -2)
        return np.ascontiguousarray(value).reshape(*value.shape[:-2], math.prod(value.shape[-2:]))
