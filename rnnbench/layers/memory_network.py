"""The end-to-end memory network: a question, answered by looking into a memory several times."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.attention import softmax, softmax_backward
from rnnbench.layers.dense import Dense
from rnnbench.layers.layer import Layer


@dataclass
class _Saved:
    """What a forward pass keeps: of the query, of the memory's embeddings, of each hop, of the readout."""

    tapes: dict
    there: np.ndarray
    embedded: list
    hops: list


class MemoryNetwork(Layer):
    r"""Logits (B, O) from a memory (S, B, I) and a query (B, Q), with K hops.

    .. math::

        u_1 = B q, \quad p_k = \mathrm{softmax}_i(u_k \cdot m_i^k), \quad u_{k+1} = u_k + \sum_i p_{k,i} m_i^{k+1},
        \quad y = W u_{K+1}

    with :math:`m_i^k = A_k x_i + T_k(\mathrm{age}_i)`: the embeddings that a hop reads out of are those that the next
    hop looks into ("adjacent" tying). The age of a slot counts back from each row's last, 0 for that. Sentences come in
    as bags of words: counts of the words, x and q of the size of the vocabulary.

    ``forward((memory, query))``; `lengths` are how many slots of the memory each row has.

    Parameters
    ----------
    input_size, query_size, output_size, hidden_size : int
        I, Q, O and the width of the embeddings, all >= 1.
    hops : int
        K >= 1.
    slots : int, optional
        The longest memory, for which the vectors :math:`T_k` of the ages are learned; without, order does not count.
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Attributes
    ----------
    params : dict of arrays
        ``time1`` ... ``time<K+1>`` (slots, hidden_size), drawn from N(0, 0.1^2), where there are `slots`.
    parts : dict
        ``query`` (B), ``memory1`` ... ``memory<K+1>`` (A) and ``readout`` (W), without biases.

    Notes
    -----
    Source: S. Sukhbaatar, A. Szlam, J. Weston and R. Fergus, End-To-End Memory Networks, NeurIPS 2015.
    """

    stateful = False

    def __init__(
        self, input_size, query_size, output_size, hidden_size, *, hops=3, slots=None, dtype="float32", seed=0
    ):  # fmt: skip
        self.hops = arguments.integer("hops", hops, 1)
        self.slots = slots if slots is None else arguments.integer("slots", slots, 1)
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.query_size = arguments.integer("query_size", query_size, 1)
        self.output_size = arguments.integer("output_size", output_size, 1)
        arguments.integer("hidden_size", hidden_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        shared = {"bias": False, "dtype": dtype, "seed": of.seed(rngs, replicas)}
        self.parts = {"query": Dense(query_size, hidden_size, **shared)}
        for k in range(1, self.hops + 2):
            self.parts[f"memory{k}"] = Dense(input_size, hidden_size, **shared)
        self.parts["readout"] = Dense(hidden_size, output_size, **shared)
        if slots is not None:
            times = [f"time{k}" for k in range(1, self.hops + 2)]
            self._own([{key: rng.normal(size=(slots, hidden_size), scale=0.1) for key in times} for rng in rngs])

    def __repr__(self) -> str:
        return f"MemoryNetwork({self.input_size}, {self.query_size}, {self.output_size}, hops={self.hops})"

    def weights(self, memory, query, *, lengths=None):
        """Return where every hop looks: K arrays (B, S) of weights."""
        _, _, saved = self._forward((memory, query), None, lengths, True)
        return [self.bare(p) for _, p in saved.hops]

    def _forward(self, x, state, lengths, keep):
        memory, query = sequences.pair("x", x, "memory", "query")
        memory = arguments.array("memory", memory, (*self.lead, None, None, self.input_size), self.dtype)
        query = arguments.array("query", query, (*self.lead, None, self.query_size), self.dtype)
        slots, rows = memory.shape[-3:-1]
        sequences.same_rows("memory", rows, "query", query.shape[-2])
        if self.slots is not None and slots > self.slots:
            raise ValueError(f"memory: got {slots} slots, expected at most {self.slots}")
        there = sequences.running(lengths, slots, rows)
        memory = np.where(there[..., None], memory, self.dtype.type(0))
        tapes = {}

        def run(name, value):
            y, _, *tapes[name] = self.parts[name].forward(value, tape=keep)
            return y

        u = self.led(run("query", query))
        embedded = [self._embedded(k, self.led(run(f"memory{k}", memory)), there) for k in range(1, self.hops + 2)]
        hops = []
        for look, read in pairwise(embedded):
            p = softmax(np.matmul(look, u[..., None])[..., 0], there.T)
            hops.append((u, p))
            u = u + np.matmul(p[..., None, :], read)[..., 0, :]
        y = run("readout", self.bare(u))
        return y, {}, _Saved(tapes, there, embedded, hops)

    def _embedded(self, k, m, there):
        """The vectors of the slots, (R, B, S, width); 0 where a row has none."""
        if self.slots is not None:
            m = m + self.led(self.params[f"time{k}"])[:, _ages(there)]
        return np.ascontiguousarray(np.where(there[..., None], m, self.dtype.type(0)).swapaxes(1, 2))

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        saved = self._use(tape)
        du, _ = self.parts["readout"].backward(dy, tape=saved.tapes["readout"][0])
        du = self.led(du)
        d = [np.zeros_like(m) for m in saved.embedded]
        for k in reversed(range(self.hops)):
            u, p = saved.hops[k]
            look, read = saved.embedded[k], saved.embedded[k + 1]
            d[k + 1] += p[..., None] * du[..., None, :]
            dscores = softmax_backward(p, np.matmul(read, du[..., None])[..., 0])
            d[k] += dscores[..., None] * u[..., None, :]
            du = du + np.matmul(dscores[..., None, :], look)[..., 0, :]
        dquery, _ = self.parts["query"].backward(self.bare(du), tape=saved.tapes["query"][0], need_dx=need_dx)
        dmemory = 0
        for k, dm in enumerate(d, 1):
            dm = np.ascontiguousarray(dm.swapaxes(1, 2))
            if self.slots is not None:
                ages, grad = _ages(saved.there)[saved.there], self.led(self.grads[f"time{k}"])
                np.add.at(grad, (slice(None), ages), dm[:, saved.there])
            of_memory = saved.tapes[f"memory{k}"][0]
            dx, _ = self.parts[f"memory{k}"].backward(self.bare(dm), tape=of_memory, need_dx=need_dx)
            dmemory = dmemory + dx if need_dx else None
        return ((dmemory, dquery) if need_dx else None), {}


def _ages(there):
    """How far each slot (S, B) lies before its row's last, 0 for that (and beyond it)."""
    return np.maximum(there.sum(axis=0) - 1 - np.arange(len(there))[:, None], 0)
