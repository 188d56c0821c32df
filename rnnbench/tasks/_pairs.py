"""Sequence to sequence: rows of different lengths put together, and pairs written into one stream."""

from __future__ import annotations

import numpy as np

from rnnbench.tasks._task import Batch


def close_up(grid, present):
    """Move what is present in each column of a (slots, B) grid to its top: (T, B) values, 0 below, and lengths."""
    lengths = present.sum(axis=0)
    order = np.argsort(~present, axis=0, kind="stable")[: lengths.max()]
    values = np.take_along_axis(grid, order, axis=0)
    values[np.arange(len(values))[:, None] >= lengths] = 0
    return values, lengths


def with_end(sequences, lengths, end):
    """Append the symbol `end` to each row of (T, B) sequences; return them and their lengths."""
    out = np.zeros((len(sequences) + 1, sequences.shape[1]), np.int64)
    out[:-1] = sequences
    out[lengths, np.arange(len(lengths))] = end
    return out, lengths + 1


def stream(pair, end):
    """Write each pair into one row: the source, the symbol `end`, then the target up to but not with its last symbol.

    The target is predicted from `end` on: each symbol from the source and the target's symbols before it.

    Returns
    -------
    Batch
    """
    lengths = pair.source_lengths + pair.target_lengths
    place, row = np.arange(len(pair.target))[:, None], np.arange(len(lengths))
    shape = len(pair.source) + len(place) + 1, len(row)  # with room for the longest target behind the longest source
    target, mask, x = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, np.int64)
    step = pair.source_lengths + place
    target[step, row] = pair.target
    mask[step, row] = place < pair.target_lengths
    x[: len(pair.source)] = pair.source
    x[pair.source_lengths, row] = end
    x[step + 1, row] = pair.target * (place < pair.target_lengths - 1)
    used = slice(lengths.max())
    return Batch(x[used], target[used], mask[used], lengths)


def pair_and_stream(pairs, end):
    """Return the fields ``pairs`` and ``generate`` of a task, both from one generator of pairs."""
    return {"pairs": pairs, "generate": lambda rng, size, length: stream(pairs(rng, size, length), end)}


def all_right(outputs, batch):
    """Say of each row whether the largest output is the target at every scored step."""
    return ((outputs.argmax(axis=-1) == batch.target) | ~batch.mask).all(axis=0)
