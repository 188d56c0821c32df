"""The CPU driver: any cell over a batch of sequences, forward and backward, on Numba kernels.

Same functions, arguments and results as :mod:`rnnbench.kernels.reference`. What follows from the shapes alone is
planned once and kept with the layout; a call makes the buffers, fills in their addresses and runs the compiled walks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rnnbench.kernels import memory, ragged, sweep, threads
from rnnbench.kernels.backward_plan import BackwardPlan
from rnnbench.kernels.forward_plan import ForwardPlan
from rnnbench.kernels.gradients import chunk_steps
from rnnbench.kernels.packing import Packing
from rnnbench.kernels.plan import Sizes
from rnnbench.kernels.products import products_ahead
from rnnbench.kernels.program import BEFORE, TRUNCATE
from rnnbench.kernels.reference import row_lengths
from rnnbench.kernels.split import Split, split_of, walk, want_tiles

PLANS = 128  # kept per layout


@dataclass
class Prepared:
    """Weights packed for the tiles, and where `packing.keep` says so for the backward pass too."""

    layout: Any
    dtype: np.dtype
    weights: dict
    packing: Packing
    packed: np.ndarray
    address: int
    whole: Prepared | None = None  # these weights packed for both passes, once that is needed

    def for_both(self):
        """The same weights packed for the backward pass too."""
        if self.packing.keep:
            return self
        if self.whole is None:
            replicas = self.packing.sizes.replicas
            self.whole = prepare(self.layout, self.weights, self.dtype, replicas, keep=True)
        return self.whole


@dataclass
class Tape:
    """What one forward pass leaves for BPTT; the arena's work lanes hold saved values, and da once used."""

    plan: ForwardPlan
    prepared: Prepared
    split: Split
    arena: np.ndarray
    x: np.ndarray
    masks: dict


def prepare(layout, weights, dtype, replicas=1, keep=False):
    """Pack the weights once for several forward passes, with `keep` for backward passes too; see `forward`."""
    weights = memory.Arrays.of(weights)
    packing = weights.plans.get(keep)
    if packing is None:
        apart = weights.apart
        key = "pack", dtype, replicas, tuple(apart.items()), keep
        packing = planned(layout, key, lambda: Packing(Sizes(layout, dtype, replicas, 0, 0), apart, keep))
        weights.plans[keep] = packing
    packed = memory.empty(packing.arena.size, np.uint8)
    address = memory.address(packed)
    addresses = {f"w {key}": start for key, start in weights.addresses.items()}
    program = packing.program.at(addresses | {"packed": address, "active": 0})
    pieces = min(packing.jobs, threads.get_num_threads()) if packing.arena.size > SMALL_PACK else 1
    threads.run(packing.engine.pack, program.once(pieces, lambda: _pieces(program, packing.jobs, pieces)))
    program.done()
    return Prepared(layout, np.dtype(dtype), weights, packing, packed, address)


def _pieces(program, jobs, pieces):
    cuts = [jobs * i // pieces for i in range(pieces + 1)]
    return program.tasks(list(pairwise(cuts)))


SMALL_PACK = 2**18  # bytes, up to which one thread packs


def planned(layout, key, make):
    """Return what was planned before for the same shapes, or plan it."""
    plans = layout.plans
    found = plans.get(key)
    if found is None:
        for oldest in list(plans)[: max(0, len(plans) - PLANS + 1)]:  # other threads may plan meanwhile
            plans.pop(oldest, None)
        found = plans[key] = make()
    return found


def forward(layout, weights, x, state, active, feed=None, keep=True):
    """Run a cell over a batch of sequences; see :func:`rnnbench.kernels.reference.forward`.

    `weights` may also be what `prepare` returned. With such, x may be symbols, (R, T, B) int64, in place of one-hot
    vectors, which gives the same bits; `backward` then needs ``need_dx=False``.
    """
    replicas, steps, rows = x.shape[:3]
    prepared = weights if isinstance(weights, Prepared) else prepare(layout, weights, x.dtype, replicas, keep)
    prepared, feed = prepared.for_both() if keep else prepared, feed or {}
    sizes, split, plan = _found(layout, prepared, x, active, tuple(feed), keep)
    x, masks = _with_room(sizes, x, split, keep), _masks(feed, split.active, rows)
    memory.require(plan.arena.size, f"x: the tape of its {steps} steps of {replicas * rows} rows" if keep else "x")
    arena = memory.empty(plan.arena.size, np.uint8)
    _fill(plan, arena, state, feed, masks)
    y = memory.empty((replicas, steps, rows, layout.widths[layout.cell.output]), prepared.dtype)
    if split.ragged:
        ragged.clear_padding(y, split.active)
    addresses = {
        "active": split.address, "arena": memory.address(arena), "packed": prepared.address,
        "x": memory.address(x), "y": memory.address(y),
    }  # fmt: skip
    for name, mask in masks.items():
        addresses[f"mask {name}"] = memory.address(mask)
    program = plan.program.at(addresses)
    if plan.ahead:
        products_ahead(sizes, program, split)
    walk(sizes.engine.forward, sizes, program, split, plan.scratch)
    program.done()
    final = _final(plan, arena, split)
    return y, final, Tape(plan, prepared, split, arena, x, masks) if keep else None


def _found(layout, prepared, x, active, fed, keep):
    """The sizes of a call, how it is split, and its plan; looked up at once where no row ends early."""
    dtype, shape, count = prepared.dtype, x.shape[:3], threads.get_num_threads()
    key = prepared.packing, shape, x.ndim, keep, fed, count
    found = layout.plans.get(key) if ragged.is_even(active, shape[2]) else None
    if found:
        return found
    sizes = planned(layout, (dtype, *shape, x.ndim == 3), lambda: Sizes(layout, dtype, *shape, x.ndim == 3))
    split = split_of(sizes, np.ascontiguousarray(active, np.int64), count)
    few = 2 * split.most <= sizes.engine.most and sizes.steps > 1  # half a tile: steps fill it, which rows do not
    words = "forward", prepared.packing, sizes, keep, fed, few
    plan = planned(layout, words, lambda: ForwardPlan(sizes, prepared.packing, keep, fed, few))
    want_tiles(sizes, split.counts, plan.bands)
    made = sizes, split, plan
    return made if split.ragged else planned(layout, key, lambda: made)


def backward(tape, dy, dstate, truncate=None, before=0, need_dx=True, grads=None):
    """Back-propagation through time; see :func:`rnnbench.kernels.reference.backward`. Uses the tape up."""
    plan, prepared, sizes = tape.plan, tape.prepared, tape.plan.sizes
    layout, dy = sizes.layout, np.ascontiguousarray(dy)
    if grads is None:
        grads = {key: np.zeros_like(value) for key, value in prepared.weights.items()}
    grads = memory.Arrays.of(grads)
    back = plan.backward
    if back is None or back.apart != grads.apart:
        back = plan.backward = BackwardPlan(plan, grads.apart, chunk_steps(sizes.rows))
    flow = memory.zeros(back.arena.size, np.uint8)
    for name, value in dstate.items():
        if name in back.final:
            back.final[name].of(flow)[..., : layout.widths[name]] = value
    addresses = {
        "arena": memory.address(tape.arena), "flow": memory.address(flow), "packed": prepared.address,
        "x": memory.address(tape.x), "dy": memory.address(dy),
    }  # fmt: skip
    for name, mask in tape.masks.items():
        addresses[f"mask {name}"] = memory.address(mask)
    header = {TRUNCATE: truncate, BEFORE: before} if truncate else None
    dx = sweep.backward(back, addresses, split_of(sizes, tape.split.active), grads, need_dx, header)
    initial = {}
    for name in layout.states:
        if name in back.initial:
            initial[name] = back.initial[name].of(flow).copy()
        else:
            shape = sizes.replicas, layout.lags[name], sizes.rows, layout.widths[name]
            initial[name] = np.zeros(shape, sizes.dtype)
    return dx, initial, grads


def _with_room(sizes, x, split, keep):
    """The input, copied if a tape is kept (it may be edited before the backward pass) or if rows need some room."""
    if x.ndim == 3:
        return np.array(x) if keep else np.ascontiguousarray(x)
    width = x.shape[3]
    if not keep and sizes.row(width) == width:
        return np.ascontiguousarray(x)
    out = memory.empty((*x.shape[:3], sizes.row(width)), x.dtype)
    if split.ragged:
        ragged.copy(out[..., :width], x, split.active)
    else:
        out[..., :width] = x
    return out


def _masks(feed, active, rows):
    """Flags of the rows that are fed *and* running, per step."""
    if not feed:
        return {}
    there = np.arange(rows) < active[:, None]
    return {name: np.ascontiguousarray(mask & there).view(np.uint8) for name, (_, mask) in feed.items()}


def _fill(plan, arena, state, feed, masks):
    """Write what the walk reads before it has made anything: initial states, padding, fed values."""
    for name, (padded, own) in plan.starts.items():
        for place in padded:
            place.of(arena)[...] = 0
        if name in state:
            for place in own:
                place.of(arena)[...] = state[name]
    for name, (values, _) in feed.items():
        lane, width = plan.read[name], plan.sizes.layout.widths[name]
        t, b = np.nonzero(masks[name])
        lane.of(arena)[:, t + lane.lag - 1, b, :width] = values[:, t, b]


def _final(plan, arena, split):
    """By state, the last values of each row's own sequence, as many as the state's lag, (R, lag, B, width)."""
    found, layout, (rows, steps) = {}, plan.sizes.layout, (plan.sizes.rows, plan.sizes.steps)
    for name in layout.states:
        lane, width = plan.read[name], layout.widths[name]
        if split.ragged:
            row = row_lengths(split.active, rows) + np.arange(lane.lag)[:, None]
            found[name] = np.ascontiguousarray(lane.of(arena)[:, row % lane.ring, np.arange(rows), :width])
        elif name in plan.ends:
            found[name] = plan.ends[name].of(arena).copy()
        else:
            last = np.arange(steps, steps + lane.lag) % lane.ring
            found[name] = np.ascontiguousarray(lane.of(arena)[:, last, :, :width])
    return found
