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
    if not isinstance(value, np.ndarray) or not np.issubdtype(value.dtype, np.integer):
        kind = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name}: got {kind}, expected a NumPy array of integers (symbols)")
    arguments.array(name, value, (*lead, None, None), value.dtype)
    if value.size and (value.min() < 0 or value.max() >= size):
        raise ValueError(f"{name}: got symbols from {value.min()} to {value.max()}, expected 0 to {size - 1}")
    return value


def same_rows(first, rows, second, other):
    """Refuse two inputs of different batch sizes."""
    if rows != other:
        raise ValueError(f"{second}: got {other} rows, expected {rows} as in {first}")


def of_words(layer, x, vocabulary):
    """Return hidden vectors (R, N, H) and words (R, N) out of a pair ((*lead, ..., H), (*lead, ...)), or refuse it."""
    h, words = pair("x", x, "h", "words")
    h = arguments.features("h", h, layer.lead, layer.input_size, layer.dtype)
    if not isinstance(words, np.ndarray) or words.dtype.kind not in "iu":
        got = f"dtype {words.dtype}" if isinstance(words, np.ndarray) else type(words).__name__
        raise TypeError(f"words: got {got}, expected a NumPy array of integers")
    arguments.array("words", words, h.shape[:-1], words.dtype)
    if words.size and (words.min() < 0 or words.max() >= vocabulary):
        raise ValueError(f"words: got {words.min()} to {words.max()}, expected 0 to {vocabulary - 1}")
    count = words.size // layer.copies
    return h.reshape(layer.copies, count, layer.input_size), words.reshape(layer.copies, count).astype(np.int64)
