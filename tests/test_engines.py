"""The compiled drivers against the reference driver, over random sizes; and bits that must not depend on company."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import odd_cells
import pytest
from helpers import (
    ENGINE_CASES,
    Case,
    as_params,
    assert_close,
    assert_same_bits,
    away_from_kinks,
    problem,
)  # fmt: skip
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from rnnbench.kernels import cpu, reference, split, threads
from rnnbench.kernels.engine import engine as engine_of

DTYPES = {"float32": (2e-5, 1e-5), "float64": (1e-12, 1e-10)}  # tolerance, distance from kinks
ODD = [pytest.param(make, id=make.__name__, marks=pytest.mark.xdist_group(make.__name__)) for make in odd_cells.ALL]
EVERY = [*as_params(ENGINE_CASES), *ODD]
PLAIN = [*as_params([c for c in ENGINE_CASES if not c.options]), *ODD]
EXAMPLES = max(settings.default.max_examples // 4, 1)

SIZES = {
    "T": st.integers(0, 6),
    "B": st.integers(1, 40),
    "I": st.integers(0, 20),
    "H": st.integers(1, 70),
    "R": st.integers(1, 3),
    "ragged": st.booleans(),
    "feed": st.booleans(),
    "bias": st.booleans(),
    "truncate": st.none() | st.integers(1, 4),
    "number": st.integers(0, 99),
}
OPTIONS = {"ragged": False, "feed": False, "bias": True, "truncate": None, "number": 0}
TINY = {"T": 1, "B": 1, "I": 0, "H": 1, "R": 1, **OPTIONS}
FULL = {"T": 6, "B": 32, "I": 16, "H": 64, "R": 2, **OPTIONS, "ragged": True, "feed": True, "truncate": 2}


@contextmanager
def num_threads(count):
    """Use so many threads for a while."""
    threads.set_num_threads(count)
    try:
        yield
    finally:
        threads.set_num_threads(None)


def build(case):
    return case.build() if isinstance(case, Case) else case()


@pytest.fixture(autouse=True, scope="module")
def small_work_is_shared_too():
    """Several threads, and teams, at sizes that one thread would do alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "SMALL", 0)
        patch.setattr(split, "SMALL_STEP", 0)
        yield


def make(cell, dtype, *, ragged=False, number=0, T=6, B=13, I=5, H=19, R=2, **options):
    """A random problem, the same numbers for both precisions."""
    lengths = np.random.default_rng(number).integers(0, T + 1, B) if ragged else None

    def rounded(attempt):  # float32 numbers, in either precision
        sizes = {"T": T, "B": B, "I": I, "H": H, "R": R, "lengths": lengths}
        return cast(problem(cell, number + 1000 * attempt, dtype=np.float32, **sizes, **options), np.float64)

    return cast(away_from_kinks(cell, rounded, DTYPES[dtype][1], ties=False), dtype)


def cast(p, dtype):
    """The same problem in another precision."""
    for name, value in p.arrays().items():
        p = p.with_array(name, value.astype(dtype))
    p.dy = p.dy.astype(dtype)
    p.dstate = {k: v.astype(dtype) for k, v in p.dstate.items()}
    p.feed = {k: (v.astype(dtype), m) for k, (v, m) in p.feed.items()}
    return p


def assert_equal_results(got, expected, what=""):
    assert got.keys() == expected.keys()
    for name in expected:
        assert_same_bits(got[name], expected[name], f"{what} {name}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", EVERY)
def test_cpu_equals_reference(case, dtype):
    cell = build(case)

    @seed(zlib.crc32(cell.name.encode()))  # other sizes for other cells
    @settings(max_examples=EXAMPLES)
    @given(**SIZES)
    @example(**TINY)
    @example(**FULL)
    def check(**sizes):
        p = make(cell, dtype, **sizes)
        got, expected = p.both(cpu), cast(p, np.float64).both(reference)
        assert got.keys() == expected.keys()
        for name, value in expected.items():
            assert got[name].dtype == np.dtype(dtype), f"{name} is {got[name].dtype}"
            assert_close(got[name], value, DTYPES[dtype][0], name)

    check()


@pytest.mark.engine
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 37])
def test_the_number_of_threads_changes_no_bit(case, dtype, ragged, rows):
    p = make(build(case), dtype, B=rows, I=13, H=45, R=1 + (rows == 37), ragged=ragged, feed=ragged)
    results = []
    for count in (1, 2, 3, 1):
        with num_threads(count):
            results.append(p.both(cpu))
    for count, other in zip((2, 3, 1), results[1:], strict=True):
        assert_equal_results(other, results[0], f"{count} threads")


@pytest.mark.parametrize(("rows", "kind"), [(37, "blocks"), (3, "team")])
def test_the_problems_above_are_walked_by_two_threads(rows, kind, monkeypatch):
    seen, run, engine = [], threads.run, engine_of("float32")

    def watched(function, tasks, alone=None):
        if function in (engine.forward, engine.stretches):
            seen.append((len(tasks), alone is not None))
        run(function, tasks, alone)

    monkeypatch.setattr(threads, "run", watched)
    p = make(build(Case("elman")), "float32", B=rows, I=13, H=45, R=1)
    with num_threads(2):
        p.both(cpu)
    # Blocks go forward each on its own; on the way back both threads share the products of a stretch, and meet.
    assert seen == [(2, kind == "team"), (2, True)]


@pytest.mark.engine
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_row_gives_the_same_bits_alone_and_among_others(case, dtype, ragged):
    p = make(build(case), dtype, B=29, H=35, R=1, ragged=ragged, feed=True, truncate=4)
    whole = p.both(cpu)
    of_rows = [name for name in whole if name in ("y", "dx") or name.startswith(("final", "d state"))]
    assert len(of_rows) >= 4
    for rows in ([0], [11], [28], slice(3, 16), slice(12, 29)):
        rows = np.arange(29)[rows]
        part = p.select(rows=rows).both(cpu)
        for name in of_rows:
            assert_same_bits(part[name], np.ascontiguousarray(whole[name][:, :, rows]), f"{name} of rows {rows}")


@pytest.mark.engine
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PLAIN)
def test_a_replica_gives_the_same_bits_alone_and_among_others(case, dtype):
    p = make(build(case), dtype, B=21, I=9, H=33, R=3, ragged=True, feed=True)
    whole = p.both(cpu)
    for r in range(3):
        alone = p.select(replicas=slice(r, r + 1)).both(cpu)
        assert_equal_results(alone, {name: value[r : r + 1] for name, value in whole.items()}, f"replica {r}")


@pytest.mark.engine
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PLAIN)
def test_without_a_tape_the_same_bits(case, dtype):
    for feed in (False, True):
        p = make(build(case), dtype, ragged=True, feed=feed)
        (y, final, _), (inferred, inferred_final, tape) = p.run(cpu), p.run(cpu, keep=False)
        assert tape is None
        assert_same_bits(inferred, y, "y")
        assert_equal_results(inferred_final, final, "final")


@pytest.mark.parametrize("case", PLAIN)
def test_old_memory_is_never_read(case):
    """NaN left behind by a run of the same sizes must not come out of the next one."""
    cell = build(case)
    p = make(cell, "float32", ragged=True, feed=True)
    first = p.both(cpu)
    spoiled = cast(p, np.float32)
    for name, value in spoiled.arrays().items():
        spoiled = spoiled.with_array(name, np.full_like(value, np.nan))
    spoiled.dy = np.full_like(p.dy, np.nan)
    spoiled.both(cpu)
    spoiled.run(cpu, keep=False)
    assert_equal_results(p.both(cpu), first)


@pytest.mark.engine
@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("sizes", [(13, 5, 19), (1, 1, 1), (9, 16, 33)], ids=str)
def test_nothing_around_the_arguments_is_read_or_written(case, sizes):
    B, I, H = sizes
    p = make(build(case), "float32", ragged=True, feed=True, B=B, I=I, H=H)
    expected, guards = p.both(cpu), []

    def fenced(a):
        around = np.full(a.size + 256, np.nan, a.dtype) if a.dtype != bool else np.ones(a.size + 256, bool)
        inside = around[128 : 128 + a.size].reshape(a.shape)
        inside[...] = a
        guards.append((around, around.copy()))
        return inside

    q = p
    for name, value in p.arrays().items():
        q = q.with_array(name, fenced(value))
    q.dy, q.dstate = fenced(p.dy), {k: fenced(v) for k, v in p.dstate.items()}
    q.feed = {k: (fenced(v), fenced(m)) for k, (v, m) in p.feed.items()}
    assert_equal_results(q.both(cpu), expected)
    for after, before in guards:
        assert_same_bits(after, before, "an argument or its surroundings")


def test_nan_stays_in_its_own_row_and_unit_order():
    p = make(build(Case("lstm")), "float32", B=29, H=35, R=1)
    clean = p.both(cpu)
    p.x[0, 3, 17] = np.nan
    got = p.both(cpu)
    others = np.arange(29) != 17
    assert np.isnan(got["y"][0, 3:, 17]).all()
    for name in ("y", "dx", "final h", "d state h"):
        assert_same_bits(*(np.ascontiguousarray(r[name][:, :, others]) for r in (got, clean)), name)


def test_two_python_threads_at_once():
    problems = [make(build(Case(name)), "float32", B=37, I=13, H=45) for name in ("lstm", "gru")]
    expected = [p.both(cpu) for p in problems]
    with num_threads(2), ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for i, got in enumerate(pool.map(lambda p: p.both(cpu), problems * 4)):
                assert_equal_results(got, expected[i % 2])


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_of_threads_is_refused(count):
    with pytest.raises(ValueError, match="threads: got"):
        threads.set_num_threads(count)
