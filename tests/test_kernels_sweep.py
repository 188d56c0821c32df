"""The way back in stretches of time: no bit depends on how long they are, nor on who shares them."""

import numpy as np
import pytest
from helpers import taken

from rnnbench import Recurrent
from rnnbench.kernels import split, sweep, threads
from rnnbench.kernels.engine import engine

T, B, I, H = 50, 10, 5, 20
CHUNK = 19  # steps of a chunk of the weight gradients, for 10 rows
CELLS = ("elman", "lstm", "indrnn", "skip", "deep_transition")
WHOLE, CHUNKS = "whole", "chunks"


@pytest.fixture(autouse=True)
def several_threads_for_small_calls(monkeypatch):
    monkeypatch.setattr(split, "SMALL", 0)
    yield
    threads.set_num_threads(None)


def way_back(cell, stretches, monkeypatch, lengths=None, truncate=None, symbols=False):
    """All gradients of a call, in one stretch or in as many as there are chunks."""
    rng, layer = np.random.default_rng(0), Recurrent(cell, I, H, seed=0)
    lanes = engine("float32").lanes
    da_bytes = sum(4 * B * lanes * -(-width // lanes) for width in layer.layout.gate_widths.values())
    monkeypatch.setattr(sweep, "STRETCH_BYTES", {WHOLE: 1, CHUNKS: CHUNK * da_bytes}[stretches])
    x = rng.integers(0, I, (T, B)) if symbols else rng.normal(size=(T, B, I)).astype(np.float32)
    y, state = layer.forward(x, lengths=lengths)
    dstate = {name: rng.normal(size=value.shape).astype(np.float32) for name, value in state.items()}
    dx, dinitial = layer.backward(rng.normal(size=y.shape).astype(np.float32), dstate, truncate=truncate)
    found = dinitial | layer.grads
    return found if dx is None else found | {"dx": dx}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize("kind", ["dense", "ragged symbols", "truncated symbols"])
def test_no_bit_depends_on_the_stretches(cell, workers, kind, monkeypatch):
    lengths = np.random.default_rng(1).integers(0, T + 1, B) if "ragged" in kind else None
    threads.set_num_threads(workers)
    given = lengths, 7 if "truncated" in kind else None, "symbols" in kind
    whole, chunks = (way_back(cell, stretches, monkeypatch, *given) for stretches in (WHOLE, CHUNKS))
    assert_equal(chunks, whole)


@pytest.mark.parametrize("cell", CELLS)
def test_these_are_one_stretch_and_several(cell, monkeypatch):
    seen, run = [], threads.run

    def watched(function, tasks, alone=None):
        if function == engine("float32").stretches:
            seen.append(tasks[0, 3:5].tolist())
        run(function, tasks, alone)

    monkeypatch.setattr(threads, "run", watched)
    for stretches in (WHOLE, CHUNKS):
        way_back(cell, stretches, monkeypatch)
    assert seen == [[T, T], [T, CHUNK]]


def test_where_others_have_the_threads_one_does_all(monkeypatch):
    """A call whose parts would meet must not wait for threads that work for another caller."""
    threads.set_num_threads(2)
    together = way_back("elman", CHUNKS, monkeypatch)
    with taken():
        assert_equal(way_back("elman", CHUNKS, monkeypatch), together)
