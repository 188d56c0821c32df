"""The fixed-window neural language model: the last K symbols and nothing before them."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.dense import Dense
from rnnbench.layers.embedding import Embedding
from rnnbench.layers.layer import Layer


class WindowModel(Layer):
    r"""Logits of the next symbol from the last K symbols, (T, B) to (T, B, V).

    .. math::

        e_t = (C_{x_{t-K+1}}; ...; C_{x_t}), \quad y_t = U \tanh(H e_t + d) + b + W e_t

    The weights W of the direct connections are there with ``direct=True`` only; softmax is the loss's. Before the start
    of a sequence stands a symbol of its own, with a learned vector. The state is {"window": the last K - 1 symbols, (B,
    K - 1)}, so that text may come in pieces; `lengths` say where each row's text ends.

    Parameters
    ----------
    vocabulary, context, embedding_size, hidden_size : int
        V, K, E and H >= 1.
    direct : bool
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Attributes
    ----------
    parts : dict
        ``embedding`` (C, the last row is that of the start), ``hidden``, ``readout`` and perhaps ``direct``.

    Notes
    -----
    Source: Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, A Neural Probabilistic Language Model, Journal of Machine
    Learning Research 3, 2003.
    """

    takes_symbols = True

    def __init__(
        self, vocabulary, context, embedding_size, hidden_size, *, direct=False, dtype="float32", seed=0
    ):  # fmt: skip
        self.input_size = self.output_size = arguments.integer("vocabulary", vocabulary, 1)
        self.context = arguments.integer("context", context, 1)
        arguments.integer("embedding_size", embedding_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        width = self.context * embedding_size
        self.parts = {
            "embedding": Embedding(self.input_size + 1, embedding_size, **shared),
            "hidden": Dense(width, hidden_size, activation="tanh", **shared),
            "readout": Dense(hidden_size, self.output_size, **shared),
        }
        if arguments.one_of("direct", direct, (True, False)):
            self.parts["direct"] = Dense(width, self.output_size, bias=False, **shared)

    def __repr__(self) -> str:
        width, hidden = self.parts["embedding"].output_size, self.parts["hidden"].output_size
        return f"WindowModel({self.input_size}, {self.context}, {width}, {hidden}, direct={'direct' in self.parts})"

    def _forward(self, x, state, lengths, keep):
        x = sequences.symbols("x", x, self.input_size, self.lead)
        windows, final = self._windows(x, of.states(state, ["window"]).get("window"), lengths)
        e, _, *of_embedding = self.parts["embedding"].forward(windows, tape=keep)
        e = e.reshape(*x.shape, self.parts["hidden"].input_size)
        h, _, *of_hidden = self.parts["hidden"].forward(e, tape=keep)
        y, _, *of_readout = self.parts["readout"].forward(h, tape=keep)
        tapes = of_embedding + of_hidden + of_readout
        if "direct" in self.parts:
            direct, _, *of_direct = self.parts["direct"].forward(e, tape=keep)
            y, tapes = y + direct, tapes + of_direct
        return y, {"window": final}, tapes

    def _windows(self, x, before, lengths):
        """The K symbols that each step sees, (T, B, K), and the K - 1 symbols before each row's end, (B, K - 1)."""
        (steps, rows), more = x.shape[-2:], self.context - 1
        if before is None:
            before = np.full((*self.lead, rows, more), self.input_size)
        arguments.array("state['window']", before, (*self.lead, rows, more), getattr(before, "dtype", "int64"))
        if before.size and (before.dtype.kind not in "iu" or before.min() < 0 or before.max() > self.input_size):
            raise ValueError(f"state['window']: got {before.dtype}, expected symbols from 0 to {self.input_size}")
        lengths = sequences.running(lengths, steps, rows).sum(axis=0)
        text = np.concatenate([before.swapaxes(-1, -2), x], axis=-2)
        row = np.arange(rows)[:, None]
        windows = text[..., np.arange(steps)[:, None, None] + np.arange(self.context), row]
        return windows, text[..., lengths[:, None] + np.arange(more), row]

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        of_embedding, of_hidden, of_readout, *of_direct = self._use(tape)
        dh, _ = self.parts["readout"].backward(dy, tape=of_readout)
        de, _ = self.parts["hidden"].backward(dh, tape=of_hidden)
        if of_direct:
            de = de + self.parts["direct"].backward(dy, tape=of_direct[0])[0]
        width = self.parts["embedding"].output_size
        self.parts["embedding"].backward(de.reshape(*de.shape[:-1], self.context, width), tape=of_embedding)
        return None, {}
