"""Symbols into vectors: a learned vector for each, or one-hot vectors."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


class Embedding(Layer):
    """A learned vector for each symbol: y is the row of a table at index x.

    This is the product of a one-hot x with the table, without the product: forward copies rows, backward adds the rows
    of dy up by symbol, in the order of x, so that no bit depends on the other replicas.

    Parameters
    ----------
    input_size : int
        V >= 1, how many symbols there are.
    output_size : int
        E >= 1, the width of their vectors.
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas
        ``weight`` (V, E) is drawn from N(0, 1), as PyTorch does.

    Notes
    -----
    ``forward`` takes integers of 0 to V - 1 of any shape, such as (T, B), and gives (T, B, E). Padding must be symbols,
    too. Symbols have no gradient: dx is None.

    Source: Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, A Neural Probabilistic Language Model, Journal of Machine
    Learning Research 3, 2003.
    """

    stateful = False
    takes_symbols = True

    def __init__(self, input_size, output_size, *, dtype="float32", seed=0):
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.output_size = arguments.integer("output_size", output_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        self._own([{"weight": rng.normal(size=(self.input_size, self.output_size))} for rng in rngs])

    def __repr__(self) -> str:
        return f"Embedding({self.input_size}, {self.output_size})"

    def _forward(self, x, state, lengths, keep):
        x = arguments.symbols("x", x, self.input_size, self.lead)
        places = x.reshape(self.copies, -1) + self.input_size * np.arange(self.copies)[:, None]
        table = self.params["weight"].reshape(-1, self.output_size)
        return table[places].reshape(*x.shape, self.output_size), {}, places.ravel()

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        from scipy import sparse  # here, for it is slow to import

        places = self._use(tape)
        if dy is not None and places.size:
            column = np.ones(places.size, self.dtype), places, np.arange(places.size + 1)
            by_symbol = sparse.csc_array(column, shape=(self.copies * self.input_size, places.size))
            grad = self.grads["weight"]
            grad += (by_symbol @ dy.reshape(-1, self.output_size)).reshape(grad.shape)
        return None, {}


class OneHot(Layer):
    """Symbols as one-hot vectors, for cells whose input is one-hot: integers (T, B) become (T, B, V).

    Parameters
    ----------
    size : int
        V >= 1, how many symbols there are.
    dense : bool
        False leaves the integers as they are: before a recurrent layer, which takes them for one-hot vectors and does
        without the product.
    dtype : "float32" or "float64"
    replicas : int, optional
    """

    stateful = False
    takes_symbols = True

    def __init__(self, size, *, dense=True, dtype="float32", replicas=None):
        self.input_size = self.output_size = arguments.integer("size", size, 1)
        self.dense = arguments.one_of("dense", dense, (True, False))
        super().__init__(dtype=dtype, replicas=replicas)

    def __repr__(self) -> str:
        return f"OneHot({self.input_size})"

    def _forward(self, x, state, lengths, keep):
        x = arguments.symbols("x", x, self.input_size, self.lead)
        return one_hot(x, self.input_size, self.dtype) if self.dense else x.copy(), {}, None

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        self._use(tape)
        return None, {}


def one_hot(x, size, dtype="float32"):
    """Return the one-hot vectors, (*x.shape, size), of integers from 0 to size - 1."""
    x = arguments.symbols("x", x, arguments.integer("size", size, 1))
    out = np.zeros((x.size, size), dtype)
    out[np.arange(x.size), x.ravel()] = 1
    return out.reshape(*x.shape, size)
