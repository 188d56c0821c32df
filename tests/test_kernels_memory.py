"""No kernel writes, or depends on what it reads, outside its buffers: guard bytes around every one of them."""

import numpy as np
import pytest
from helpers import ENGINE_CASES, as_params, problem

from rnnbench import Recurrent
from rnnbench.kernels import backward_plan, cpu, forward_plan, memory, packing, products, program

GUARD = 4096
PATTERN = 0xFF  # as floats: NaN, so that a value read from a guard poisons the result


class Guarded:
    """Hands out arrays inside larger ones whose rims carry a pattern."""

    def __init__(self):
        self.blocks, self.arenas = [], []

    def take(self, size, dtype=np.uint8):
        raw = np.full(size + 2 * GUARD + memory.ALIGNMENT, PATTERN, np.uint8)
        start = GUARD + -(raw.ctypes.data + GUARD) % memory.ALIGNMENT
        self.blocks.append((raw, start, start + size))
        return raw[start : start + size].view(dtype)

    def empty(self, shape, dtype):
        return self.take(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize, dtype).reshape(shape)

    def zeros(self, shape, dtype):
        out = self.empty(shape, dtype)
        out[...] = 0
        return out

    def copy(self, array):
        out = self.empty(array.shape, array.dtype)
        out[...] = array
        return out

    def check(self):
        assert self.blocks
        for raw, start, stop in self.blocks:
            assert (raw[:start] == PATTERN).all() and (raw[stop:] == PATTERN).all()
            alike = [arena for arena in self.arenas if arena.size == stop - start]
            assert not alike or any(intact(raw[start:stop], arena.gaps) for arena in alike)


def intact(block, gaps):
    """Whether the rims between an arena's buffers are as they were; all 0 where it was cleared as a whole."""
    rims = np.concatenate([block[first:last] for first, last in gaps])
    return rims[0] in (0, PATTERN) and (rims == rims[0]).all()


class GuardedArena(program.Arena):
    """An arena with room between its buffers, whose rims carry the same pattern; a size that nothing else has."""

    def __init__(self, root, number):
        super().__init__(root)
        self.guard = GUARD + 4096 * 17 * (number + 1)

    def place(self, size):
        start = super().place(size)
        self.size += self.guard
        self.guard = GUARD
        self.gaps[-1] = (self.gaps[-1][0], self.size)
        return start


class GuardedNumPy:
    """NumPy as the driver sees it, with guarded results for the arrays that kernels write to."""

    def __init__(self, guarded):
        self.guarded = guarded

    def __getattr__(self, name):
        return getattr(np, name)

    def zeros(self, shape, dtype=float):
        return self.guarded.zeros(shape, dtype)

    def zeros_like(self, array):
        return self.guarded.zeros(array.shape, array.dtype)

    def array(self, value, *args):
        out = np.array(value, *args)
        return self.guarded.copy(out) if out.dtype.kind == "f" else out


@pytest.fixture
def guarded(monkeypatch):
    guarded = Guarded()
    monkeypatch.setattr(memory, "empty", guarded.empty)
    monkeypatch.setattr(memory, "zeros", guarded.zeros)
    monkeypatch.setattr(cpu, "np", GuardedNumPy(guarded))
    monkeypatch.setattr(products, "np", GuardedNumPy(guarded))

    def arena(root):
        guarded.arenas.append(GuardedArena(root, len(guarded.arenas)))
        return guarded.arenas[-1]

    for module in (backward_plan, forward_plan, packing):
        monkeypatch.setattr(module, "Arena", arena)
    return guarded


SIZES = [(3, 5, 1, 1), (2, 13, 3, 17), (4, 25, 0, 33), (3, 1, 40, 16), (5, 7, 2, 100)]


@pytest.mark.engine
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", as_params(ENGINE_CASES))
def test_guard_bytes_survive(case, dtype, guarded):
    for seed, (steps, rows, inputs, hidden) in enumerate(SIZES):
        lengths = np.arange(rows) % (steps + 1) if seed % 2 else None
        sizes = {"T": steps, "B": rows, "I": inputs, "H": hidden}
        p = problem(case.build(), seed, **sizes, dtype=dtype, lengths=lengths, feed=seed > 2)
        p.x = guarded.copy(p.x)
        p.dy = guarded.copy(p.dy)
        p.dstate = {name: guarded.copy(value) for name, value in p.dstate.items()}
        inferred, _, _ = p.run(cpu, keep=False)
        results = p.both(cpu)
        guarded.check()
        for name, array in {"inferred": inferred, **results}.items():
            assert np.isfinite(array).all(), name


def test_a_write_beyond_the_end_is_seen():
    guarded = Guarded()
    array = guarded.empty(8, np.float32)
    guarded.check()
    np.lib.stride_tricks.as_strided(array, shape=(9,))[8] = 1
    with pytest.raises(AssertionError):
        guarded.check()


def test_memory_is_lent_again_when_the_last_array_in_it_is_gone():
    memory.release()
    size = 12_345
    first = memory.empty((5, size), np.float32)
    where, piece = memory.address(first), first[1:].view(np.int32)
    assert where % memory.ALIGNMENT == 0 and type(first) is np.ndarray
    first.base[3:].copy()  # a piece, and a copy, of the loan itself: neither is the loan
    assert not memory._Loan.free
    del first
    other = memory.empty((5, size), np.float32)
    assert memory.address(other) != where
    del piece
    assert memory.address(memory.empty(5 * size, np.float32)) == where


def test_no_more_waits_than_the_pool_holds(monkeypatch):
    memory.release()
    monkeypatch.setattr(memory, "POOL_BYTES", 1000)
    for size, held in ((1001, 0), (600, 600), (300, 900), (200, 200)):
        memory.empty(size, np.uint8)
        assert memory._Loan.held == held
    memory.release()
    assert not memory._Loan.free and memory._Loan.held == 0


def test_a_tape_beyond_the_memory_is_refused_before_anything_is_made(monkeypatch):
    layer = Recurrent("elman", 1, 64)
    with pytest.raises(MemoryError, match=r"x: the tape of its 1000000 steps of 20 rows takes .* GiB, expected"):
        monkeypatch.setattr(memory, "available", lambda: 2.0**29)
        layer.forward(np.broadcast_to(np.float32(0), (1_000_000, 20, 1)))
    monkeypatch.undo()
    assert 0 < memory.available() < 2**60
