"""Batches for all replicas: each draws from a generator of its own, several steps' worth at a time.

A generator's call costs as much for one short batch as for many, so the sequences of several steps are drawn together.
What a replica gets depends on its own generator alone, not on the replicas beside it. Rows of several lengths are
sorted, longest first; where replicas differ in their lengths a row runs as long as the longest of its place, and the
mask keeps what follows a row's own end out of the loss. So its gradient is the same: to the bit if the batch has as
many steps as it has alone, and to rounding in the tasks whose T is drawn (Reber's strings, programs, translations), for
BLAS adds a dense layer's products up in an order that depends on how many rows there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rnnbench.kernels import memory
from rnnbench.layers import arguments
from rnnbench.tasks import Batch, Task

MOST_STEPS = 64  # drawn together
ENOUGH = 2**14  # sequence elements, from which drawing more at once saves nothing


class Fed(NamedTuple):
    """A batch for all replicas.

    Attributes
    ----------
    x : (R, T, B, channels) or (R, T, B) array
    target : (R, T, B, outputs) or (R, T, B) array
    mask : (R, T, B) bool array
    lengths : (B,) ints or None
        How long the rows run: the longest of each place.
    own : (R, B) ints or None
        How long they are.
    """

    x: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray | None
    own: np.ndarray | None

    @property
    def uneven(self) -> bool:
        """Whether some row runs beyond its own end."""
        return self.own is not None and bool((self.own != self.lengths).any())

    def window(self, start: int, stop: int) -> Fed:
        """Return the steps from `start` to before `stop`."""
        lengths, own = (
            None if known is None else np.clip(known - start, 0, stop - start) for known in (self.lengths, self.own)
        )
        cut = np.s_[:, start:stop]
        return Fed(*(np.ascontiguousarray(a[cut]) for a in (self.x, self.target, self.mask)), lengths, own)

    def scored(self, at_end: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return target and mask; those of every row's last step for a network that answers once.

        Raises
        ------
        ValueError
            If the task asks for more than such a network gives.
        """
        if not at_end:
            return self.target, self.mask
        target, mask = self.at_end()
        if (asked := np.count_nonzero(self.mask)) > (given := np.count_nonzero(mask)):
            raise ValueError(
                f"network: it answers once a sequence, but the task scores {asked / max(given, 1):.3g} times as many "
                'positions, expected an answer at every step, such as readout="every" gives'
            )
        return target, mask

    def at_end(self) -> tuple[np.ndarray, np.ndarray]:
        """Return target and mask of every row's last step."""
        if self.own is None:
            return np.ascontiguousarray(self.target[:, -1]), np.ascontiguousarray(self.mask[:, -1])
        replicas, rows = self.own.shape
        where = np.arange(replicas)[:, None], np.maximum(self.own - 1, 0), np.arange(rows)
        return self.target[where], self.mask[where]


class Feed:
    """An endless sequence of batches.

    Parameters
    ----------
    task : Task
    rngs : list of numpy.random.Generator
        One for each replica.
    size : int
        B, sequences of a batch.
    dtype : numpy.dtype
        Of x and of targets that are no classes.
    length : int, optional
        As the task counts it; its own unless given.
    curriculum : Curriculum, optional
    """

    def __init__(self, task: Task, rngs, size: int, dtype, *, length=None, curriculum=None):
        self.task, self.rngs, self.size, self.dtype = task, list(rngs), size, dtype
        self.length, self.curriculum = task.length if length is None else length, curriculum
        if curriculum is not None:
            curriculum.check(task)
        hardest, longest = curriculum.at(len(curriculum.levels) - 1, task) if curriculum else (task, self.length)
        steps = len(hardest.batch(np.random.default_rng(0), 1, longest).x)
        self.shortest = steps if curriculum else 0  # easier sequences are padded, so that all batches are alike
        self.together = max(1, min(MOST_STEPS, ENOUGH // (steps * size)))
        self.chunk, self.place, self.before = None, self.together, None

    def next(self, reached=None) -> Fed:
        """Return the next batch; `reached` (R,) is the level of each replica, for what is drawn from now on."""
        if self.place == self.together:
            self.before = {"generators": self._states(), "reached": None if reached is None else reached.tolist()}
            self.chunk, self.place = self._draw(reached), 0
        fed = Fed(*[None if a is None else a[self.place] for a in self.chunk])
        self.place += 1
        return fed

    def state(self, again=False) -> dict:
        """Return where it is, as JSON types; with `again` the batch that was taken last is to come once more."""
        if self.place == self.together and not again:
            return {"generators": self._states(), "reached": None, "place": self.place}
        return self.before | {"place": self.place - again}

    def restore(self, state: dict) -> None:
        """Go on from where :meth:`state` was: what was drawn is drawn again."""
        for rng, one in zip(self.rngs, state["generators"], strict=True):
            rng.bit_generator.state = one
        self.place = state["place"]
        if self.place < self.together:
            self.before = {key: state[key] for key in ("generators", "reached")}
            self.chunk = self._draw(state["reached"])

    def _states(self):
        return [rng.bit_generator.state for rng in self.rngs]

    def _draw(self, reached):
        count = self.together * self.size
        if self.curriculum:
            levels = [self.curriculum.draw(rng, level, count) for rng, level in zip(self.rngs, reached, strict=True)]
            drawn = [self._mixed(rng, each) for rng, each in zip(self.rngs, levels, strict=True)]
        else:
            drawn = [self.task.batch(rng, count, self.length) for rng in self.rngs]
        return joined(drawn, self.together, self.dtype, self.shortest)

    def _mixed(self, rng, levels):
        """One batch of sequences at these levels."""
        parts = []
        for level in np.unique(levels):
            task, length = self.curriculum.at(level, self.task)
            parts.append((np.flatnonzero(levels == level), task.batch(rng, np.count_nonzero(levels == level), length)))
        steps = max(len(batch.x) for _, batch in parts)
        arrays = [
            np.zeros((steps, len(levels), *value.shape[2:]), value.dtype)
            for value in (parts[0][1].x, parts[0][1].target, parts[0][1].mask)
        ]
        lengths = np.empty(len(levels), np.int64)
        for rows, batch in parts:
            for array, value in zip(arrays, (batch.x, batch.target, batch.mask), strict=True):
                array[: len(value), rows] = value
            lengths[rows] = len(batch.x) if batch.lengths is None else batch.lengths
        return Batch(*arrays, lengths)


def longest_first(batch: Batch) -> Batch:
    """Return the batch with its rows sorted by length."""
    if batch.lengths is None:
        return batch
    [order] = _by_length(batch.lengths, 1)
    known = {name: value for name, value in vars(batch).items() if value is not None}
    return replace(batch, **{k: np.take(v, order, axis=0 if k == "lengths" else 1) for k, v in known.items()})


def joined(drawn: list[Batch], groups: int, dtype, shortest: int = 0):
    """Return x, target, mask (groups, R, T, B, ...), and lengths (groups, B) and (groups, R, B) or None and None.

    Rows that have lengths are sorted, longest first, within each of so many groups of equally many rows.
    """
    steps = max(shortest, *(len(batch.x) for batch in drawn))
    orders = [None if batch.lengths is None else _by_length(batch.lengths, groups) for batch in drawn]
    arrays = [
        _stack([getattr(b, name) for b in drawn], orders, groups, steps, dtype) for name in ("x", "target", "mask")
    ]
    if all(batch.lengths is None and len(batch.x) == steps for batch in drawn):
        return *arrays, None, None
    own = [
        np.full((groups, batch.x.shape[1] // groups), len(batch.x)) if order is None else batch.lengths[order]
        for batch, order in zip(drawn, orders, strict=True)
    ]
    own = np.stack(own, axis=1)
    return *arrays, own.max(axis=1), own


def _by_length(lengths, groups):
    """Numbers of the rows, longest first within each group: (groups, B)."""
    order = np.argsort(-lengths.reshape(groups, -1), axis=1, kind="stable")
    return order + order.shape[1] * np.arange(groups)[:, None]


def _stack(values, orders, groups, steps, dtype):
    """(T, groups B, ...) of every replica as one (groups, R, T, B, ...) array, of `dtype` if they are floats."""
    first = values[0]
    kind = dtype if np.issubdtype(first.dtype, np.floating) else first.dtype
    even = all(len(value) == steps for value in values)
    shape = groups, len(values), steps, first.shape[1] // groups, *first.shape[2:]
    out = (memory.empty if even else memory.zeros)(shape, kind)
    for r, (value, order) in enumerate(zip(values, orders, strict=True)):
        arguments.unmasked("batch of the task", value)
        if order is not None:  # take copies a row's channels as one piece, which value[:, order] does not
            value = np.take(value, order, axis=1)
        out[:, r, : len(value)] = value.reshape(len(value), *shape[:1], *shape[3:]).swapaxes(0, 1)
    return out
