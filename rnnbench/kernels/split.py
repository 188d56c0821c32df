"""How a call's work is split: blocks of batch rows, tasks for threads, teams where rows are few."""

from __future__ import annotations

import numpy as np

from rnnbench.kernels import memory, threads

SMALL = 2_000_000  # floating-point operations of a call below which a second thread costs more than it brings
LARGE = 2**24  # bytes of weights that are better read once for all rows than once per thread
SMALL_STEP = 150_000  # the same for a stage of one step, of a team: its threads wait for each other at each


def tasks_of(program, pieces):
    """One line per replica and piece: the address of the replica's program, then the piece.

    The caller keeps the program until the tasks are done.
    """
    lines = [
        (memory.address(program) + r * program.strides[0], *piece) for r in range(len(program)) for piece in pieces
    ]
    return np.array(lines, np.int64).reshape(len(lines), -1)


def is_team(sizes):
    """Whether a single block of all rows is best walked by several threads: few rows, or weights beyond any cache."""
    flops = sizes.layout.flops_per_step()
    fits = sizes.rows <= sizes.engine.most or flops // 2 * sizes.dtype.itemsize > LARGE
    return sizes.replicas == 1 and fits and sizes.rows * flops / len(sizes.layout.cell.stages) >= SMALL_STEP


def blocks_of(sizes, active):
    """Cut the batch into blocks of rows: one per thread, or more and smaller ones where lengths differ."""
    workers = threads.get_num_threads()
    if sizes.rows == 0:
        return []
    if workers == 1 or not sizes.steps or is_team(sizes) or sizes.layout.flops_per_step() * int(active.sum()) < SMALL:
        return [(0, sizes.rows)]
    share = max(1, workers // sizes.replicas)
    if active[-1] < sizes.rows:
        share = max(share, min(4 * workers, sizes.rows // sizes.engine.most))
    share = min(share, sizes.rows)
    return [(i * sizes.rows // share, (i + 1) * sizes.rows // share) for i in range(share)]


def walk(function, sizes, program, blocks, scratch):
    """Walk each block in a thread; a single one is walked by a team of threads, each making some of the units."""
    if not blocks:
        return
    parts = threads.get_num_threads() if is_team(sizes) else 1
    count = max(parts, len(blocks) * len(program))
    per_task = -(-scratch // memory.ALIGNMENT) * memory.ALIGNMENT
    room, counter = memory.empty(per_task * count, np.uint8), memory.zeros(8, np.int64)
    start, meeting = memory.address(room), memory.address(counter)
    alone = tasks_of(program, [(start, *block, 0, 1, meeting, 0, 0) for block in blocks])
    alone[:, 1] += per_task * np.arange(len(alone))
    together = None
    if parts > 1:
        pause = threads.pause()
        lines = [(start + per_task * part, *blocks[0], part, parts, meeting, 0, pause) for part in range(parts)]
        together = tasks_of(program, lines)
    threads.run(function, alone if together is None else together, alone)
