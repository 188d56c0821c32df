"""One vector from a sequence: many to one."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments
from rnnbench.layers.layer import Layer


class Pool(Layer):
    """The last step, the mean or the maximum of each row over its own length: (T, B, F) to (B, F).

    Parameters
    ----------
    how : "last", "mean" or "max"
        The gradient of "max" goes to the earliest step that has it.
    dtype : "float32" or "float64"
    replicas : int, optional

    Notes
    -----
    What lies beyond a row's end is never read and has gradient 0; a row of length 0 gives 0. NaN passes through. For
    the last step of one recurrent layer ``Scan(layer, outputs="last")`` is faster.
    """

    stateful = False

    def __init__(self, how, *, dtype="float32", replicas=None):
        self.how = arguments.one_of("how", how, ("last", "mean", "max"))
        super().__init__(dtype=dtype, replicas=replicas)

    def __repr__(self) -> str:
        return f"Pool({self.how!r})"

    def _forward(self, x, state, lengths, keep):
        x = self.led(arguments.array("x", x, (*self.lead, None, None, None), self.dtype))
        steps, rows = x.shape[1:3]
        if lengths is None:
            lengths, within = np.full(rows, steps), None
        else:
            lengths, _ = arguments.row_order(lengths, steps, rows)
            within = (np.arange(steps)[:, None] < lengths)[..., None]  # (T, B, 1)
        shape = x.shape
        if steps == 0:
            y, at = np.zeros(shape[:1] + shape[2:], self.dtype), None
        elif self.how == "mean":
            y, at = _sum(x if within is None else np.where(within, x, 0)), None
            y /= np.maximum(lengths, 1)[:, None].astype(self.dtype)
        else:
            if self.how == "max":
                at = (x if within is None else np.where(within, x, -np.inf)).argmax(axis=1)[:, None]
            else:
                at = np.broadcast_to(np.maximum(lengths - 1, 0)[:, None], (shape[0], 1, *shape[2:]))
            y = np.take_along_axis(x, at, axis=1)[:, 0]
            y[:, lengths == 0] = 0
        return self.bare(y), {}, (shape, lengths, within, at)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        shape, lengths, within, at = self._use(tape)
        if not need_dx:
            return None, {}
        dx = np.zeros(shape, self.dtype)
        if dy is None or not shape[1]:
            return self.bare(dx), {}
        dy = np.where((lengths > 0)[:, None], self.led(dy), 0)[:, None]
        if self.how == "mean":
            share = dy / np.maximum(lengths, 1)[:, None].astype(self.dtype)
            dx[...] = share if within is None else np.where(within, share, 0)
        else:
            np.put_along_axis(dx, at, dy, axis=1)
        return self.bare(dx), {}


def _sum(x):
    """Over time, step by step: so the bits are the same whatever the other axes are."""
    total = np.zeros(x.shape[:1] + x.shape[2:], x.dtype)
    for t in range(x.shape[1]):
        total += x[:, t]
    return total
