"""Tables and straight-line functions in compiled code, held against the same Python on plain numbers."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import cfunc
from numba.core import types

from rnnbench.kernels.build import compile_pointer, helper
from rnnbench.kernels.program import HEADER, Program, Table
from rnnbench.kernels.straight import larger, smaller, straight, where
from rnnbench.kernels.table import numbers, table
from rnnbench.kernels.walk import mask_after, share

NUMBER = st.integers(0, 2**31)


def compiled(function, count):
    """A function of int64 numbers, compiled anew."""
    return cfunc(types.int64(*[types.int64] * count), error_model="numpy")(function).ctypes


@straight()
def mixed(x, y):
    """All operations, with a plain number on either side where that is allowed."""
    low, high = smaller(x, y), larger(1, y)
    return where(x - y < 3, low * 7 + x // high, where(x == y + 9, x % high, high - 5))


def call_mixed(x, y):
    return mixed(x, y)


def call_share(vectors, part, parts):
    return share(vectors, part, parts)


def call_mask_after(mask, per_step, t, steps):
    return mask_after(mask, per_step, t, steps)


@pytest.fixture(scope="module")
def functions():
    return compiled(call_mixed, 2), compiled(call_share, 3), compiled(call_mask_after, 4)


@given(x=NUMBER, y=NUMBER, near=st.integers(0, 12))
def test_straight_functions_compute_what_python_does(functions, x, y, near):
    for other in (y, x + near, max(0, x - near)):
        low, high = min(x, other), max(1, other)
        expected = low * 7 + x // high if x - other < 3 else x % high if x == other + 9 else high - 5
        assert functions[0](x, other) == expected


@given(vectors=st.integers(0, 1000), parts=st.integers(1, 9))
def test_shares_of_a_team_are_whole_panels_and_cover_all(functions, vectors, parts):
    cuts = [functions[1](vectors, part, parts) for part in range(parts + 1)]
    assert cuts == [min(vectors, (vectors * part // parts + 1) // 2 * 2) for part in range(parts)] + [vectors]
    assert cuts[0] == 0 and cuts == sorted(cuts)
    assert all(cut % 2 == 0 for cut in cuts[:-1] if cut < vectors)


@given(mask=NUMBER, per_step=NUMBER, steps=st.integers(1, 50), t=st.integers(-1, 49))
def test_no_mask_follows_the_last_step(functions, mask, per_step, steps, t):
    expected = mask + (t + 1) * per_step if t + 1 < steps else 0
    assert functions[2](mask, per_step, t, steps) == expected


@helper
def add_all(lines, factor):
    """Numbers weighted by place, each doubled where it lies."""
    total = 0
    for i in range(len(lines)):
        for j in range(3):
            total += lines[i, j] * (factor + 10 * i + j)
            lines[i, j] *= 2
    return total


def read_tables(address):
    program = numbers(address)
    program[0] += 1
    return add_all(table(program, 1, 3), 1) + program[0]


def test_tables_are_read_and_written_in_place():
    empty, first, second = Table(5), Table(2), Table(3)
    first.add(100, 200)
    second.add(3, 1, 4)
    second.add(1, 5, 9)
    program = Program(([41], [first, second, empty]), replicas=1)
    filled = program.at({})
    array = filled.values
    function = compiled(read_tables, 1)
    assert function(filled.address) == 3 * 1 + 1 * 2 + 4 * 3 + 1 * 11 + 5 * 12 + 9 * 13 + 42
    assert array[0, 0] == 42
    start = HEADER + 6 + 2  # three tables' addresses and lines, then the first table
    assert np.array_equal(array[0, start : start + 6], [6, 2, 8, 2, 10, 18])
    assert np.array_equal(array[0, start - 2 : start], [100, 200])


@pytest.mark.parametrize("enabled", [True, False])
def test_compiling_leaves_the_garbage_collector_as_it_was(enabled):
    def broken(x):
        return x.nothing

    signature, before = types.int64(types.int64), gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(Exception, match="nothing"):
            compile_pointer(broken, signature)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
