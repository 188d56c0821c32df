"""Pascanu's regulariser: gradients that neither shrink nor grow on their way back through time."""

from __future__ import annotations

import math

import numpy as np

from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent

SMALLEST = 1e-150  # of a norm: its square is still a number


class Omega(Layer):
    """A simple recurrent layer whose backward pass adds the gradient of `weight` times Omega to that of its matrix R.

    With d_t = dE/dh_t, the gradient of the loss by the state at step t along all its paths, and J_t = dh_t/dh_{t-1} =
    diag(phi'(a_t)) W::

        Omega = sum over t of (||d_t J_t|| / ||d_t|| - 1)^2

    in which the gradient neither vanishes nor explodes where it matters, along d_t. Of Omega's gradient only the
    immediate part is taken: d_t and the states count as constants, W alone varies. For a linear layer with an
    orthogonal W, Omega is 0.

    Omega is summed over time and averaged over the batch, as the loss is. Steps at which d_t is 0, or has a norm below
    1e-150, do not count. The authors' code differs from the paper in that it compares *squared* norms and divides by
    the number of steps that count.

    Parameters
    ----------
    layer : Recurrent
        Of a cell h_t = phi(W x_t + R h_{t-1} + b): ``elman`` with any activation, ``irnn``.
    weight : float >= 0
        The paper's lambda.

    Attributes
    ----------
    value : float or (R,) array
        Omega at the last backward pass, without `weight`; NaN before.

    Notes
    -----
    Called like the layer itself, without ``truncate`` and the layer's own options: Omega is about the whole way back.
    It does not depend on the size of d_t, so that a trainer with a `loss_scale` does not take it.

    Source: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
    equations 9 and 10.
    """

    uncut = "Omega is about the whole way back"

    def __init__(self, layer: Recurrent, weight: float):
        if not isinstance(layer, Recurrent) or not _is_simple(layer.layout):
            raise ValueError(
                f"layer: got {layer!r}, expected a Recurrent of a cell h = phi(W x + R h + b), such as elman"
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise ValueError(f"weight: got {weight!r}, expected a number >= 0")
        super().__init__(dtype=layer.dtype, replicas=layer.replicas)
        self.parts = {"layer": layer}
        self.input_size, self.output_size, self.weight = layer.input_size, layer.output_size, float(weight)
        self._value = np.nan

    @property
    def value(self):
        """Omega at the last backward pass, see the class."""
        return self._value

    def __repr__(self) -> str:
        return f"Omega({self.parts['layer']!r}, weight={self.weight})"

    def _forward(self, x, state, lengths, keep):
        y, final, *tape = self.parts["layer"].forward(x, state, lengths=lengths, tape=keep)
        ran = np.arange(y.shape[-3])[:, None] < (y.shape[-3] if lengths is None else np.asarray(lengths))
        return y, final, (y.copy(), ran, tape) if keep else None

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        layer = self.parts["layer"]
        y, ran, inner = self._use(tape)
        out = layer.backward(dy, dstate, tape=inner[0], need_dx=need_dx)
        last = None if dstate is None else dstate.get("h")
        self._add(self.led(y), *(None if d is None else self.led(d) for d in (dy, last)), ran)
        return out

    def _add(self, h, dy, last, ran):
        """Walk back in time; d_t is 0 where a row has ended, and what comes from its final state waits for its end.

        In double precision, for d_t becomes small long before its direction, which is all that counts, is lost.
        """
        (stage,) = self.parts["layer"].cell.stages
        w = self.led(self.parts["layer"].params["weight_hh"]).astype(np.float64)
        (slope,), _, _ = stage.backward((np.ones(h.shape),), (), (h.astype(np.float64),), (), ())
        d, back = np.empty((2, *h.shape))
        after, ran = 0 if last is None else last, np.broadcast_to(ran, h.shape[1:3])[..., None]
        for t in range(h.shape[1] - 1, -1, -1):
            d[:, t] = np.where(ran[t], after + (0 if dy is None else dy[:, t]), 0)
            back[:, t] = (d[:, t] * slope[:, t]) @ w
            after = np.where(ran[t], back[:, t], after)
        value, by_back = _terms(d, back)
        self._value = self.bare(value)
        local, by_back = ((a.reshape(len(a), -1, a.shape[-1])) for a in (d * slope, by_back))
        self.led(self.parts["layer"].grads["weight_hh"])[...] += self.weight * (local.swapaxes(-1, -2) @ by_back)


def _terms(d, back):
    """(||back|| / ||d|| - 1)^2 of all steps, summed over time, averaged over rows, and its gradient by back."""
    before, after = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (d, back))
    counts = before > SMALLEST
    before = np.where(counts, before, 1)
    off = np.where(counts, after / before - 1, 0)
    rows = d.shape[2]
    # two divisions: the product of the two norms may be too small for a number
    by_back = 2 * off / before * (back / np.where(after > 0, after, 1)) / rows
    return np.square(off).sum(axis=(1, 2, 3)) / rows, by_back


def _is_simple(layout):
    """Whether the Jacobian is diag(phi'(a)) W, with phi' a function of the state."""
    cell, (stage, *more) = layout.cell, layout.cell.stages
    if more or stage.makes != ("h",) or stage.reads or stage.parameters or cell.weights or layout.saved != (0,):
        return False
    return [set(gate.sources) for gate in stage.gates] == [{"x", "h"}]
