"""The way back: BPTT and the products that follow it, stretch by stretch of time, while da is still in the caches.

A stretch is walked backward; then its part is added to the gradients by the weights, and its dx is made. Over all steps
at once, every product would read da from memory again. Stretches are whole chunks of :mod:`rnnbench.kernels.gradients`,
last first, so no bit depends on how long they are.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnbench.kernels import flat, gradients, memory, ragged, symbols, threads
from rnnbench.kernels.crew import call_task, meet
from rnnbench.kernels.raw import larger, put_number
from rnnbench.kernels.split import MEETINGS, walk, want_tiles
from rnnbench.kernels.table import numbers
from rnnbench.kernels.tile import PARTS_BYTES

STRETCH_BYTES = 512 * 1024  # of da, which stay in the second-level cache
TASK_MEETINGS = 8  # column of a task in which a part counts, see :func:`rnnbench.kernels.crew.meet`


def stretches(build, task):
    """Do a part's jobs for each stretch of time, last first.

    `task` is the address of a line: address of the jobs, how many of them walk and how many there are, steps, steps of
    a stretch, then the parts that share the stretches (see :func:`rnnbench.kernels.crew.meet`), which meet after the
    walk. A job: function, address of its line, in which the first step and the stop are set at every call, which part
    of the stretch's steps and how many parts.
    """
    mine, team = numbers(task), numbers(task + 40)
    stop, going = mine[3], 1
    while going:
        first = larger(0, (stop - 1) // mine[4] * mine[4])
        do_jobs(numbers(mine[0]), 0, mine[1], first, stop)
        meet(team)
        do_jobs(numbers(mine[0]), mine[1], mine[2], first, stop)
        stop = first
        going = stop > 0


def do_jobs(jobs, start, end, first, stop):
    """Do some of the jobs for the steps from `first` to `stop`."""
    for j in range(4 * start, 4 * end, 4):
        part, parts = jobs[j + 2], jobs[j + 3]
        put_number(jobs[j + 1] + 16, first + (stop - first) * part // parts)
        put_number(jobs[j + 1] + 24, first + (stop - first) * (part + 1) // parts)
        call_task(jobs[j], jobs[j + 1])


def backward(plan, addresses, split, grads, need_dx, header=None):
    """Go back through all steps; add to the gradients by the weights, and return dx or None.

    Parameters
    ----------
    plan : rnnbench.kernels.backward_plan.BackwardPlan, or one without a walk
    addresses : dict of int
        Of all buffers but those that gradients go to.
    split : rnnbench.kernels.split.Split
    grads : rnnbench.kernels.memory.Arrays, or a dict of contiguous ones
    need_dx : bool
    header : dict, optional
        Numbers of this call in the header of the program's first section.
    """
    sizes, width = plan.sizes, plan.sizes.layout.input_size
    shape, padded = (sizes.replicas, sizes.steps, sizes.rows), sizes.vectors(width) * sizes.lanes
    dx = memory.empty((*shape, padded), sizes.dtype) if need_dx else None
    addresses["active"], addresses["dx"] = split.address, memory.address(dx) if need_dx else 0
    for key, start in memory.Arrays.of(grads).addresses.items():
        addresses[f"d {key}"] = start
    program = plan.program.at(addresses, header)
    _run(plan, program, split, need_dx)
    program.done()
    if not need_dx:
        return None
    if "dx" not in plan.sections:
        return np.zeros((*shape, width), sizes.dtype)
    dx = dx if width == padded else ragged.copied(dx[..., :width], split.active)
    ragged.clear_padding(dx, split.active)
    return dx


def _run(plan, program, split, need_dx):
    sizes, e = plan.sizes, plan.sizes.engine
    parts, walks = max(1, split.workers // sizes.replicas), "walk" in plan.sections
    if split.ragged:
        _want(sizes, split, walks)
    # Where rows end early, some threads have little to do in a stretch: then whoever is free walks the next block.
    if parts > 1 and walks and not split.team and split.ragged:
        walk(e.backward, sizes, program, split, plan.scratch)
        walks = False
    key = "sweep", parts, walks, need_dx, split.key
    made = program.once(key, lambda: _Tasks(plan, program, split, walks, parts, need_dx))
    if parts > 1:
        made.start()
    threads.run(e.stretches, made.tasks, made.alone if parts > 1 else None)
    if made.symbols is not None:
        threads.run(e.symbols, made.symbols)


def _want(sizes, split, walks):
    """Have the tiles compiled of as many rows as run at some step."""
    if walks:
        want_tiles(sizes, split.counts, (sizes.rows,))
    want_tiles(sizes, split.all_counts, (sizes.engine.most * flat.TILES,))


class _Tasks:
    """The tasks of a call: one per replica and part; in `alone`, one per replica."""

    def __init__(self, plan, program, split, walks, parts, need_dx):
        sizes = plan.sizes
        self.plan, self.program = plan, program
        self.blocks, self.team = (split.blocks, split.team) if walks else ([], False)
        self.products = bool(sizes.steps and sizes.rows)
        self.dx = need_dx and "dx" in plan.sections and self.products
        self.kept, self.dx_rows, self.symbols = [], set(), None
        # What different replicas count stands in different lines of the cache.
        self.counters = memory.zeros((sizes.replicas, 2, 8), np.int64)
        self.alone, self.alone_walks = self._tasks(1)
        self.tasks, self.walks = self._tasks(parts) if parts > 1 else (self.alone, self.alone_walks)
        _want(sizes, split, walks)
        want_tiles(sizes, self.dx_rows, (sizes.engine.most * flat.TILES,))
        if "symbols" in plan.sections and self.products:
            room = symbols.scratch_bytes(sizes.layout.input_size, sizes.lanes, sizes.dtype.itemsize)
            self.symbols = program.tasks([(0, part, parts) for part in range(parts)], plan.sections["symbols"])
            self.symbols[:, 1] = self._rooms(room, len(self.symbols))

    def start(self):
        """Nobody has met anybody yet."""
        self.counters[...] = 0
        self.tasks[:, TASK_MEETINGS] = 0
        self.walks[:, MEETINGS] = 0

    def _tasks(self, parts):
        """Lines for :func:`stretches`, and those of their jobs."""
        sizes, filled, tasks, jobs = self.plan.sizes, self.program, [], []
        for replica in range(sizes.replicas):
            for part in range(parts):
                walks, others = list(self._walks(replica, part, parts)), list(self._products(part, parts))
                stretch, meeting = self._stretch(), memory.address(self.counters[replica, 0])
                ends = len(walks), len(walks) + len(others)
                tasks.append((len(jobs), *ends, sizes.steps, stretch, part, parts, meeting, 0, threads.pause()))
                jobs += [(replica, len(tasks) - 1, *job) for job in walks + others]
        rooms = self._rooms(self._room(), len(tasks))
        lines, table = np.zeros((len(jobs), 11), np.int64), np.zeros((len(jobs), 4), np.int64)
        for i, (replica, task, function, section, part, of, *rest) in enumerate(jobs):
            start = filled.address + replica * filled.program.bytes + filled.program.starts[section]
            lines[i, : 4 + len(rest)] = start, rooms[task], 0, 0, *rest
            table[i] = function, memory.address(lines[i]), part, of
        tasks = np.array(tasks, np.int64)
        tasks[:, 0] = memory.address(table) + tasks[:, 0] * table.itemsize * 4
        self.kept.append(table)
        return tasks, lines

    def _walks(self, replica, part, parts):
        """Function, section, part of the steps, and what stands in a line after the steps."""
        e, section = self.plan.sizes.engine, self.plan.sections.get("walk")
        if self.blocks and self.team:
            meeting, pause = memory.address(self.counters[replica, 1]), threads.pause()
            yield e.backward, section, 0, 1, *self.blocks[0], part, parts, meeting, 0, pause
            return
        for block in self.blocks[part::parts]:
            yield e.backward, section, 0, 1, *block, 0, 1, 0, 0, 0

    def _products(self, part, parts):
        """The same for what follows the walk."""
        plan, sizes, e = self.plan, self.plan.sizes, self.plan.sizes.engine
        if not self.products:
            return
        most_rows = gradients.chunk_rows(sizes.steps, sizes.rows)
        for i, (width, panels) in enumerate(plan.weights):
            together = gradients.panels_together(panels, most_rows, 2 * e.lane_bytes)
            for first, stop in _cuts(width, parts, e.most)[part : part + 1]:
                e.tile_columns.want(stop - first, e.most)
                yield e.weights, plan.sections["weights"] + i, 0, 1, first, stop, most_rows, together
        for first, stop, width in plan.columns:
            for cut in _cuts(width, parts, e.lanes)[part : part + 1]:
                yield e.columns_sum, plan.sections["columns"], 0, 1, first, stop, *cut
        if self.dx:
            for steps in (min(sizes.steps, self._stretch()), sizes.steps % self._stretch()):
                self.dx_rows.add((steps * (part + 1) // parts - steps * part // parts) * sizes.rows)
            yield e.products, plan.sections["dx"], part, parts, 0

    def _stretch(self):
        """Steps of a stretch: chunks of which da stays in the cache, or all steps if it does not."""
        chunk, per_step = self.plan.chunk, max(1, self.plan.da_bytes)
        return chunk * (STRETCH_BYTES // (per_step * chunk)) or max(1, self.plan.sizes.steps)

    def _room(self):
        """Bytes that any of a task's jobs works in."""
        plan, sizes, e = self.plan, self.plan.sizes, self.plan.sizes.engine
        most_rows, size = gradients.chunk_rows(sizes.steps, sizes.rows), sizes.dtype.itemsize
        found = [plan.scratch, max((width for *_, width in plan.columns), default=0) * size]
        found.append(PARTS_BYTES * max(1, len(sizes.layout.cell.gates)))  # no product has more sources than gates
        for _, panels in plan.weights:
            together = gradients.panels_together(panels, most_rows, 2 * e.lane_bytes)
            found.append(gradients.scratch_bytes(e.most, e.lanes, size, most_rows, together))
        return max(found)

    def _rooms(self, size, count):
        apart = -(-size // memory.ALIGNMENT) * memory.ALIGNMENT
        self.kept.append(memory.empty(apart * count, np.uint8))
        return memory.address(self.kept[-1]) + apart * np.arange(count)


def _cuts(width, pieces, whole):
    """Cut so many columns into about equal pieces, at multiples of `whole`."""
    cuts = [*(width * i // pieces // whole * whole for i in range(pieces)), width]
    return [cut for cut in pairwise(cuts) if cut[0] < cut[1]]
