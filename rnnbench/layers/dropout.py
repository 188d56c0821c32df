"""Dropout."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


class Dropout(Layer):
    """Sets numbers to 0 at random and scales the others up, so that the mean stays: y = x m / (1 - rate).

    Parameters
    ----------
    rate : float
        Probability of a 0, in [0, 1).
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Notes
    -----
    With ``tape=False`` y is x and nothing is drawn. Otherwise each replica draws from a generator of its own in
    ``random``, anew for every number of every step.

    Source: N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, Dropout: A Simple Way to Prevent
    Neural Networks from Overfitting, Journal of Machine Learning Research 15, 2014. Between the layers of a recurrent
    network, not from step to step: W. Zaremba, I. Sutskever and O. Vinyals, Recurrent Neural Network Regularization,
    arXiv:1409.2329, 2014.
    """

    stateful = False

    def __init__(self, rate, *, dtype="float32", seed=0):
        self.rate = checked(rate)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        self.random = arguments.own_generators(rngs)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"

    def _forward(self, x, state, lengths, keep):
        x = arguments.features("x", x, self.lead, None, self.dtype)
        if not keep or not self.rate:
            return x.copy(), {}, None  # what is returned may be edited
        shape, up = x.shape[len(self.lead) :], self.dtype.type(1 / (1 - self.rate))
        scale = np.empty(x.shape, self.dtype)
        for rng, own in zip(self.random, self.led(scale), strict=True):
            # As many numbers are taken from its own generator however long the rows of the others make the batch.
            draws = np.random.default_rng(rng.integers(2**63, size=2))
            np.multiply(draws.random(shape, np.float32) >= self.rate, up, out=own)
        return x * scale, {}, scale

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        scale = self._use(tape)
        if not need_dx:
            return None, {}
        if dy is None:
            return np.zeros(tape.shape, self.dtype), {}
        return (dy.copy() if scale is None else dy * scale), {}


def checked(rate):
    """Return a rate as a float, or refuse it."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 0 <= rate < 1:
        raise ValueError(f"rate: got {rate!r}, expected a number in [0, 1)")
    return float(rate)
