"""A decoder: writes symbols one after another, given what an encoder has read."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers import parts as of
from rnnbench.layers.attention import Attention
from rnnbench.layers.dense import Dense
from rnnbench.layers.embedding import Embedding
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent


class Decoder(Layer):
    r"""Logits of the next symbol from the symbols so far, (T, B) to (T, B, V).

    An embedding, a recurrent layer and a readout. With attention, the readout sees
    :math:`\tanh(W (c_t; h_t) + b)` in place of :math:`h_t`, where :math:`c_t` is the mean of the memory that
    :math:`h_t` asks for (Luong et al. 2015); since the context does not enter the recurrence, all steps attend at once.

    The state is {"recurrent": that of the cell}, with attention also "memory" (S, B, M) and "lengths", the (B, 1)
    lengths of its rows: what the decoder is conditioned on is carried along like any state, and has a gradient.

    Parameters
    ----------
    vocabulary, embedding_size, hidden_size : int
        V, E and H >= 1.
    cell : str or Cell
    attention : None, "dot" or "additive"
    memory_size : int, optional
        M; H unless given.
    dtype, device, seed, **options
        As for :class:`~rnnbench.layers.recurrent.Recurrent`.

    Attributes
    ----------
    parts : dict
        ``embedding``, ``recurrent``, ``readout``; with attention ``attention`` and ``combine``.
    """

    takes_symbols = True

    def __init__(
        self, vocabulary, embedding_size, hidden_size, *, cell="lstm", attention=None, memory_size=None,
        dtype="float32", device="cpu", seed=0, **options,
    ):  # fmt: skip
        self.attends = arguments.one_of("attention", attention, (None, "dot", "additive")) is not None
        if memory_size is not None and not self.attends:
            raise ValueError(f"memory_size: got {memory_size!r}, expected None without attention")
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        embedding = Embedding(vocabulary, embedding_size, **shared)
        recurrent = Recurrent(cell, embedding_size, hidden_size, device=device, **shared, **options)
        self.parts = {"embedding": embedding, "recurrent": recurrent}
        width = recurrent.output_size
        self.input_size = self.output_size = embedding.input_size
        self.memory_size = width if memory_size is None else memory_size
        if self.attends:
            self.parts["attention"] = Attention(width, self.memory_size, score=attention, **shared)
            self.parts["combine"] = Dense(self.memory_size + width, width, activation="tanh", **shared)
        self.parts["readout"] = Dense(width, embedding.input_size, **shared)

    def __repr__(self) -> str:
        attention = f", {self.parts['attention']!r}" if self.attends else ""
        return f"Decoder({self.parts['recurrent']!r}{attention})"

    def _forward(self, x, state, lengths, keep):
        state = of.states(state, ["recurrent", *(["memory", "lengths"] if self.attends else [])])
        tapes = {}

        def run(name, *arguments, **options):
            y, after, *tapes[name] = self.parts[name].forward(*arguments, **options, tape=keep)
            return y, after

        e, _ = run("embedding", x)
        h, final = run("recurrent", e, state.get("recurrent"), lengths=lengths)
        final = {"recurrent": final}
        if self.attends:
            if "memory" not in state:
                raise ValueError("state: got no 'memory', expected what the encoder of an attending decoder gave")
            memory, slots = state["memory"], state.get("lengths")
            c, _ = run("attention", (h, memory), lengths=None if slots is None else _column(slots))
            h, _ = run("combine", np.concatenate([c, h], axis=-1))
            final |= {"memory": memory.copy()} | ({} if slots is None else {"lengths": slots.copy()})
        y, _ = run("readout", h)
        return y, final, (tapes, {k: v for k, v in of.shapes(final).items() if k != "lengths"})

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        tapes, shapes = tape.saved
        dstate = of.dstates(dstate, shapes, self.dtype)
        self._use(tape)

        def back(name, dy, *dstate, **options):
            return self.parts[name].backward(dy, *dstate, tape=tapes[name][0], **options)

        dh, _ = back("readout", dy)
        dinitial = {}
        if self.attends:
            joined, _ = back("combine", dh)
            dc, dh = (np.ascontiguousarray(d) for d in np.split(joined, [self.memory_size], axis=-1))
            (dquery, dmemory), _ = back("attention", dc)
            dh += dquery
            dinitial["memory"] = dmemory + dstate["memory"] if "memory" in dstate else dmemory
        de, dinitial["recurrent"] = back("recurrent", dh, dstate.get("recurrent"), truncate=truncate)
        back("embedding", de)
        return None, dinitial


def _column(lengths):
    """The lengths out of their (B, 1) array."""
    if not isinstance(lengths, np.ndarray) or lengths.ndim != 2 or lengths.shape[1] != 1:
        raise ValueError(f"state['lengths']: got {getattr(lengths, 'shape', lengths)!r}, expected integers (B, 1)")
    return lengths[:, 0]
