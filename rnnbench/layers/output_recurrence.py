"""Recurrence through the output: teacher forcing, free running, and scheduled sampling between the two."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.layer import Layer
from rnnbench.layers.order import order_of
from rnnbench.layers.recurrent import Recurrent


class OutputRecurrence(Layer):
    """A layer whose output is fed back to it.

    ``forward(x)`` runs free: every step reads the output y of the step before. ``forward((x, target))`` reads, with
    probability `epsilon` at each step and row, the target (T, B, O) of the step before in its place: teacher forcing
    with ``epsilon=1``, scheduled sampling below. What is fed is a constant, no gradient goes through it; what was not
    fed passes its gradient on to the step that made it. The first step of a call reads ``state["y"]``, or 0.

    With ``cell="jordan"`` nothing but y links the steps, so that under teacher forcing all of them run at once,
    forward and backward, whatever the length.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        I >= 0, H >= 1, O >= 1.
    cell : "jordan" or "output_hidden"
        Recurrence through the output alone, or through hidden units and output.
    epsilon : float
        From 0 to 1. May be set between calls (a schedule).
    dtype, device, seed
        As for :class:`~rnnbench.layers.recurrent.Recurrent`. A list of seeds needs an epsilon of 0 or 1, since
        replicas share what is fed.
    **options
        Others of ``Recurrent`` and the cell: ``activation``, ``output_activation`` ...

    Notes
    -----
    Sources: R. J. Williams and D. Zipser, A Learning Algorithm for Continually Running Fully Recurrent Neural Networks,
    Neural Computation 1(2), 1989 (teacher forcing); S. Bengio, O. Vinyals, N. Jaitly and N. Shazeer, Scheduled Sampling
    for Sequence Prediction with Recurrent Neural Networks, NeurIPS 2015. There a symbol is drawn from the output; here
    the output itself is fed back, so the gradient is that of the network as it ran.
    """

    def __init__(
        self, input_size, hidden_size, output_size, *, cell="jordan", epsilon=1.0, dtype="float32", device="cpu",
        seed=0, **options,
    ):  # fmt: skip
        arguments.one_of("cell", cell, ("jordan", "output_hidden"))
        self.input_size = input_size
        self.output_size = arguments.integer("output_size", output_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        recurrent = Recurrent(
            cell, input_size, hidden_size, dtype=dtype, device=device, seed=of.seed(rngs, replicas),
            output_size=self.output_size, **options,
        )  # fmt: skip
        self.parts = {"recurrent": recurrent}
        self.random = arguments.own_generators(rngs)
        self.epsilon = epsilon

    def __repr__(self) -> str:
        return f"OutputRecurrence({self.parts['recurrent']!r}, epsilon={self.epsilon})"

    @property
    def epsilon(self) -> float:
        """Probability that a step reads the target of the step before."""
        return self._epsilon

    @epsilon.setter
    def epsilon(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
            raise ValueError(f"epsilon: got {value!r}, expected a number from 0 to 1")
        if self.replicas is not None and value not in (0, 1):
            raise ValueError(f"epsilon: got {value!r}, expected 0 or 1 with replicas, which share what is fed")
        self._epsilon = float(value)

    def _forward(self, x, state, lengths, keep):
        target = None
        if isinstance(x, tuple | list):
            x, target = sequences.pair("x", x, "x", "target")
        recurrent = self.parts["recurrent"]
        if target is None:
            y, final, *tape = recurrent.forward(x, state, lengths=lengths, tape=keep)
            return y, final, ("free", tape)
        x = arguments.array("x", x, (*self.lead, None, None, self.input_size), self.dtype)
        shape = (*x.shape[:-1], self.output_size)
        target = arguments.array("target", target, shape, self.dtype)
        if self.epsilon == 1 and recurrent.layout.states == ("y",):
            return self._at_once(x, target, state, lengths, keep)
        before = np.zeros(shape, self.dtype)
        before[..., 1:, :, :] = target[..., :-1, :, :]
        fed = np.ones(shape[-3:-1], bool) if self.epsilon == 1 else self.random[0].random(shape[-3:-1]) < self.epsilon
        fed[:1] = False
        y, final, *tape = recurrent.forward(x, state, lengths=lengths, feed={"y": (before, fed)}, tape=keep)
        return y, final, ("fed", tape)

    def _at_once(self, x, target, state, lengths, keep):
        """All steps of all rows as the rows of one step."""
        recurrent, (steps, rows) = self.parts["recurrent"], x.shape[-3:-1]
        order = order_of(steps, rows, lengths, False)
        given = arguments.states_back(recurrent, order, arguments.initial_states(recurrent, order, state)[0])
        start = given.get("y", np.zeros((*self.lead, rows, self.output_size), self.dtype))
        there = sequences.running(lengths, steps, rows)
        before = np.concatenate([start[..., None, :, :], target], axis=-3)[..., :-1, :, :]
        rows_of = self.led(x)[:, there][:, None], self.led(before)[:, there]
        y_rows, _, *tape = recurrent.forward(self.bare(rows_of[0]), {"y": self.bare(rows_of[1])}, tape=keep)
        y = np.zeros(target.shape, self.dtype)
        self.led(y)[:, there] = self.led(y_rows)[:, 0]
        ended, last = _last(there)
        final = start.copy()
        self.led(final)[:, ended] = self.led(y)[:, last, ended]
        return y, {"y": final}, ("at once", tape, there)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        recurrent, (how, (of_recurrent,), *there) = self.parts["recurrent"], tape.saved
        if how == "at once":
            return self._backward_at_once(tape, of_recurrent, there[0], dy, dstate, need_dx)
        dx, dinitial = recurrent.backward(dy, dstate, tape=of_recurrent, truncate=truncate, need_dx=need_dx)
        self._use(tape)
        return (dx, None) if how == "fed" and need_dx else dx, dinitial

    def _backward_at_once(self, tape, of_recurrent, there, dy, dstate, need_dx):
        recurrent, (steps, rows) = self.parts["recurrent"], there.shape
        order = order_of(steps, rows, None, False)
        given = arguments.states_back(recurrent, order, arguments.states(recurrent, order, dstate, "dstate"))
        dfinal = given.get("y", np.zeros((*self.lead, rows, self.output_size), self.dtype))
        dy = np.zeros(tape.shape, self.dtype) if dy is None else dy.copy()
        ended, last = _last(there)
        self.led(dy)[:, last, ended] += self.led(dfinal)[:, ended]
        self._use(tape)
        dy_rows = self.bare(self.led(dy)[:, there][:, None])
        dx_rows, dbefore = recurrent.backward(dy_rows, tape=of_recurrent, need_dx=need_dx)
        dstart = np.where(there.any(axis=0)[:, None], self.dtype.type(0), dfinal)
        if steps:
            self.led(dstart)[:, there[0]] = self.led(dbefore["y"])[:, : there[0].sum()]
        if not need_dx:
            return None, {"y": dstart}
        dx = np.zeros((*tape.shape[:-1], self.input_size), self.dtype)
        self.led(dx)[:, there] = self.led(dx_rows)[:, 0]
        return (dx, None), {"y": dstart}


def _last(there):
    """The rows that have a step at all, and the last step of each."""
    lengths = there.sum(axis=0)
    ended = np.flatnonzero(lengths)
    return ended, lengths[ended] - 1
