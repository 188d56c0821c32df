"""A GPU of Python generators: blocks that really run together, barriers that must be met, and races that are seen.

Numba's simulator runs one block after the other, so it can say nothing of a barrier between blocks. Here every thread
of the whole grid is a generator that stops at each barrier. A thread may be anywhere between two barriers when another
one is: so two of them that touch the same number there, one of them writing, race, whatever came out this time.
"""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import fragments
import numpy as np
from stops import generator

WARP = 32


class Race(AssertionError):
    """Two threads touch the same number without a barrier between, and one writes."""


class Diverged(AssertionError):
    """Threads that should wait for each other wait for different things: a GPU would hang."""


class Memory:
    """A flat array that knows who touched each number since when; a negative index is an error."""

    def __init__(self, array, gpu, name):
        self.array, self.gpu, self.name = array, gpu, name
        self.dtype, self.size = array.dtype, array.size
        self.written, self.seen = {}, {}

    def __getitem__(self, at):
        if not 0 <= at < self.size:
            raise IndexError(f"{self.name}[{at}] is read, of {self.size}")
        me = self.gpu.now
        before = self.written.get(at)
        if before is not None and before[0] is not me[0] and unordered(before, me):
            raise Race(f"{self.name}[{at}]: {me[0]} reads what {before[0]} writes")
        self.seen.setdefault(at, {})[me[0]] = me
        return self.array[at]

    def __setitem__(self, at, value):
        if not 0 <= at < self.size:
            raise IndexError(f"{self.name}[{at}] is written, of {self.size}")
        me = self.gpu.now
        before = self.written.get(at)
        if before is not None and before[0] is not me[0] and unordered(before, me):
            raise Race(f"{self.name}[{at}]: {me[0]} writes what {before[0]} writes")
        for reader in self.seen.pop(at, {}).values():
            if reader[0] is not me[0] and unordered(reader, me):
                raise Race(f"{self.name}[{at}]: {me[0]} writes what {reader[0]} reads")
        self.written[at] = me
        self.array[at] = value


def unordered(one, other):
    """Whether no barrier lies between two moments: (thread, block, barriers of the block, barriers of the grid)."""
    return one[3] == other[3] and (one[1] is not other[1] or one[2] == other[2])


class Gpu:
    """What kernels see as ``cuda``, and the memory and launches that drivers use."""

    def __init__(self, multiprocessors=1):
        self.multiprocessors = multiprocessors
        self.now, self.thread, self.dim, self.grid_dim = None, None, None, None
        self.launches = []
        self.shared = SimpleNamespace(array=self._shared_array)
        self.local = SimpleNamespace(array=lambda size, kind: np.full(size, np.nan, str(kind)))

    # ---- for the host ----

    def empty(self, size, dtype):
        """Fresh memory that spoils whatever reads it."""
        return self.upload(np.full(max(int(size), 1), np.nan, dtype))

    def upload(self, array):
        """A flat copy."""
        if isinstance(array, Memory):
            return array
        flat = np.array(array).reshape(-1)
        return Memory(flat if flat.size else np.zeros(1, flat.dtype), self, f"array {flat.size}")

    def download(self, array, shape):
        """A NumPy array of this shape."""
        return array.array[: int(np.prod(shape))].reshape(shape).copy()

    def launch(self, kernel, grid, block, *given, shared=0):
        """Run a kernel to its end."""
        function = generator(kernel.py_func)
        self.grid_dim, self.dim = three(grid), three(block)
        self.launches.append((kernel.py_func.__name__, tuple(self.grid_dim), tuple(self.dim)))
        for memory in given:
            if isinstance(memory, Memory):  # kernels come one after the other
                memory.written, memory.seen = {}, {}
        blocks = [_Block(at, shared) for at in product(*(range(n) for n in self.grid_dim[::-1]))]
        threads = [_Thread(b, at) for b in blocks for at in product(*(range(n) for n in self.dim[::-1]))]
        function.__globals__["cuda"] = self
        for thread in threads:
            thread.steps = function(*given)
        waiting = {block: [t for t in threads if t.block is block] for block in blocks}
        while waiting:
            for block, members in list(waiting.items()):
                if block.at_grid:
                    continue
                reached = {stop for i in range(0, len(members), WARP) for stop in self._run(members[i : i + WARP])}
                if len(reached) > 1:
                    raise Diverged(f"block {block.place}: its threads wait for {sorted(map(str, reached))}")
                (reached,) = reached
                block.barriers += 1
                block.at_grid = reached == "grid"
                if reached is None:
                    del waiting[block]
            if waiting and all(block.at_grid for block in waiting):
                if len(waiting) < len(blocks):
                    raise Diverged("some blocks wait for the grid, others have ended")
                for block in waiting:
                    block.at_grid, block.grid_barriers = False, block.grid_barriers + 1

    # ---- for kernels ----

    @property
    def threadIdx(self):
        """The thread's place in its block."""
        return self.thread.place

    @property
    def blockIdx(self):
        """The block's place in the grid."""
        return self.thread.block.place

    @property
    def blockDim(self):
        """Threads of a block."""
        return Place(*self.dim)

    @property
    def gridDim(self):
        """Blocks of the grid."""
        return Place(*self.grid_dim)

    def grid(self, dimensions):
        """The thread's number in a grid of one dimension."""
        return self.thread.block.place.x * self.dim[0] + self.thread.place.x

    def gridsize(self, dimensions):
        """Threads of a grid of one dimension."""
        return self.dim[0] * self.grid_dim[0]

    def _shared_array(self, size, kind):
        thread = self.thread
        thread.arrays += 1
        arrays = thread.block.arrays
        if thread.arrays > len(arrays):
            dtype = np.dtype(str(kind))
            count = size or thread.block.shared // dtype.itemsize
            arrays.append(Memory(np.full(count, np.nan, dtype), self, f"shared {len(arrays)} of {thread.block}"))
        return arrays[thread.arrays - 1]

    def _run(self, warp):
        """Let the threads of a warp go on to their next barrier; what they do all together is done on the way."""
        answers = [None] * len(warp)
        while True:
            reached = [self._resume(thread, answer) for thread, answer in zip(warp, answers, strict=True)]
            together = [stop for stop in reached if isinstance(stop, tuple)]
            if not together:
                return set(reached)
            if len(together) < WARP or len({precision for precision, _ in together}) > 1:
                raise Diverged(f"{len(together)} threads of a warp multiply, expected {WARP}")
            answers = fragments.multiply_add(together[0][0], [given for _, given in together])

    def _resume(self, thread, answer):
        self.thread, block = thread, thread.block
        self.now = thread, block, block.barriers, block.grid_barriers
        try:
            return thread.steps.send(answer)
        except StopIteration:
            return None


class Place(SimpleNamespace):
    """Three numbers x, y, z."""

    def __init__(self, x, y=1, z=1):
        super().__init__(x=x, y=y, z=z)


class _Block:
    def __init__(self, place, shared):
        self.place, self.shared, self.arrays = Place(*place[::-1]), shared, []
        self.barriers = self.grid_barriers = 0
        self.at_grid = False

    def __repr__(self):
        return f"block {tuple(vars(self.place).values())}"


class _Thread:
    def __init__(self, block, place):
        self.block, self.place, self.arrays, self.steps = block, Place(*place[::-1]), 0, None

    def __repr__(self):
        return f"thread {tuple(vars(self.place).values())} of {self.block}"


def three(size):
    """Sizes along x, y and z."""
    size = size if isinstance(size, tuple) else (size,)
    return [int(n) for n in (*size, 1, 1, 1)[:3]]


def installed(monkeypatch):
    """A GPU in the place of the machine's."""
    from rnnbench.kernels import cuda_arrays, cuda_host

    gpu = Gpu()
    for name in ("empty", "upload", "download", "launch"):
        monkeypatch.setattr(cuda_host, name, getattr(gpu, name))
    monkeypatch.setattr(cuda_host, "multiprocessors", lambda: gpu.multiprocessors)
    monkeypatch.setattr(cuda_host, "facts", lambda: (gpu.multiprocessors, 2**16, True))
    monkeypatch.setattr(cuda_host, "blocks_together", lambda *given: gpu.multiprocessors)
    monkeypatch.setattr(cuda_arrays, "FLAT", 2)
    return gpu


class Driver:
    """One of the CUDA drivers."""

    def __init__(self, name, precision="ieee"):
        from rnnbench.kernels import cuda

        self.options, self.cuda, self.backward = {"driver": name, "precision": precision}, cuda, cuda.backward

    def forward(self, layout, weights, x, *rest):
        """As that of any driver."""
        prepared = self.cuda.prepare(layout, weights, x.dtype, len(x), **self.options)
        return self.cuda.forward(layout, prepared, x, *rest)


def has_a_past(cell):
    """Whether a cell has a product for the persistent driver."""
    return any(source != "x" for gate in cell.gates for source in gate.sources)
