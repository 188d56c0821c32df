"""Training without the whole vocabulary: a word is told apart from a few drawn ones."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from rnnbench.layers import arguments, sequences
from rnnbench.layers.addressing import sigmoid, softplus
from rnnbench.layers.layer import Layer


class SampledSoftmax(Layer):
    r"""What to maximise for given words, (T, B), from hidden vectors (T, B, H), with K words drawn from q.

    The logits are :math:`s = W h + b`; t is the word given, :math:`w_k` are the words drawn, with replacement, once for
    all positions of a call.

    ``method="softmax"``: :math:`y = s_t - \ln \hat Z` with

    .. math::  \hat Z = e^{s_t} + \frac{1}{K} \sum_{k: w_k \neq t} \frac{e^{s_{w_k}}}{q(w_k)}

    whose mean is the sum Z of the softmax. So y is a little too large on average, by less the larger K, and
    :math:`\hat Z \nabla y` has the mean :math:`Z \nabla \ln P(t)`.

    ``method="negative"``: :math:`y = \ln \sigma(s_t) + \sum_k \ln \sigma(-s_{w_k})`, negative sampling. It is at its
    best, on average, where :math:`s = \ln P - \ln K q`: the probabilities are the softmax of :math:`s + \ln q`.

    ``forward((h, words))``. As with :class:`HierarchicalSoftmax` the loss is -y. Without a tape, y is the exact ln P.

    Parameters
    ----------
    input_size, vocabulary : int
        H and V >= 1.
    samples : int
        K >= 1.
    method : "softmax" or "negative"
    distribution : "log-uniform", "uniform" or (V,) array
        q: ln((w + 2) / (w + 1)) / ln(V + 1), which suits words sorted by how frequent they are, the same for all, or in
        proportion to positive numbers such as counts (for negative sampling often to the power of 3/4).
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Notes
    -----
    Sources: Y. Bengio and J.-S. Senécal, Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic
    Language Model, IEEE Transactions on Neural Networks 19(4), 2008; S. Jean, K. Cho, R. Memisevic and Y. Bengio, On
    Using Very Large Target Vocabulary for Neural Machine Translation, ACL 2015; T. Mikolov et al., Distributed
    Representations of Words and Phrases and their Compositionality, NeurIPS 2013.
    """

    stateful = False

    def __init__(
        self, input_size, vocabulary, *, samples=64, method="softmax", distribution="log-uniform", dtype="float32",
        seed=0,
    ):  # fmt: skip
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.vocabulary = arguments.integer("vocabulary", vocabulary, 1)
        self.samples = arguments.integer("samples", samples, 1)
        self.method = arguments.one_of("method", method, ("softmax", "negative"))
        self.q = _distribution(distribution, self.vocabulary)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        bound, shapes = 1 / np.sqrt(self.input_size), {"weight": (vocabulary, input_size), "bias": (vocabulary,)}
        self._own([{k: rng.uniform(-bound, bound, shape) for k, shape in shapes.items()} for rng in rngs])
        self.random = arguments.own_generators(rngs)

    def __repr__(self) -> str:
        return f"SampledSoftmax({self.input_size}, {self.vocabulary}, samples={self.samples}, method={self.method!r})"

    def log_probabilities(self, h):
        """Return ln P of all words, (..., V), from hidden vectors (..., H)."""
        h = arguments.features("h", h, self.lead, self.input_size, self.dtype)
        rows = h.reshape(self.copies, -1, self.input_size)
        s = np.matmul(rows, self.led(self.params["weight"]).swapaxes(1, 2)) + self.led(self.params["bias"])[:, None]
        if self.method == "negative":
            s += np.log(self.q).astype(self.dtype)
        return log_softmax(s, axis=-1).reshape(*h.shape[:-1], self.vocabulary)

    def _forward(self, x, state, lengths, keep):
        h, words = sequences.of_words(self, x, self.vocabulary)
        if not keep:
            logp = self.log_probabilities(x[0])
            return np.take_along_axis(logp, np.asarray(x[1], np.int64)[..., None], axis=-1)[..., 0], {}, None
        drawn = np.stack([_draw(self.q, self.samples, rng) for rng in self.random])
        weight, bias, r = (
            self.led(self.params["weight"]),
            self.led(self.params["bias"]),
            np.arange(self.copies)[:, None],
        )
        of_word = (h * weight[r, words]).sum(axis=-1) + bias[r, words]
        of_drawn = np.matmul(h, weight[r, drawn].swapaxes(1, 2)) + bias[r, drawn][:, None]
        if self.method == "softmax":
            corrected = of_drawn - np.log(self.samples * self.q[drawn]).astype(self.dtype)[:, None]
            corrected[drawn[:, None, :] == words[..., None]] = -np.inf
            logp = log_softmax(np.concatenate([of_word[..., None], corrected], axis=-1), axis=-1)
            y, slopes = logp[..., 0], -np.exp(logp)
            slopes[..., 0] += 1
        else:
            y = -softplus(-of_word) - softplus(of_drawn).sum(axis=-1)
            slopes = np.concatenate([sigmoid(-of_word)[..., None], -sigmoid(of_drawn)], axis=-1)
        return y.reshape(x[1].shape), {}, (h, words, drawn, slopes)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        h, words, drawn, slopes = self._use(tape)
        dy = np.zeros(words.shape, self.dtype) if dy is None else dy.reshape(words.shape)
        da, weight, r = slopes * dy[..., None], self.led(self.params["weight"]), np.arange(self.copies)[:, None]
        of_word, of_drawn = da[..., 0], da[..., 1:]
        grad, dbias = self.led(self.grads["weight"]), self.led(self.grads["bias"])
        np.add.at(grad, (r, words), of_word[..., None] * h)
        np.add.at(grad, (r, drawn), np.matmul(of_drawn.swapaxes(1, 2), h))
        np.add.at(dbias, (r, words), of_word)
        np.add.at(dbias, (r, drawn), of_drawn.sum(axis=1))
        if not need_dx:
            return None, {}
        dh = of_word[..., None] * weight[r, words] + np.matmul(of_drawn, weight[r, drawn])
        return (dh.reshape(*tape.shape, self.input_size), None), {}


def _draw(q, count, rng):
    """Draw words from q, with replacement."""
    up_to = q.cumsum()
    return np.searchsorted(up_to, (1 - rng.random(count)) * up_to[-1])  # of (0, 1], so that it ends in range


def _distribution(given, vocabulary):
    if isinstance(given, str):
        arguments.one_of("distribution", given, ("log-uniform", "uniform"))
        w = np.arange(vocabulary)
        return (
            np.log((w + 2) / (w + 1)) / np.log(vocabulary + 1) if given == "log-uniform" else np.ones_like(w) / w.size
        )
    q = np.asarray(given, np.float64)
    if q.shape != (vocabulary,) or not (np.isfinite(q).all() and q.min() > 0):
        raise ValueError(f"distribution: got shape {q.shape}, expected ({vocabulary},) positive numbers or a name")
    return q / q.sum()
