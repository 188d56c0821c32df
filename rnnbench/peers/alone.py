"""The parts of a call by themselves: the LSTM of the same shape, the pointwise functions in cache, a copy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba.core import types

from rnnbench.contract import probe
from rnnbench.kernels import memory, pointwise, threads
from rnnbench.kernels.build import compile_function
from rnnbench.kernels.engine import engine
from rnnbench.peers import model, own
from rnnbench.peers.tasks import Job, Task

L1_BYTES = 16 * 1024  # of the first-level cache, for the operands of one call of a pointwise function


def prepare(task: Task) -> Job:
    """The job of one of `model.PARTS`, named by the task's variant."""
    threads.set_num_threads(task.threads)
    if task.variant == "lstm":
        lstm = model.lstm_of(task)
        return own.prepare(lstm, own.make_arrays(lstm, np.random.default_rng(0)))
    make = {"pointwise": _pointwise, "copy": _copy}[task.variant]
    return Job(make(task, own.make_layer(task).layout), lambda _: {})


def _copy(task, layout):
    """From one half to the other of a buffer as large as what the call keeps."""
    half = -(-model.kept(layout, task.training) * task.shape.T * task.shape.B // 2)
    source, target = np.ones(half, np.float32), np.ones(half, np.float32)
    cuts = [half * i // task.threads for i in range(task.threads + 1)]
    pieces = [(target[a:b], source[a:b]) for a, b in pairwise(cuts)]
    return lambda: threads.run(np.copyto, pieces)


def _pointwise(task, layout):
    """Every stage's functions, as often as the call's elements take; threads share them evenly."""
    repeat = compile_function(_repeat, types.void(*[types.int64] * 5))
    directions = (pointwise.FORWARD, pointwise.BACKWARD) if task.training else (pointwise.INFER,)
    pieces, buffers = [], []  # compiled code knows only the buffers' addresses
    for thread in range(task.threads):
        calls = []
        for stage, width in zip(layout.cell.stages, layout.stage_widths, strict=True):
            all_vectors = -(-width // engine("float32").lanes)
            for direction in directions:
                table, buffer, rows, vectors = operands(stage, direction, all_vectors, thread)
                buffers += [table, buffer]
                times = task.shape.T * task.shape.B * all_vectors / (task.threads * rows * vectors)
                function = pointwise.compiled(stage, types.float32, direction).address
                calls.append((function, memory.address(table), rows, vectors, max(1, round(times))))
        pieces.append((calls,))

    def run(calls):
        for given in calls:
            repeat(*given)

    def call():
        threads.run(run, pieces)
        return buffers

    return call


def operands(stage, direction, most_vectors, seed=0):
    """The table of a pointwise function, its buffer, and the rows and vectors of one call of it."""
    gates, reads, makes, units = (len(part) for part in (stage.gates, stage.reads, stage.makes, stage.parameters))
    saves = probe(stage)
    count = {
        pointwise.INFER: gates + reads + units + makes,
        pointwise.FORWARD: gates + reads + units + makes + saves,
        pointwise.BACKWARD: 2 * makes + 2 * reads + saves + 2 * units + gates,
    }[direction]
    rows, vector = engine("float32").most, engine("float32").lane_bytes
    vectors = max(1, min(most_vectors, L1_BYTES // (count * rows * vector)))
    buffer = memory.empty((count, rows, vectors * vector // 4), np.float32)
    buffer[...] = np.random.default_rng(seed).uniform(0.1, 0.9, buffer.shape)
    lines = [(memory.address(one), vectors * vector, vector) for one in buffer]
    return np.array(lines, np.int64), buffer, rows, vectors


def _repeat(function, table, rows, vectors, times):
    for _ in range(times):
        memory.call_stage(function, table, rows, vectors)
