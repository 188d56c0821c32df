"""Batches that are scored at the last step or at every step, and where rows end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.tasks._task import Batch


def ends(batch):
    """Return the last step of each row."""
    steps, rows = batch.mask.shape
    return np.full(rows, steps - 1) if batch.lengths is None else batch.lengths - 1


def at_end(array, batch):
    """Return what a (T, B, ...) array holds at each row's last step."""
    return array[ends(batch), np.arange(batch.mask.shape[1])]


def blank_after_end(array, lengths):
    """Set a (T, B, ...) array to 0 beyond the rows' ends."""
    if lengths is not None:
        shortest = lengths.min()
        array[shortest:][np.arange(shortest, len(array))[:, None] >= lengths] = 0


def sums_so_far(array):
    """Return the sums over the steps up to each: cumsum, in a fraction of its time where a step has many rows."""
    sums = array.copy()
    for before, now in pairwise(sums):
        now += before
    return sums


def final(x, answer, lengths=None, clean=None):
    """Make a batch that is scored at each row's last step.

    Parameters
    ----------
    x : (T, B) or (T, B, channels) array
    answer : (B,) classes or (B, outputs) array
    lengths : (B,) ints or None
    clean : like answer, or None
    """
    steps, size = x.shape[:2]
    where = (steps - 1 if lengths is None else lengths - 1), np.arange(size)

    def put(values):
        array = np.zeros((steps, *values.shape), values.dtype)
        array[where] = values
        return array

    mask = put(np.ones(size, bool))
    return Batch(x, put(answer), mask, lengths, None if clean is None else put(clean))


def running(x, target, lengths=None):
    """Make a batch that is scored at every step of every row."""
    steps, size = x.shape[:2]
    if lengths is None:
        return Batch(x, target, np.ones((steps, size), bool))
    blank_after_end(target, lengths)
    return Batch(x, target, np.arange(steps)[:, None] < lengths, lengths)
