"""Sizes at which work is cut up: chunks of time, tasks, strips of units, panels of both kinds."""

import numpy as np
import pytest
from helpers import Case, assert_close, assert_same_bits, problem

from rnnbench.kernels import cpu, gradients, reference, threads

TOLERANCE = {np.float32: 5e-5, np.float64: 1e-12}
LONG = {"T": 90, "B": 14, "I": 35, "H": 50, "R": 1}
WIDE = {"T": 3, "B": 30, "I": 300, "H": 300, "R": 1}
THIN = {"T": 700, "B": 1, "I": 3, "H": 20, "R": 2}


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", [LONG, WIDE, THIN], ids=["long", "wide", "thin"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "skip"])
def test_cpu_equals_reference(cell, sizes, dtype, ragged):
    lengths = np.random.default_rng(0).integers(0, sizes["T"] + 1, sizes["B"]) if ragged else None
    p = problem(Case(cell).build(), **sizes, dtype=dtype, lengths=lengths)
    p.raw = {key: value * dtype(0.6) for key, value in p.raw.items()}  # no chaos: float32 has to stay comparable
    expected = p.both(reference)
    for name, value in p.both(cpu).items():
        assert_close(value, expected[name], TOLERANCE[dtype], name)


@pytest.mark.parametrize("sizes", [LONG, WIDE, THIN], ids=["long", "wide", "thin"])
def test_threads_change_no_bit(sizes):
    lengths = np.random.default_rng(0).integers(0, sizes["T"] + 1, sizes["B"])
    p = problem(Case("lstm").build(), **sizes, dtype=np.float32, lengths=lengths)
    results = []
    try:
        for count in (1, 2, 5):
            threads.set_num_threads(count)
            results.append(p.both(cpu))
    finally:
        threads.set_num_threads(None)
    for name, value in results[0].items():
        for other in results[1:]:
            assert_same_bits(other[name], value, name)


def test_the_sizes_are_cut_up():
    assert LONG["T"] > 3 * gradients.chunk_steps(LONG["B"])
    assert THIN["T"] > 2 * gradients.chunk_steps(THIN["B"])
