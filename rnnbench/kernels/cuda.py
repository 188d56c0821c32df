"""The CUDA driver: any cell over a batch of sequences, forward and backward, on one GPU.

Same functions, arguments and results as :mod:`rnnbench.kernels.reference`. Two kinds of kernels walk through time, see
:mod:`rnnbench.kernels.cuda_write` (a block owns batch rows) and :mod:`rnnbench.kernels.cuda_persistent_write` (a block
owns units, with their weights on the chip); they use and leave the same memory, and either may follow the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench.kernels import cuda_common, cuda_plan, cuda_walk
from rnnbench.kernels import cuda_host as gpu
from rnnbench.kernels.cuda_arrays import cleared, over
from rnnbench.kernels.cuda_plan import Sizes
from rnnbench.kernels.cuda_products import chunk_steps, input_gradients, input_products, weight_gradients
from rnnbench.kernels.reference import row_lengths

__all__ = ["backward", "chunk_steps", "forward", "prepare"]


@dataclass
class Prepared:
    """Weights in device memory, packed for the forward walk; as they were then, also for the backward one."""

    layout: Any
    weights: dict
    packed: Any
    entries: dict
    back: Any = None
    back_entries: dict | None = None
    driver: str = "auto"
    precision: str = "ieee"


@dataclass
class Tape:
    """What one forward pass leaves for BPTT, all in device memory."""

    prepared: Prepared
    sizes: Sizes
    dtype: np.dtype
    entries: dict
    active: Any
    lengths: Any
    masks: Any
    x: Any
    arena: Any
    give: Any  # how results are returned: copied to the host, or left where they are

    def ring(self, kind, name):
        """Address and length of a vector's lane."""
        return self.entries[f"{kind} {name}"], self.entries[f"{kind} ring {name}"]


def prepare(layout, weights, dtype, replicas=1, driver="auto", precision="ieee"):
    """Bring the weights to the device, to be used for several forward passes; driver and precision are the layer's."""
    dtype = np.dtype(dtype)
    weights = {key: np.array(value) for key, value in weights.items()}
    packed, entries = cuda_plan.pack(layout, weights, replicas, dtype, transposed=True)
    return Prepared(layout, weights, gpu.upload(packed), entries, driver=driver, precision=precision)


def forward(layout, weights, x, state, active, feed=None, keep=True):
    """Run a cell over a batch of sequences; see :func:`rnnbench.kernels.reference.forward`.

    `weights` may also be what `prepare` returned. Arrays may lie on the GPU; if `x` does, so do the results of this
    call and of its backward pass, but for the gradients by the weights.
    """
    sizes, dtype, feed = Sizes(*x.shape[:3]), x.dtype, feed or {}
    prepared = weights if isinstance(weights, Prepared) else prepare(layout, weights, dtype, sizes.replicas)
    if keep and prepared.back is None:
        back, prepared.back_entries = cuda_plan.pack(layout, prepared.weights, sizes.replicas, dtype, transposed=False)
        prepared.back = gpu.upload(back)
    wanted = sizes, dtype, prepared.driver, prepared.precision
    walk = cuda_walk.choose(layout, "forward", *wanted)
    if keep:
        cuda_walk.choose(layout, "backward", *wanted)  # to refuse it before anything has run
    arena_plan = cuda_plan.Arena(layout, sizes, keep, tuple(feed), apart=walk.persistent)
    masks, fed = cuda_plan.masks(feed, active, sizes.rows)
    entries = {"steps": sizes.steps, "rows": sizes.rows, "keep": int(keep)} | arena_plan.entries
    entries |= cuda_plan.widths(layout) | {f"feed {name}": fed.get(name, -1) for name in layout.states}
    active = np.array(active, np.int64)
    give = gpu.leave if gpu.on_device(x) else gpu.download
    lengths = gpu.upload(row_lengths(active, sizes.rows))
    tape = Tape(
        prepared, sizes, dtype, entries, gpu.upload(active), lengths, gpu.upload(masks), gpu.upload(x),
        gpu.empty(arena_plan.size, dtype), give,
    )  # fmt: skip
    _start(tape, state, feed, fed)
    shape = (sizes.replicas, sizes.steps, sizes.rows, layout.widths[layout.cell.output])
    y = cleared(np.prod(shape), dtype)
    if sizes.steps and sizes.rows:
        inputs, entries = _inputs(tape) if walk.persistent else (tape.x, {})
        given = tape.active, tape.masks, prepared.packed, inputs, tape.arena, y
        walk.run(tape.entries | prepared.entries | entries, *given)
    final = {name: _take(tape, tape.arena, "read", name, tape.lengths) for name in layout.states}
    return tape.give(y, shape), final, tape if keep else None


def backward(tape, dy, dstate, truncate=None, before=0, need_dx=True, grads=None):
    """Back-propagation through time; see :func:`rnnbench.kernels.reference.backward`. Uses the tape up."""
    sizes, prepared = tape.sizes, tape.prepared
    layout, smooth = prepared.layout, prepared.layout.cell.differentiable
    rings, size = cuda_plan.flow(layout, sizes)
    tape.entries |= rings | {"truncate": truncate or 0, "before": before}
    flow = cleared(size, tape.dtype)
    for name, value in dstate.items():
        if smooth[name]:
            _put(tape, flow, "flow", name, value, tape.lengths)
    if grads is None:
        grads = {key: np.zeros_like(value) for key, value in prepared.weights.items()}
    dx = cleared(sizes.replicas * sizes.steps * sizes.rows * layout.input_size, tape.dtype) if need_dx else None
    if sizes.steps and sizes.rows:
        walk = cuda_walk.choose(layout, "backward", sizes, tape.dtype, prepared.driver, prepared.precision)
        given = tape.active, tape.masks, prepared.back, tape.arena, flow, gpu.upload(dy)
        walk.run(tape.entries | prepared.back_entries, *given)
        grads = weight_gradients(tape, grads)
        if need_dx and layout.input_size:
            input_gradients(tape, dx)
    start = gpu.upload(np.zeros(sizes.rows, np.int64))
    initial = {name: _take(tape, flow, "flow", name, start) for name in layout.states}
    shape = (sizes.replicas, sizes.steps, sizes.rows, layout.input_size)
    return tape.give(dx, shape) if need_dx else None, initial, grads


def _inputs(tape):
    """The input's products of all steps, and where each gate's lie."""
    entries, size = cuda_plan.ahead(tape.prepared.layout, tape.sizes)
    products = cleared(size, tape.dtype)
    input_products(tape, products, entries)
    return products, entries


def _start(tape, state, feed, fed):
    """Write what the walk reads before it has made anything: initial states and fed values."""
    layout, sizes = tape.prepared.layout, tape.sizes
    start = gpu.upload(np.zeros(sizes.rows, np.int64))
    for name in layout.states:
        nothing = sizes.replicas, layout.lags[name], sizes.rows, layout.widths[name]
        first = state[name] if name in state else np.zeros(nothing, tape.dtype)
        _put(tape, tape.arena, "made", name, first, start)
        if name in feed:
            _put(tape, tape.arena, "read", name, first, start)
            values, width = feed[name][0], layout.widths[name]
            if values.size:
                gpu.launch(
                    cuda_common.put_fed, *over(values.size),
                    tape.arena, *tape.ring("read", name), gpu.upload(values), sizes.steps, sizes.rows, width,
                    layout.lags[name] - 1, tape.masks, fed[name],
                )  # fmt: skip


def _put(tape, lanes, kind, name, values, ends):
    layout = tape.prepared.layout
    if values.size:
        given = gpu.upload(values), layout.lags[name], tape.sizes.rows, layout.widths[name], ends
        gpu.launch(cuda_common.put, *over(values.size), lanes, *tape.ring(kind, name), *given)


def _take(tape, lanes, kind, name, ends):
    layout, sizes = tape.prepared.layout, tape.sizes
    shape = (sizes.replicas, layout.lags[name], sizes.rows, layout.widths[name])
    out = gpu.empty(np.prod(shape), tape.dtype)
    if sizes.rows:
        given = out, layout.lags[name], sizes.rows, layout.widths[name], ends
        gpu.launch(cuda_common.take, *over(out.size), lanes, *tape.ring(kind, name), *given)
    return tape.give(out, shape)
