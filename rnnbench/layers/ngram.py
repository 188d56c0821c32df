"""Counted n-grams, the language model without a network: the baseline of all others."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments


class NGram:
    r"""An n-gram model :math:`P(w_t \mid w_{t-n+1}, ..., w_{t-1})` from counts.

    ``smoothing="add-k"`` adds k to every count:

    .. math::  P(w \mid h) = \frac{c(h w) + k}{c(h) + k V}

    ``smoothing="backoff"`` takes a discount d off every count that is not 0 and shares what this frees among the words
    not seen after h, in proportion to their probability given a context shorter by one, down to 1/V without context:

    .. math::  P(w \mid h) = \frac{c(h w) - d}{c(h)} \text{ if } c(h w) > 0, \text{ else } \alpha(h) P(w \mid h')

    A context never seen leaves it to h'. Where every word was seen after h, nothing is taken off.

    Parameters
    ----------
    order : int
        n >= 1: the word and n - 1 before it.
    vocabulary : int
        V >= 1; words are 0 to V - 1. What stands before a sequence's start is a symbol of its own, which is in contexts
        only. A sequence's end is a word like any other, if it is to be learned.
    smoothing : "add-k" or "backoff"
    k : float > 0
    discount : float, 0 < d < 1

    Notes
    -----
    No layer: it has no parameters to train. Sources: S. M. Katz, Estimation of Probabilities from Sparse Data for the
    Language Model Component of a Speech Recognizer, IEEE Transactions on Acoustics, Speech, and Signal Processing
    35(3), 1987 (backoff); H. Ney, U. Essen and R. Kneser, On Structuring Probabilistic Dependences in Stochastic
    Language Modelling, Computer Speech and Language 8, 1994 (absolute discounting).
    """

    def __init__(self, order, vocabulary, *, smoothing="add-k", k=1.0, discount=0.5):
        self.order = arguments.integer("order", order, 1)
        self.vocabulary = arguments.integer("vocabulary", vocabulary, 1)
        self.smoothing = arguments.one_of("smoothing", smoothing, ("add-k", "backoff"))
        if isinstance(k, bool) or not isinstance(k, int | float) or not 0 < k < np.inf:
            raise ValueError(f"k: got {k!r}, expected a number > 0")
        if isinstance(discount, bool) or not isinstance(discount, int | float) or not 0 < discount < 1:
            raise ValueError(f"discount: got {discount!r}, expected a number between 0 and 1")
        self.k, self.discount = k, discount
        self._tables = [{} for _ in range(self.order)]

    def __repr__(self) -> str:
        return f"NGram({self.order}, {self.vocabulary}, smoothing={self.smoothing!r})"

    def fit(self, sequences):
        """Count the n-grams of a list of integer arrays (anew at each call) and return the model."""
        sequences = [self._checked(f"sequences[{i}]", sequence) for i, sequence in enumerate(sequences)]
        self._tables = [dict(_by_context(*self._windows(sequences, n))) for n in range(1, self.order + 1)]
        return self

    @property
    def sizes(self) -> list[int]:
        """How many different n-grams were seen, for n = 1, 2 ..."""
        return [sum(len(words) for words, _ in table.values()) for table in self._tables]

    def probabilities(self, context):
        """Return P(w | context) of all words, (V,); only the last n - 1 symbols count, fewer are a sequence's start."""
        given = np.asanyarray(context, np.int64 if len(context) == 0 else None)
        context = tuple(self._checked("context", given).tolist())
        start = (self.vocabulary,) * max(self.order - 1 - len(context), 0)
        return self._given((*start, *context)[len(start) + len(context) - self.order + 1 :])

    def prob(self, word, context):
        """Return P(word | context)."""
        word = arguments.integer("word", word, 0)
        if word >= self.vocabulary:
            raise ValueError(f"word: got {word}, expected 0 to {self.vocabulary - 1}")
        return float(self.probabilities(context)[word])

    def log_probability(self, sequences):
        """Return the sum of ln P over all words of all sequences."""
        sequences = [self._checked(f"sequences[{i}]", sequence) for i, sequence in enumerate(sequences)]
        return float(
            sum(
                counts @ np.log(self._given(context)[words])
                for context, (words, counts) in _by_context(*self._windows(sequences, self.order))
            )
        )

    def perplexity(self, sequences):
        """Return exp of the mean of -ln P over all words; NaN without words."""
        sequences = list(sequences)
        log_probability = self.log_probability(sequences)  # refuses what is no list of sequences
        words = sum(len(sequence) for sequence in sequences)
        return float(np.exp(-log_probability / words)) if words else float("nan")

    def _given(self, context):
        """P(w | h) for h of up to n - 1 symbols."""
        words, counts = self._tables[len(context)].get(context, (np.zeros(0, np.int64), np.zeros(0, np.int64)))
        if self.smoothing == "add-k":
            p = np.full(self.vocabulary, float(self.k))
            p[words] += counts
            return p / p.sum()
        shorter = self._given(context[1:]) if context else np.full(self.vocabulary, 1 / self.vocabulary)
        if not len(words):
            return shorter
        if len(words) == self.vocabulary:
            seen, p = counts / counts.sum(), np.zeros(self.vocabulary)
        else:
            seen, p = (counts - self.discount) / counts.sum(), shorter.copy()
            p[words] = 0
            p *= (1 - seen.sum()) / p.sum()
        p[words] = seen
        return p

    def _windows(self, sequences, n):
        """All windows of n symbols that end at a word, (count, n), each once, and how often each comes."""
        start = np.full(n - 1, self.vocabulary)
        windows = [np.lib.stride_tricks.sliding_window_view(np.concatenate([start, s]), n) for s in sequences if len(s)]
        if not windows:
            return np.zeros((0, n), np.int64), np.zeros(0, np.int64)
        return np.unique(np.concatenate(windows), axis=0, return_counts=True)

    def _checked(self, name, sequence):
        sequence = arguments.unmasked(name, sequence)
        if not isinstance(sequence, np.ndarray) or sequence.ndim != 1 or not np.issubdtype(sequence.dtype, np.integer):
            raise TypeError(f"{name}: got {type(sequence).__name__}, expected a 1-D NumPy array of integers")
        if len(sequence) and not (sequence.min() >= 0 and sequence.max() < self.vocabulary):
            raise ValueError(
                f"{name}: got words from {sequence.min()} to {sequence.max()}, expected 0 to {self.vocabulary - 1}"
            )
        return sequence.astype(np.int64)


def _by_context(windows, counts):
    """Yield (context, (words, counts)) from windows in lexical order."""
    if not len(windows):
        return
    starts = np.flatnonzero((windows[1:, :-1] != windows[:-1, :-1]).any(axis=1)) + 1
    for rows, share in zip(np.split(windows, starts), np.split(counts, starts), strict=True):
        yield tuple(rows[0, :-1].tolist()), (rows[:, -1].copy(), share)
