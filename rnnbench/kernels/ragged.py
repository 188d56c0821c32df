"""Rows that end early, longest first: what runs and what is padding, as few rectangles of (steps, rows)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import memory


def is_even(active, rows):
    """Whether all rows run to the end."""
    return not len(active) or active[-1] == rows


def spans(active):
    """Return (first step, stop, running rows) of each stretch of steps in which no row ends."""
    if len(active) and active[0] == active[-1]:
        return [(0, len(active), int(active[0]))]
    cuts = [0, *(np.flatnonzero(np.diff(active)) + 1).tolist(), len(active)]
    return [(t, stop, int(active[t])) for t, stop in pairwise(cuts) if t < stop]


def clear_padding(array, active):
    """Set (R, T, B, width) to 0 where rows have ended; costs as much as there is of it."""
    rows = array.shape[2]
    if is_even(active, rows):
        return
    for t, stop, count in spans(active):
        if count < rows:
            array[:, t:stop, count:] = 0


def copy(target, source, active):
    """Copy what runs from one (R, T, B, width) array into another; where rows have ended, `target` stays as it is."""
    for t, stop, count in spans(active):
        target[:, t:stop, :count] = source[:, t:stop, :count]


def copied(array, active):
    """Return a copy of (R, T, B, width); anything may stand where rows have ended."""
    out = memory.empty(array.shape, array.dtype)
    copy(out, array, active)
    return out
