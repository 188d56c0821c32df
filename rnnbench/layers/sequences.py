"""Inputs of layers that read two things at once, and which steps of a batch its rows have."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments


def pair(name, value, first, second):
    """Return the two members of `value`, or refuse what is no pair of what `first` and `second` say."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name}: got {type(value).__name__}, expected a pair ({first}, {second})")
    return tuple(value)


def running(lengths, steps, rows):
    """Return (T, B) booleans: which steps lie before their row's end."""
    if lengths is None:
        return np.ones((steps, rows), bool)
    return np.arange(steps)[:, None] < arguments.row_order(lengths, steps, rows)[0]


def symbols(name, value, size, lead):
    """Return `value`, symbols (*lead, T, B) from 0 to size - 1, or refuse it."""
    value = arguments.symbols(name, value, size)
    return arguments.array(name, value, (*lead, None, None), np.int64)


def same_rows(first, rows, second, other):
    """Refuse two inputs of different batch sizes."""
    if rows != other:
        raise ValueError(f"{second}: got {other} rows, expected {rows} as in {first}")


def of_words(layer, x, vocabulary):
    """Return hidden vectors (R, N, H) and words (R, N) out of a pair ((*lead, ..., H), (*lead, ...)), or refuse it."""
    h, words = pair("x", x, "h", "words")
    h = arguments.features("h", h, layer.lead, layer.input_size, layer.dtype)
    words = arguments.array("words", arguments.symbols("words", words, vocabulary), h.shape[:-1], np.int64)
    count = words.size // layer.copies
    return h.reshape(layer.copies, count, layer.input_size), words.reshape(layer.copies, count)
