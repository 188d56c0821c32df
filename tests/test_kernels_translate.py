"""Kernels of integers and tables in compiled code, held against the same Python on plain numbers."""

import ctypes
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core import types

from rnnbench.kernels.build import compile_pointer
from rnnbench.kernels.emit import compile_numbers, compile_task
from rnnbench.kernels.program import HEADER, Program, Table
from rnnbench.kernels.raw import larger, put_number, smaller
from rnnbench.kernels.table import numbers, table
from rnnbench.kernels.walk import mask_after, share

NUMBER = st.integers(0, 2**31)
SIGNED = st.integers(-(2**31), 2**31)
PER_TURN = 3


def compiled(function):
    """A kernel of five numbers as a Python function of them."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, *[ctypes.c_int64] * 5)
    call = kind(compile_numbers(function, types.float32).address)
    return lambda *arguments: call(None, *arguments, *[0] * (5 - len(arguments)))


def arithmetic(build, x, y, z, unused, divisor):
    low, high = smaller(x, y), larger(z, y)
    high -= -x
    quotient, rest = z // divisor, z % divisor
    return (low * 7 - high + quotient * 3 + rest) >> 1


def conditions(build, x, y, z, unused, unused_too):
    found = 0
    if x < y and y <= z and not (z - 5 == 0 or x > 4):
        found += 1
    elif x > y or y >= z:
        found += 10 if x != z else 20
    else:
        found = 100
    return found + 1000 * (x < z)


def loops(build, start, stop, step, most, unused):
    total, turns = 0, 0
    for i in range(start, stop, step):
        if i % 5 == 3:
            continue
        for j in range(i):
            total += j
            if j > most:
                break
        i = 7  # the next turn is not this one plus one
        total += i
        turns += PER_TURN
    for down in range(stop, start, -step):
        total -= down * 2
    while True:
        turns += 1
        if turns > most:
            return total * 1000 + turns
        while turns % 4:
            turns += 1


def both(x, y):
    if x == y:
        return 0, 1
    return y, x


def several(build, x, y, unused, unused_too, unused_three):
    x, y = both(x, y)
    first, second = both(x + 1, y)
    return first * 100 + second + x


@given(x=SIGNED, y=SIGNED, z=NUMBER, divisor=st.integers(1, 1000))
def test_arithmetic_is_python_s(x, y, z, divisor):
    assert compiled(arithmetic)(x, y, z, 0, divisor) == arithmetic(None, x, y, z, 0, divisor)


SMALL = st.integers(-3, 6)


@given(x=SMALL, y=SMALL, z=SMALL)
def test_conditions_are_python_s(x, y, z):
    assert compiled(conditions)(x, y, z) == conditions(None, x, y, z, 0, 0)


@given(start=st.integers(0, 30), stop=st.integers(-5, 30), step=st.integers(1, 7), most=st.integers(0, 20))
def test_loops_are_python_s(start, stop, step, most):
    assert compiled(loops)(start, stop, step, most) == loops(None, start, stop, step, most, 0)


@given(x=SMALL, y=SMALL)
def test_functions_return_several_numbers(x, y):
    assert compiled(several)(x, y) == several(None, x, y, 0, 0, 0)


def only_what_counts(build, address, other, unused, unused_too, unused_three):
    """Reading what is at address 0 would end the process."""
    there = address != 0 and numbers(address)[0] == 5
    nothing = other == 0 or numbers(other)[0] == 5
    return there * 100 + nothing * 10 + (numbers(address)[1] if address != 0 else 3)


def test_only_what_counts_is_evaluated():
    five = np.array([5, 8])
    call, here = compiled(only_what_counts), five.ctypes.data
    assert [call(0, 0), call(here, 0), call(here, here), call(0, here)] == [13, 118, 118, 13]


def call_share(build, vectors, part, parts, unused, unused_too):
    return share(vectors, part, parts)


def call_mask_after(build, mask, per_step, t, steps, unused):
    return mask_after(mask, per_step, t, steps)


@given(vectors=st.integers(0, 1000), parts=st.integers(1, 9))
def test_shares_of_a_team_are_whole_panels_and_cover_all(vectors, parts):
    cuts = [compiled(call_share)(vectors, part, parts) for part in range(parts + 1)]
    assert cuts == [min(vectors, (vectors * part // parts + 1) // 2 * 2) for part in range(parts)] + [vectors]
    assert cuts[0] == 0 and cuts == sorted(cuts)
    assert all(cut % 2 == 0 for cut in cuts[:-1] if cut < vectors)


@given(mask=NUMBER, per_step=NUMBER, steps=st.integers(1, 50), t=st.integers(-1, 49))
def test_no_mask_follows_the_last_step(mask, per_step, steps, t):
    expected = mask + (t + 1) * per_step if t + 1 < steps else 0
    assert compiled(call_mask_after)(mask, per_step, t, steps) == expected


def add_all(lines, factor):
    """Numbers weighted by place, each doubled where it lies."""
    total = 0
    for i in range(len(lines)):
        for j in range(3):
            total += lines[i, j] * (factor + 10 * i + j)
            lines[i, j] *= 2
    return total


def read_tables(build, address, unused, unused_two, unused_three, unused_four):
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
    assert compiled(read_tables)(filled.address) == 3 * 1 + 1 * 2 + 4 * 3 + 1 * 11 + 5 * 12 + 9 * 13 + 42
    assert array[0, 0] == 42
    start = HEADER + 6 + 2  # three tables' addresses and lines, then the first table
    assert np.array_equal(array[0, start : start + 6], [6, 2, 8, 2, 10, 18])
    assert np.array_equal(array[0, start - 2 : start], [100, 200])


def unknown_name(build, task):
    put_number(task, nothing_of_this_name)  # noqa: F821


def two_kinds(build, task):
    task = numbers(task)


def not_a_range(build, task):
    for i in (1, 2):
        put_number(task, i)


def a_float(build, task):
    put_number(task, 1.5)


def not_known(build, task):
    print(task)


REFUSED = {
    unknown_name: "nothing_of_this_name", two_kinds: "task", not_a_range: r"\(1, 2\)", a_float: "1.5",
    not_known: r"print\(task\)",
}  # fmt: skip


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_what_kernels_cannot_hold_is_named(function):
    with pytest.raises(Exception, match=f"test_kernels_translate.{function.__name__}, line .*{REFUSED[function]}"):
        compile_task(function, types.float32)


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
