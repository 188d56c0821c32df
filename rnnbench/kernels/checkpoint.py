"""Long sequences in little memory: keep the state of every k-th step, and run the steps between again for BPTT.

Works with either driver. A stretch of steps is a forward pass of its own that starts from the state before it: rows
that have ended pass their state through, and their gradient back. Stretches are whole chunks of the weight gradients'
sums, so that checkpointed and plain runs have the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench.kernels import memory, ragged


@dataclass
class Tape:
    """What a checkpointed forward pass keeps: the input, and the state before each stretch."""

    driver: Any
    layout: Any
    prepared: Any
    x: np.ndarray
    active: np.ndarray
    feed: dict
    cuts: list
    states: list
    only_last: bool


def stretches(steps, every, chunk):
    """Return the (first, stop) of each stretch: `every` steps, rounded up to whole chunks."""
    length = -(-every // chunk) * chunk
    return [(t, min(t + length, steps)) for t in range(0, steps, length)] or [(0, 0)]


def forward(driver, layout, prepared, x, state, active, feed, every, only_last):
    """Run forward in stretches.

    Parameters
    ----------
    driver : module
        :mod:`rnnbench.kernels.cpu` or :mod:`rnnbench.kernels.reference`.
    every : int
        Steps between kept states.
    only_last : bool
        Whether y is wanted for each row's own last step only.

    Returns
    -------
    y : (R, T, B, width) array, or (R, B, width) with `only_last` (0 for a row of length 0)
    final : dict of (R, lag, B, width) arrays
    tape : Tape
    """
    replicas, steps, rows = x.shape[:3]
    width = layout.widths[layout.cell.output]
    cuts = stretches(steps, every, driver.chunk_steps(rows))
    tape = Tape(driver, layout, prepared, ragged.copied(x, active), active, _copied(feed), cuts, [], only_last)
    shape = (replicas, rows, width) if only_last else (replicas, steps, rows, width)
    y = None
    for first, stop in cuts:
        tape.states.append(state)
        part, state, _ = driver.forward(*_stretch(tape, len(tape.states) - 1), keep=False)
        if y is None:
            y = (memory.zeros if only_last else memory.empty)(shape, part.dtype)
        if only_last:
            last, row = _ends(active, first, stop)
            y[:, row] = part[:, last, row]
        else:
            y[:, first:stop] = part
    return y, state, tape


def backward(tape, dy, dstate, truncate=None, need_dx=True, grads=None):
    """Back-propagate stretch by stretch, running each forward again first; `dy` is shaped like y.

    `grads` are added to if given.

    Returns
    -------
    dx : (R, T, B, I) array or None
    dstate, grads : dicts of arrays
        As the driver's backward returns them.
    """
    dx = memory.empty(tape.x.shape, tape.x.dtype) if need_dx else None
    for number in reversed(range(len(tape.cuts))):
        first, stop = tape.cuts[number]
        y, _, kept = tape.driver.forward(*_stretch(tape, number), keep=True)
        if tape.only_last:
            part = np.zeros_like(y)
            last, row = _ends(tape.active, first, stop)
            part[:, last, row] = dy[:, row]
        else:
            part = np.ascontiguousarray(dy[:, first:stop])
        dpart, dstate, grads = tape.driver.backward(kept, part, dstate, truncate, first, need_dx, grads)
        if need_dx:
            dx[:, first:stop] = dpart
    return dx, dstate, grads


def _stretch(tape, number):
    """Arguments of the driver's forward for one stretch."""
    first, stop = tape.cuts[number]
    contiguous = np.ascontiguousarray  # with several replicas a slice of the steps is not
    feed = {n: (contiguous(values[:, first:stop]), mask[first:stop]) for n, (values, mask) in tape.feed.items()}
    x = contiguous(tape.x[:, first:stop])
    return tape.layout, tape.prepared, x, tape.states[number], tape.active[first:stop], feed


def _ends(active, first, stop):
    """Step within the stretch, and row, of each row whose last step lies in it."""
    after = np.append(active[first + 1 : stop], active[stop] if stop < len(active) else 0)
    pairs = [(t, row) for t, n in enumerate(active[first:stop]) for row in range(after[t], n)]
    return tuple(np.array(pairs, int).reshape(-1, 2).T)


def _copied(feed):
    return {name: (values.copy(), mask.copy()) for name, (values, mask) in feed.items()}
