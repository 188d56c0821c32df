"""How a call's work is split: blocks of batch rows, tasks for threads, teams where rows are few."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import memory, threads
from rnnbench.kernels.ragged import is_even

SMALL = 2_000_000  # floating-point operations of a call below which a second thread costs more than it brings
LARGE = 2**24  # bytes of weights that are better read once for all rows than once per thread
MEETINGS = 9  # column of a task in which a part of a team counts, see :func:`rnnbench.kernels.crew.meet`
SMALL_STEP = 500_000  # the same for a stage of one step, of a team: its threads wait for each other at each


class Split:
    """How a call's work is shared out, as its sizes, the ends of its rows and the number of threads have it.

    Attributes
    ----------
    active : (T,) int64 array
        Running rows at each step.
    address : int
        Of `active`.
    threads : int
        That the call may use.
    workers : int
        Threads that are worth their while for products over all steps and replicas.
    team : bool
        Whether a single block of all rows is walked by several threads.
    ragged : bool
        Whether some row ends early.
    blocks : list of (first, stop)
        Rows of the batch that walk together.
    most : int
        Rows of the largest of them.
    counts, all_counts : sets of int
        How many rows of a block, and of the whole batch, run at some step or other.
    """

    def __init__(self, sizes, active, count):
        self.active, self.address, self.threads = active, memory.address(active), count
        small = sizes.flops_per_step * int(active.sum()) * sizes.replicas < SMALL
        self.workers, self.team = 1 if small else count, is_team(sizes)
        self.ragged = not is_even(active, sizes.rows)
        self.blocks = blocks_of(sizes, active, count)
        self.counts, self.all_counts = running(active, self.blocks), running(active, [(0, sizes.rows)])
        self.most = max((stop - first for first, stop in self.blocks), default=0)
        self.key = count, *self.blocks


def split_of(sizes, active, count=None):
    """Return the :class:`Split` of a call; where no row ends early, that of an earlier call of these sizes."""
    count = threads.get_num_threads() if count is None else count
    if not is_even(active, sizes.rows):
        return Split(sizes, active, count)
    found = sizes.even.get(count)
    if found is None:
        found = sizes.even[count] = Split(sizes, np.full(len(active), sizes.rows, np.int64), count)
    return found


def is_team(sizes):
    """Whether a single block of all rows is best walked by several threads: few rows, or weights beyond any cache."""
    flops = sizes.flops_per_step
    fits = sizes.rows <= sizes.engine.most or flops // 2 * sizes.dtype.itemsize > LARGE
    return sizes.replicas == 1 and fits and sizes.rows * flops / len(sizes.layout.cell.stages) >= SMALL_STEP


def blocks_of(sizes, active, workers):
    """Cut the batch into blocks of rows with equally much to do: one per thread, or a few where lengths differ."""
    rows = sizes.rows
    if rows == 0:
        return []
    share = max(1, workers // sizes.replicas)
    one_tile = rows <= sizes.engine.most and share > 1  # with fewer rows, a step takes hardly less
    small = not sizes.steps or sizes.flops_per_step * int(active.sum()) < SMALL
    if workers == 1 or small or one_tile or is_team(sizes):
        return [(0, rows)]
    if is_even(active, rows):
        return list(pairwise(sorted({-(-rows * part // share) for part in range(share + 1)})))
    # A step of few rows takes longer than their part: whoever is done first takes the next block.
    share *= max(1, min(4, rows // (2 * sizes.engine.most * share)))
    lengths = np.searchsorted(-active, -np.arange(rows))
    done = np.cumsum(lengths)
    cuts = np.searchsorted(done * share, done[-1] * np.arange(1, share)) + 1
    return list(pairwise([0, *np.unique(cuts[cuts < rows]).tolist(), rows]))


def running(active, blocks):
    """Return how many rows of a block run at some step or other."""
    if not blocks or not len(active) or active[-1] >= blocks[-1][1]:
        return {stop - first for first, stop in blocks}
    steps = active[np.flatnonzero(np.diff(active, append=0))]  # the last of those of equally many rows
    return {int(n) for first, stop in blocks for n in np.minimum(steps, stop) - first if n > 0}


def want_tiles(sizes, counts, bands):
    """Have the tiles compiled that products of so many rows take, of which some are made together."""
    want = sizes.engine.tile_rows.want
    for rows in counts:
        for together in bands:
            want(rows, together)


def walk(function, sizes, program, split, scratch):
    """Walk each block in a thread; a single one is walked by a team of threads, each making some of the units."""
    if not split.blocks:
        return
    _, counter, alone, together = program.once(
        ("walk", split.key), lambda: _tasks(program, sizes.steps, split, scratch)
    )
    if together is None:
        threads.run(function, alone)
    else:  # a team counts its meetings, in the counter and each part in its own line
        counter[:] = 0
        together[:, MEETINGS] = 0
        threads.run(function, together, alone)


def _tasks(program, steps, split, scratch):
    """Room to work in, the counter of a team's meetings, a task per block, and if there is a team its parts' tasks."""
    parts, blocks = split.threads if split.team else 1, split.blocks
    per_task = -(-scratch // memory.ALIGNMENT) * memory.ALIGNMENT
    count = max(parts, len(blocks) * len(program.values))
    room, counter = memory.empty(per_task * count, np.uint8), memory.zeros(8, np.int64)
    start, meeting = memory.address(room), memory.address(counter)
    alone = program.tasks([(start, 0, steps, *block, 0, 1, meeting, 0, 0) for block in blocks])
    alone[:, 1] += per_task * np.arange(len(alone))
    if parts == 1:
        return room, counter, alone, None
    pause = threads.pause()
    lines = [(start + per_task * part, 0, steps, *blocks[0], part, parts, meeting, 0, pause) for part in range(parts)]
    return room, counter, alone, program.tasks(lines)
