"""The reference driver: NumPy, no JIT, any of float32, float64 and complex128. Slow, short and obvious.

Arrays carry a leading replica axis R. Rows are in processing order: sorted by length, longest first, so that the
rows still running at step t are the first ``active[t]``. A vector v that is carried `lag` steps lives in a lane of T +
lag rows, of which the first `lag` are its past, oldest first; the row of step t is ``t + lag``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rnnbench.contract import INPUT, parse
from rnnbench.layout import Layout


@dataclass
class Tape:
    """What one forward pass leaves for BPTT."""

    layout: Layout
    weights: dict
    x: np.ndarray
    active: np.ndarray
    feed: dict
    made: dict
    read: dict
    saved: list = field(default_factory=list)


def prepare(layout, weights, dtype, replicas=1):
    """Take a copy of the weights, to be used for several forward passes."""
    return {key: value.copy() for key, value in weights.items()}


def forward(layout, weights, x, state, active, feed=None, keep=True):
    """Run a cell over a batch of sequences.

    Parameters
    ----------
    layout : Layout
    weights : dict of arrays
        Stacked matrices (R, rows, columns) by key, optionally ``"bias"`` (R, rows), unit parameters (R, width).
    x : (R, T, B, I) array
    state : dict of (R, lag, B, width) arrays
        A state that is not in it starts at 0.
    active : (T,) int array
        Running rows at each step, not increasing.
    feed : dict of (values (R, T, B, width), mask (T, B)), optional
        At step t, what is read as a state's previous value is ``values[:, t]`` where the mask is true.
    keep : bool
        Whether to return a tape.

    Returns
    -------
    y : (R, T, B, width) array
        The output vector; 0 where a row has ended.
    final : dict of (R, lag, B, width) arrays
        Each row's state at its own end.
    tape : Tape or None
    """
    cell, feed = layout.cell, feed or {}
    replicas, steps, rows = x.shape[:3]
    made = {}
    for name, lag in layout.lags.items():
        made[name] = np.zeros((replicas, steps + lag, rows, layout.widths[name]), x.dtype)
        if name in state:
            made[name][:, :lag] = state[name]
    read = {name: lane.copy() if name in feed else lane for name, lane in made.items()}
    if keep:  # parameters may be edited before the backward pass
        weights = {key: value.copy() for key, value in weights.items()}
        feed = {name: (values, mask.copy()) for name, (values, mask) in feed.items()}
    tape = Tape(layout, weights, x.copy() if keep else x, active, feed, made, read)
    for t in range(steps):
        n = active[t]
        for name, (values, mask) in feed.items():
            fed = np.flatnonzero(mask[t, :n])
            read[name][:, t + layout.lags[name] - 1, fed] = values[:, t, fed]
        for number, stage in enumerate(cell.stages):
            a = tuple(_gate(layout, weights, gate, tape, t, n) for gate in stage.gates)
            reads = _reads(layout, stage, tape, t, n)
            makes, saved = stage.forward(a, reads, _parameters(stage, weights))
            for name, value in zip(stage.makes, makes, strict=True):
                made[name][:, t + layout.lags[name], :n] = value
                if name in feed:
                    read[name][:, t + layout.lags[name], :n] = value
            if keep:
                tape.saved.append((t, number, saved))
    final = {name: gather_final(read[name], layout.lags[name], active) for name in layout.states}
    y = made[cell.output][:, layout.lags[cell.output] :].copy()
    return y, final, tape if keep else None


def chunk_steps(rows):
    """Return the steps that a checkpointed stretch has to be a multiple of."""
    return 1


def backward(tape, dy, dstate, truncate=None, before=0, need_dx=True, grads=None):
    """Back-propagation through time of one forward pass.

    Parameters
    ----------
    tape : Tape
    dy : (R, T, B, width) array
        Gradient by the output; ignored where a row has ended.
    dstate : dict of (R, lag, B, width) arrays
        Gradient by the final state; 0 for a state that is not in it.
    truncate : int, optional
        Cut every gradient path between steps ``t - 1`` and ``t`` where t is a multiple of it.
    before : int
        Steps that came before this pass, for `truncate`.
    need_dx : bool
    grads : dict of arrays, optional
        Gradients of later steps, to be added to.

    Returns
    -------
    dx : (R, T, B, I) array, or None
    dstate : dict of (R, lag, B, width) arrays
        Gradient by the initial state.
    grads : dict of arrays
        Gradients with the keys and shapes of the weights given to the forward pass; 0 for what is not trained.
    """
    layout, weights = tape.layout, tape.weights
    cell, smooth = layout.cell, layout.cell.differentiable
    steps, rows = tape.x.shape[1:3]
    d = {name: np.zeros_like(lane) for name, lane in tape.made.items()}
    lengths = row_lengths(tape.active, rows)
    for name, value in dstate.items():
        for row, length in enumerate(lengths):
            d[name][:, length : length + layout.lags[name], row] += value[:, :, row]
    dx = np.zeros_like(tape.x)
    if grads is None:
        grads = {key: np.zeros_like(value) for key, value in weights.items()}
    saved = {(t, number): values for t, number, values in tape.saved}
    for t in reversed(range(steps)):
        n = tape.active[t]
        if t + 1 < steps:
            _cut_fed(tape, d, t + 1)
        d[cell.output][:, t + layout.lags[cell.output], :n] += dy[:, t, :n]
        for number, stage in reversed(list(enumerate(cell.stages))):
            at = {name: (slice(None), t + layout.lags[name], slice(0, n)) for name in stage.makes}
            da, dreads, dp = stage.backward(
                tuple(d[m][at[m]] * smooth[m] for m in stage.makes),
                _reads(layout, stage, tape, t, n),
                tuple(tape.made[m][at[m]] for m in stage.makes),
                saved[t, number],
                _parameters(stage, weights),
            )
            for source, value in zip(stage.reads, dreads, strict=True):
                name, lag = parse(source)
                d[name][:, t + layout.lags[name] - lag, :n] += value
            for name, value in zip(stage.parameters, dp, strict=True):
                if name in layout.trained_parameters[number]:
                    grads[name] += value.sum(axis=1)
            for gate, value in zip(stage.gates, da, strict=True):
                _gate_backward(layout, weights, gate, value, tape, t, n, d, dx, grads)
        if truncate and (before + t) % truncate == 0 and before + t > 0:
            for name, lane in d.items():
                lane[:, : t + layout.lags[name], :n] = 0
    if steps:
        _cut_fed(tape, d, 0)
    initial = {name: d[name][:, : layout.lags[name]] * smooth[name] for name in layout.states}
    return dx if need_dx else None, initial, grads


def row_lengths(active, rows):
    """Return each row's length, given how many rows run at each step."""
    return (np.asarray(active)[:, None] > np.arange(rows)).sum(axis=0)


def gather_final(lane, lag, active):
    """Return the last `lag` rows of each batch row's own sequence, shape (R, lag, B, width)."""
    lengths = row_lengths(active, lane.shape[2])
    return lane[:, lengths + np.arange(lag)[:, None], np.arange(lane.shape[2])]


def _cut_fed(tape, d, t):
    """What was fed to step t is a constant: no gradient reaches the value it replaced."""
    for name, (_, mask) in tape.feed.items():
        fed = np.flatnonzero(mask[t, : tape.active[t]])
        d[name][:, t + tape.layout.lags[name] - 1, fed] = 0


def _source(layout, source, tape, t, n):
    name, lag = parse(source)
    if name == INPUT:
        return tape.x[:, t, :n]
    lane = tape.made if lag == 0 else tape.read
    return lane[name][:, t + layout.lags[name] - lag, :n]


def _reads(layout, stage, tape, t, n):
    return tuple(_source(layout, source, tape, t, n) for source in stage.reads)


def _parameters(stage, weights):
    return tuple(weights[name][:, None, :] for name in stage.parameters)


def _gate(layout, weights, gate, tape, t, n):
    replicas = tape.x.shape[0]
    a = np.zeros((replicas, n, layout.gate_widths[gate.name]), tape.x.dtype)
    if gate.name in layout.bias_rows and "bias" in weights:
        start, stop = layout.bias_rows[gate.name]
        a += weights["bias"][:, None, start:stop]
    for source in gate.sources:
        block = layout.blocks[gate.name, source]
        w = weights[block.key][:, block.start : block.stop]
        a += _source(layout, source, tape, t, n) @ w.transpose(0, 2, 1)
    return a


def _gate_backward(layout, weights, gate, da, tape, t, n, d, dx, grads):
    if gate.name in layout.bias_rows and "bias" in weights:
        start, stop = layout.bias_rows[gate.name]
        grads["bias"][:, start:stop] += da.sum(axis=1)
    for source in gate.sources:
        block = layout.blocks[gate.name, source]
        w = weights[block.key][:, block.start : block.stop]
        grads[block.key][:, block.start : block.stop] += da.transpose(0, 2, 1) @ _source(layout, source, tape, t, n)
        name, lag = parse(source)
        if name == INPUT:
            dx[:, t, :n] += da @ w
        else:
            d[name][:, t + layout.lags[name] - lag, :n] += da @ w
