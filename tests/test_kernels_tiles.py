"""Tiles are compiled when a call is to use them: none is missed, and what was not asked for has the same bits."""

import ctypes

import numpy as np
import pytest

from rnnbench import Recurrent
from rnnbench.kernels import threads
from rnnbench.kernels.engine import engine
from rnnbench.kernels.tile import ARGUMENTS, heights, max_rows


@pytest.fixture(autouse=True)
def restored():
    yield
    threads.set_num_threads(None)


def train(cell, batch, steps, lengths=None, width=40, checkpoint=None):
    """All results of a training step, of sizes that are no multiples of a vector."""
    layer, rng = Recurrent(cell, 21, width, seed=1), np.random.default_rng(0)
    x = rng.standard_normal((steps, batch, 21)).astype(np.float32)
    y, state = layer.forward(x, lengths=lengths, checkpoint=checkpoint)
    dx, _ = layer.backward(np.ones_like(y))
    return [y, *state.values(), dx, *layer.grads.values()]


@pytest.fixture
def tables():
    """The tables of tiles as they are before any call, and what is wanted of them again after the test."""
    both = engine("float32").tile_rows, engine("float32").tile_columns
    before = [(tiles, tiles.table.copy(), set(tiles.known)) for tiles in both]
    for tiles in both:
        tiles.known.clear()
    yield both
    for tiles, table, known in before:
        tiles.table[:] = table
        tiles.known.clear()
        tiles.known.update(known)


CALLS = {
    "one row": ("lstm", 1, 3), "few rows": ("gru", 5, 9), "two tiles": ("lstm", 14, 4), "bands": ("lstm", 31, 2),
    "wide": ("elman", 30, 2, None, 600), "no steps": ("elman", 3, 0), "no rows": ("elman", 0, 3),
    "ragged": ("lstm", 30, 7, np.arange(30) % 8), "ragged, few": ("gru", 5, 9, [9, 1, 0, 4, 4]),
    "two stages": ("lem", 26, 3), "checkpoints": ("lstm", 13, 400, None, 20, 50),
}  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_asks_for_every_tile_that_it_takes(call, workers, tables):
    threads.set_num_threads(workers)
    missed = []
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * ARGUMENTS)
    alarm = kind(lambda nothing, rows, *others: missed.append(rows))
    for tiles in tables:
        tiles.table[:] = ctypes.cast(alarm, ctypes.c_void_p).value
    train(*CALLS[call])
    assert not missed


@pytest.mark.parametrize("call", ["two tiles", "ragged"])
def test_row_by_row_has_the_same_bits(call, tables, monkeypatch):
    expected = train(*CALLS[call])
    for tiles in tables:
        tiles.want(1, 1)
        tiles.table[:] = tiles.table[1]
        monkeypatch.setattr(tiles, "want", lambda rows, together: None)
    for one, other in zip(train(*CALLS[call]), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_are_shared_out_evenly():
    most = max_rows()
    assert heights(0, 5) == set()
    assert heights(most, most) == {most}
    assert heights(2 * most - 1, 10 * most) == {most, most - 1}
    assert heights(2 * most - 1, most) == {most, most - 1}
    assert heights(2 * most + 1, 2 * most) == {most, 1}
