"""Attention: a weighted mean of a memory's vectors, the weights made from a query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.dense import Dense
from rnnbench.layers.layer import Layer


def softmax(scores, where=True):
    """Softmax over the last axis, of the positions of `where` only; 0 elsewhere, and all 0 where there is none."""
    scores = np.where(where, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def softmax_backward(weights, dweights):
    """Gradient by the scores."""
    return weights * (dweights - (weights * dweights).sum(axis=-1, keepdims=True))


@dataclass
class _Saved:
    """What a forward pass keeps; arrays (R, B, ...)."""

    queries: np.ndarray
    memory: np.ndarray
    weights: np.ndarray
    scored: tuple


class Attention(Layer):
    r"""Attention of queries over a memory.

    .. math::

        c_t = \sum_s a_{ts} m_s, \quad a_t = \mathrm{softmax}_s\, e(q_t, m_s)

    with :math:`e(q, m) = q \cdot m` (``score="dot"``) or :math:`v \cdot \tanh(W q + U m + b)` (``score="additive"``).
    ``forward((queries, memory))`` takes queries (T, B, Q) and a memory (S, B, M) and returns the contexts (T, B, M);
    `lengths` are those of the memory, and a row without memory gets 0. All steps run at once.

    Parameters
    ----------
    query_size, memory_size : int
        Q and M >= 1; equal for ``score="dot"``.
    score : "dot" or "additive"
    size : int, optional
        Hidden units of the additive score; Q unless given.
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Notes
    -----
    Sources: D. Bahdanau, K. Cho and Y. Bengio, Neural Machine Translation by Jointly Learning to Align and Translate,
    ICLR 2015 (additive); M.-T. Luong, H. Pham and C. Manning, Effective Approaches to Attention-based Neural Machine
    Translation, EMNLP 2015 (dot).
    """

    stateful = False

    def __init__(self, query_size, memory_size, *, score="dot", size=None, dtype="float32", seed=0):
        self.query_size = arguments.integer("query_size", query_size, 1)
        self.memory_size = arguments.integer("memory_size", memory_size, 1)
        self.score = arguments.one_of("score", score, ("dot", "additive"))
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        if score == "dot":
            if query_size != memory_size:
                raise ValueError(
                    f"score 'dot': queries have size {query_size} and the memory {memory_size}, expected the same"
                )
            if size is not None:
                raise ValueError(f"size: got {size!r}, expected None with score 'dot', which has no hidden units")
            return
        size = arguments.integer("size", self.query_size if size is None else size, 1)
        options = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        self.parts = {
            "query": Dense(self.query_size, size, bias=False, **options),
            "memory": Dense(self.memory_size, size, **options),
            "energy": Dense(size, 1, bias=False, **options),
        }

    def __repr__(self) -> str:
        return f"Attention({self.query_size}, {self.memory_size}, score={self.score!r})"

    def weights(self, queries, memory, *, lengths=None):
        """Return the weights (T, B, S) that the contexts are means by."""
        _, _, saved = self._forward((queries, memory), None, lengths, True)
        return self.bare(saved.weights.swapaxes(1, 2))

    def _forward(self, x, state, lengths, keep):
        queries, memory = sequences.pair("x", x, "queries", "memory")
        queries = arguments.array("queries", queries, (*self.lead, None, None, self.query_size), self.dtype)
        memory = arguments.array("memory", memory, (*self.lead, None, None, self.memory_size), self.dtype)
        (steps, rows), slots = memory.shape[-3:-1], queries.shape[-2]
        sequences.same_rows("queries", slots, "memory", rows)
        there = sequences.running(lengths, steps, rows).T[:, None]  # (B, 1, S)
        q = np.ascontiguousarray(self.led(queries).swapaxes(1, 2))
        m = np.where(there.swapaxes(1, 2), self.led(memory).swapaxes(1, 2), self.dtype.type(0))
        scores, scored = self._scores(q, m, keep)
        weights = softmax(scores, there)
        y = np.ascontiguousarray(self.bare(np.matmul(weights, m).swapaxes(1, 2)))
        return y, {}, _Saved(q, m, weights, (*scored, there)) if keep else None

    def _scores(self, q, m, keep):
        """Scores (R, B, T, S), and what their gradient needs."""
        if self.score == "dot":
            return np.matmul(q, m.swapaxes(-1, -2)), ()
        a, _, *of_q = self.parts["query"].forward(self.bare(q), tape=keep)
        b, _, *of_m = self.parts["memory"].forward(self.bare(m), tape=keep)
        hidden = np.tanh(a[..., :, None, :] + b[..., None, :, :])
        energy, _, *of_hidden = self.parts["energy"].forward(hidden, tape=keep)
        return self.led(energy[..., 0]), (*of_q, *of_m, *of_hidden, hidden)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        saved = self._use(tape)
        q, m, weights = saved.queries, saved.memory, saved.weights
        if dy is None:
            dy = np.zeros(tape.shape, self.dtype)
        dc = np.ascontiguousarray(self.led(dy).swapaxes(1, 2))
        dscores = softmax_backward(weights, np.matmul(dc, m.swapaxes(-1, -2)))
        dm = np.matmul(weights.swapaxes(-1, -2), dc)
        if self.score == "dot":
            dq = np.matmul(dscores, m)
            dm += np.matmul(dscores.swapaxes(-1, -2), q)
        else:
            of_q, of_m, of_hidden, hidden, _ = saved.scored
            dhidden, _ = self.parts["energy"].backward(self.bare(dscores)[..., None], tape=of_hidden)
            dhidden = dhidden * (1 - hidden * hidden)
            dq = self.led(self.parts["query"].backward(dhidden.sum(axis=-2), tape=of_q)[0])
            dm += self.led(self.parts["memory"].backward(dhidden.sum(axis=-3), tape=of_m)[0])
        if not need_dx:
            return None, {}
        dm = np.where(saved.scored[-1].swapaxes(1, 2), dm, self.dtype.type(0))
        return tuple(np.ascontiguousarray(self.bare(d.swapaxes(1, 2))) for d in (dq, dm)), {}
