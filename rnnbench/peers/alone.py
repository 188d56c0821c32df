"""The parts of a call by themselves: the LSTM of the same shape, the pointwise functions in cache, a copy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba.core import types

from rnnbench.contract import probe
from rnnbench.kernels import memory, pointwise, threads
from rnnbench.kernels.emit import compile_task
from rnnbench.kernels.engine import engine
from rnnbench.kernels.raw import call_stage, copy_bytes
from rnnbench.kernels.table import numbers
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
    pieces = [(memory.address(target[a:]), memory.address(source[a:]), 4 * (b - a)) for a, b in pairwise(cuts) if b > a]
    tasks = np.array(pieces, np.int64)

    def call():
        threads.run(compiled(_move), tasks)
        return target, source

    return call


def compiled(function):
    """Address of a function of a task."""
    return compile_task(function, types.float32).address


def _move(build, task):
    line = numbers(task)
    copy_bytes(line[0], line[1], line[2])


def _pointwise(task, layout):
    """Every stage's functions, as often as the call's elements take; threads share them evenly."""
    directions = (pointwise.FORWARD, pointwise.BACKWARD) if task.training else (pointwise.INFER,)
    pieces, buffers = [], []  # kept: compiled code knows only their addresses
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
        pieces.append(np.array(calls, np.int64))

    def call():
        threads.run(compiled(_repeat), np.array([(memory.address(piece), len(piece)) for piece in pieces], np.int64))
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


def _repeat(build, task):
    mine = numbers(task)
    for i in range(mine[1]):
        call = numbers(mine[0] + i * 40)
        for _ in range(call[4]):
            call_stage(call[0], call[1], call[2], call[3])
