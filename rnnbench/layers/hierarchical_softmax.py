"""A softmax in two levels: first the class of a word, then the word among those of its class."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from rnnbench.layers import arguments, sequences
from rnnbench.layers.layer import Layer


class HierarchicalSoftmax(Layer):
    r"""ln P of given words, (T, B), from hidden vectors (T, B, H): exact, at a cost of C + V / C words, not V.

    .. math::  \ln P(w \mid h) = \ln \mathrm{softmax}(D h + d)_{c(w)} + \ln \mathrm{softmax}_{v \in c(w)}(W h + b)_w

    ``forward((h, words))``. This is an output layer and its loss in one: the loss is -y, so that training calls
    ``backward(-weights)`` with the weight of each word in the loss, 0 for padding (which must be words, too).

    Parameters
    ----------
    input_size, vocabulary : int
        H and V >= 1.
    classes : int or (V,) integer array, optional
        How many classes to cut the vocabulary into (of words that follow one another, as equal as can be), or the class
        of each word. :math:`\sqrt V` unless given, which costs least.
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas

    Attributes
    ----------
    params : dict of arrays
        ``class_weight`` (C, H), ``class_bias`` (C,), ``weight`` (V, H), ``bias`` (V,), drawn as those of ``Dense``.

    Notes
    -----
    Source: J. Goodman, Classes for Fast Maximum Entropy Training, ICASSP 2001; for networks F. Morin and Y. Bengio,
    Hierarchical Probabilistic Neural Network Language Model, AISTATS 2005 (a binary tree in place of two levels).
    """

    stateful = False

    def __init__(self, input_size, vocabulary, *, classes=None, dtype="float32", seed=0):
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.vocabulary = arguments.integer("vocabulary", vocabulary, 1)
        self.classes = _classes(classes, self.vocabulary)
        self.members = [np.flatnonzero(self.classes == c) for c in range(self.classes.max() + 1)]
        if empty := [c for c, members in enumerate(self.members) if not len(members)]:
            raise ValueError(f"classes: got no word of class {empty[0]}, expected one in each up to the largest")
        self._place = np.empty(self.vocabulary, np.int64)  # of a word in its class
        for members in self.members:
            self._place[members] = np.arange(len(members))
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        bound, count = 1 / np.sqrt(self.input_size), len(self.members)
        shapes = {
            "class_weight": (count, input_size), "class_bias": (count,), "weight": (vocabulary, input_size),
            "bias": (vocabulary,),
        }  # fmt: skip
        self._own([{k: rng.uniform(-bound, bound, shape) for k, shape in shapes.items()} for rng in rngs])

    def __repr__(self) -> str:
        return f"HierarchicalSoftmax({self.input_size}, {self.vocabulary}, classes={len(self.members)})"

    def log_probabilities(self, h):
        """Return ln P of all words, (..., V), from hidden vectors (..., H)."""
        h = arguments.features("h", h, self.lead, self.input_size, self.dtype)
        rows, p = h.reshape(self.copies, -1, self.input_size), self._led_params()
        of_class = log_softmax(np.matmul(rows, p["class_weight"].swapaxes(1, 2)) + p["class_bias"][:, None], axis=-1)
        words = np.matmul(rows, p["weight"].swapaxes(1, 2)) + p["bias"][:, None]
        for members in self.members:
            words[..., members] = log_softmax(words[..., members], axis=-1)
        return (words + of_class[..., self.classes]).reshape(*h.shape[:-1], self.vocabulary)

    def _led_params(self):
        return {key: self.led(value) for key, value in self.params.items()}

    def _forward(self, x, state, lengths, keep):
        h, words = sequences.of_words(self, x, self.vocabulary)
        p, classes = self._led_params(), self.classes[words]
        of_class = log_softmax(np.matmul(h, p["class_weight"].swapaxes(1, 2)) + p["class_bias"][:, None], axis=-1)
        y = np.take_along_axis(of_class, classes[..., None], axis=-1)[..., 0]
        groups = []
        for r in range(self.copies):
            for c in np.unique(classes[r]):
                at, members = np.flatnonzero(classes[r] == c), self.members[c]
                logp = log_softmax(h[r, at] @ p["weight"][r, members].T + p["bias"][r, members], axis=-1)
                y[r, at] += logp[np.arange(len(at)), self._place[words[r, at]]]
                groups.append((r, at, members, logp))
        saved = h, words, classes, of_class, groups
        return y.reshape(x[1].shape), {}, saved if keep else None

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        h, words, classes, of_class, groups = self._use(tape)
        dy = np.zeros(classes.shape, self.dtype) if dy is None else dy.reshape(classes.shape)
        p, grads = self._led_params(), {key: self.led(value) for key, value in self.grads.items()}
        da = _minus_softmax(of_class, classes, dy)
        grads["class_weight"] += np.matmul(da.swapaxes(1, 2), h)
        grads["class_bias"] += da.sum(axis=1)
        dh = np.matmul(da, p["class_weight"])
        for r, at, members, logp in groups:
            da = _minus_softmax(logp, self._place[words[r, at]], dy[r, at])
            grads["weight"][r, members] += da.T @ h[r, at]
            grads["bias"][r, members] += da.sum(axis=0)
            dh[r, at] += da @ p["weight"][r, members]
        return ((dh.reshape(*tape.shape, self.input_size), None) if need_dx else None), {}


def _minus_softmax(logp, chosen, dy):
    """Gradient by the logits of the log-probability of what was chosen."""
    da = -np.exp(logp) * dy[..., None]
    at = np.take_along_axis(da, chosen[..., None], axis=-1)
    np.put_along_axis(da, chosen[..., None], at + dy[..., None], axis=-1)
    return da


def _classes(given, vocabulary):
    """The class of each word."""
    if given is None:
        given = int(np.ceil(np.sqrt(vocabulary)))
    if not isinstance(given, np.ndarray):
        count = arguments.integer("classes", given, 1)
        if count > vocabulary:
            raise ValueError(f"classes: got {count} for {vocabulary} words, expected at most one for each")
        return np.arange(vocabulary) * count // vocabulary
    if given.shape != (vocabulary,) or given.dtype.kind not in "iu" or given.min() < 0:
        raise ValueError(f"classes: got {given.dtype} of shape {given.shape}, expected integers >= 0, ({vocabulary},)")
    return given.astype(np.int64)
