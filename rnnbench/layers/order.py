"""The order that drivers work in: rows sorted by length (longest first), every row starting at step 0.

This is the one place that sorts, reverses, and puts results back.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnbench.kernels import memory
from rnnbench.layers import arguments
from rnnbench.layers.on_gpu import on_gpu_too


def order_of(steps, rows, lengths, reverse):
    """Return the :class:`Order` of a batch; that of rows without lengths is made once."""
    return Order(steps, rows, lengths, reverse) if lengths is not None else _even(steps, rows, reverse)


@lru_cache(maxsize=256)
def _even(steps, rows, reverse):
    order = Order(steps, rows, None, reverse)
    for shared in (order.rows, order.lengths, order.active):
        shared.flags.writeable = False
    return order


class Order:
    """Where each (step, row) of the processing order lies in the user's arrays.

    All arrays have a leading replica axis; the replicas share the order.

    Parameters
    ----------
    steps, rows : int
    lengths : (B,) ints or None
    reverse : bool
    """

    def __init__(self, steps, rows, lengths, reverse):
        if lengths is None:
            lengths, self.rows = np.full(rows, steps), np.arange(rows)
        else:
            lengths, self.rows = arguments.row_order(lengths, steps, rows)
        self.lengths = lengths[self.rows]
        self.active = (self.lengths > np.arange(steps)[:, None]).sum(axis=1)
        self.reverse = reverse
        self.in_place = bool((self.rows == np.arange(rows)).all())
        self.trivial = not reverse and self.in_place

    @on_gpu_too("put_mask")
    def put(self, values):
        """(R, T, B, ...) of the user's order into processing order; never mind what stands where a row has ended."""
        if self.trivial:
            return values
        out = memory.empty(values.shape, values.dtype)
        for here, there in self._pieces():
            out[:, *here] = values[:, *there]
        return out

    def put_mask(self, mask):
        """The same of (T, B, ...) booleans or numbers, False or 0 where a row has ended."""
        out = np.zeros_like(mask)
        for here, there in self._pieces():
            out[here] = mask[there]
        return out

    @on_gpu_too("back")
    def back(self, values):
        """(R, T, B, ...) of the processing order into the user's; 0 where a row has ended (there, too, in `values`)."""
        if self.trivial:
            return values
        out = memory.empty(values.shape, values.dtype)
        for here, there in self._pieces():
            out[:, *there] = values[:, *here]
        for there in self._padding():
            out[:, *there] = 0
        return out

    def _pieces(self):
        """Pairs of indices, processing order and user's: of the rows one by one, or the steps if these are fewer."""
        steps, rows = len(self.active), len(self.rows)
        if self.lengths.min(initial=steps) == steps:
            yield np.s_[:, :], np.s_[:: -1 if self.reverse else 1, :]
        elif rows <= steps:
            for i, (row, length) in enumerate(zip(self.rows, self.lengths, strict=True)):
                if length:
                    yield np.s_[:length, i], np.s_[length - 1 :: -1, row] if self.reverse else np.s_[:length, row]
        else:
            for t, count in enumerate(self.active):
                step = self.lengths[:count] - 1 - t if self.reverse else t
                yield np.s_[t, :count], (step, self.rows[:count])

    def _padding(self):
        """Indices, in the user's order, of what lies beyond the ends of the rows."""
        if len(self.rows) <= len(self.active):
            return [np.s_[length:, row] for row, length in zip(self.rows, self.lengths, strict=True)]
        return [np.s_[t, self.rows[count:]] for t, count in enumerate(self.active)]

    @on_gpu_too("last")
    def last(self, values):
        """(R, B, ...) in the user's order: each row's last step of (R, T, B, ...); 0 for a row of length 0."""
        out = np.zeros_like(values, shape=(len(values), *values.shape[2:]))
        ran = np.flatnonzero(self.lengths)
        out[:, self.rows[ran]] = values[:, self.lengths[ran] - 1, ran]
        return out

    @on_gpu_too("put_last")
    def put_last(self, values):
        """Inverse of `last`: (R, T, B, ...) in processing order, 0 but for each row's last step."""
        out = np.zeros((len(values), len(self.active), *values.shape[1:]), values.dtype)
        ran = np.flatnonzero(self.lengths)
        out[:, self.lengths[ran] - 1, ran] = values[:, self.rows[ran]]
        return out

    @on_gpu_too("put_rows")
    def put_rows(self, values):
        """(..., B, width) of the user's order into processing order."""
        return values if self.in_place else values[..., self.rows, :]

    @on_gpu_too("back_rows")
    def back_rows(self, values):
        """(..., B, width) of the processing order into the user's."""
        if self.in_place:
            return values
        out = np.empty_like(values)
        out[..., self.rows, :] = values
        return out
