"""Every cell's CUDA kernels on a grid of Python generators: values, gradients, and that no two threads race."""

import numpy as np
import odd_cells
import pytest
from helpers import ENGINE_CASES, Case, as_params, assert_close, assert_same_bits, away_from_kinks, problem

from rnnbench import cells
from rnnbench.kernels import cuda_host, reference

pytest.importorskip("numba_cuda", reason="make test-cuda installs it")
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(cuda_host.simulated(), reason="the simulator has tests of its own")]

from small_gpu import Diverged, Driver, Gpu, Race, has_a_past, installed  # noqa: E402

ODD = [pytest.param(make, id=make.__name__) for make in odd_cells.ALL]
PLAIN = [*as_params([c for c in ENGINE_CASES if not c.options]), *ODD]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
SMALL = {"T": 5, "B": 5, "I": 4, "H": 6}  # two blocks, two turns along the units, several tiles, none of them full
HARD = {**SMALL, "R": 2, "lengths": [5, 4, 4, 1, 0], "feed": True, "truncate": 2}


@pytest.fixture
def gpu(monkeypatch):
    """A small GPU, and blocks so small that a little problem takes several of everything."""
    from rnnbench.kernels import cuda_products, cuda_walk
    from rnnbench.kernels.cuda_resident import Geometry as Persistent
    from rnnbench.kernels.cuda_text import Geometry

    monkeypatch.setattr(cuda_walk, "GEOMETRY", Geometry(units=4, groups=2, threads=8, rows=2, depth=3))
    monkeypatch.setattr(cuda_walk, "PERSISTENT", Persistent(rows=2, parts=2, lanes=(2, 4), threads=8, depth=4))
    monkeypatch.setattr(cuda_products, "TILE", (4, 2))
    monkeypatch.setattr(cuda_products, "DEPTH", 3)
    monkeypatch.setattr(cuda_products, "CHUNK_ROWS", 12)
    return installed(monkeypatch)


def build(case):
    return case.build() if isinstance(case, Case) else case()


def assert_equals_reference(driver, p, dtype):
    got, expected = p.both(driver), p.both(reference)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == dtype, f"{name} is {got[name].dtype}"
        assert_close(got[name], value, TOLERANCE[dtype], name)


def assert_hard_problem_is_solved(driver, case, dtype):
    p = away_from_kinks(build(case), lambda seed: problem(build(case), seed, dtype=dtype, **HARD), 1e-5, ties=False)
    ended = np.arange(5) >= p.active[:, None]
    p.x[:, ended], p.dy[:, ended] = np.nan, np.nan  # padding is never read
    assert_equals_reference(driver, p, dtype)
    (y, final, _), (inferred, inferred_final, tape) = p.run(driver), p.run(driver, keep=False)
    assert tape is None
    assert_same_bits(inferred, y, "y")
    for name in final:
        assert_same_bits(inferred_final[name], final[name], name)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", PLAIN)
def test_portable_driver(case, dtype, gpu):
    assert_hard_problem_is_solved(Driver("portable"), case, dtype)


SHARES = {np.float32: 2, np.float64: 1}  # blocks that share out the rows of a slice


@pytest.mark.parametrize("dtype", SHARES)
@pytest.mark.parametrize("case", PLAIN)
def test_persistent_driver(case, dtype, gpu):
    gpu.multiprocessors = 6 * SHARES[dtype]  # three slices of two replicas
    if not has_a_past(build(case)):
        pytest.skip("no product with its own past")
    assert_hard_problem_is_solved(Driver("persistent"), case, dtype)
    walks = {launch for launch in gpu.launches if launch[0].startswith("persistent")}
    assert {name for name, *_ in walks} == {"persistent_forward", "persistent_backward"}
    assert {grid for _, grid, _ in walks} == {(3, SHARES[dtype], 2)}


BARRIERS = "cuda.syncthreads()", "cuda.cg.this_grid().sync()"


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", ["lstm", "gru", "jordan"])
def test_every_barrier_of_the_persistent_driver_is_needed(name, direction, gpu, monkeypatch):
    from rnnbench.kernels import cuda_persistent_write

    gpu.multiprocessors, whole, remove = 6, getattr(cuda_persistent_write, direction), None
    found = []

    def without(*given):
        kernel = whole(*given)
        at = [i for i, line in enumerate(kernel.lines) if line.strip() in BARRIERS]
        found[:] = [kernel.lines[i].strip() for i in at]
        if remove is not None:
            del kernel.lines[at[remove]]
        return kernel

    monkeypatch.setattr(cuda_persistent_write, direction, without)
    p = problem(cells.get(name), **HARD)
    p.run(Driver("persistent"))
    assert set(found) == set(BARRIERS)
    for remove in range(len(found)):  # noqa: B007  `without` reads it
        with pytest.raises(Race):
            p.both(Driver("persistent"))


def test_a_run_alone_has_the_same_bits(gpu):
    """Whatever the batch, the slices and the shares of the rows: sums have the same parts in the same order."""
    p = problem(cells.get("lstm"), T=4, B=7, I=3, H=6, R=2, dtype=np.float32, lengths=[4, 4, 3, 3, 2, 1, 1])
    gpu.multiprocessors = 12
    whole = p.both(Driver("persistent"))
    gpu.multiprocessors = 4  # slices of four units, not of two
    for name, value in p.both(Driver("persistent")).items():
        assert_same_bits(value, whole[name], name)
    for replica, row in ((0, 1), (1, 4)):
        alone = p.select(slice(replica, replica + 1), slice(row, row + 1)).both(Driver("persistent"))
        for name in ("y", "dx"):
            expected = whole[name][replica : replica + 1, :, row : row + 1]
            assert_same_bits(alone[name], np.ascontiguousarray(expected), name)


def test_no_more_blocks_than_can_run_together(gpu, monkeypatch, caplog):
    p = problem(cells.get("lstm"), **SMALL)
    gpu.multiprocessors = 6
    monkeypatch.setattr(cuda_host, "blocks_together", lambda *given: 2)
    with pytest.raises(ValueError) as raised:
        p.both(Driver("persistent"))
    assert str(raised.value) == (
        "driver: got 'persistent', but its 6 blocks have to run together, and only 2 can (forward); "
        "expected 'auto' or 'portable'"
    )
    assert not gpu.launches
    with caplog.at_level("INFO"):
        assert_equals_reference(Driver("auto"), p, np.float64)
    assert not [name for name, *_ in gpu.launches if name.startswith("persistent")]
    assert "lstm forward: the portable kernel runs, its 6 blocks have to run together" in caplog.text


SIZES = [
    {"T": 0}, {"B": 0}, {"T": 0, "B": 0}, {"I": 0}, {"T": 1, "B": 1, "I": 1, "H": 1}, {"B": 1, "H": 9},
    {"I": 9}, {"bias": False}, {"lengths": [0] * 5}, {"I": 0, "B": 1, "H": 3, "R": 2},
]  # fmt: skip


@pytest.mark.parametrize("driver", ["portable", "persistent"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", ["lstm", "gru", "skip", "jordan"])
def test_odd_sizes(name, sizes, driver, gpu):
    gpu.multiprocessors = 8
    assert_equals_reference(Driver(driver), problem(cells.get(name), **SMALL | sizes), np.float64)


@pytest.mark.parametrize("case", as_params([c for c in ENGINE_CASES if c.options]))
def test_options(case, gpu):
    """Where there is anything to keep on the chip, the persistent driver takes it."""
    gpu.multiprocessors = 3
    p = away_from_kinks(build(case), lambda seed: problem(build(case), seed, **SMALL), 1e-10, ties=False)
    for driver in ("portable", "auto"):
        assert_equals_reference(Driver(driver), p, np.float64)


# ---- what the small GPU itself sees ----


def kernel_of(text, **scope):
    """A kernel of this text, as Numba would hold it."""
    import linecache
    from types import SimpleNamespace

    name = f"<small kernel {len(linecache.cache)}>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    scope |= {"cuda": None}
    exec(compile(text, name, "exec"), scope)
    return SimpleNamespace(py_func=scope["kernel"])


SHIFT = """
def kernel(a, wait):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    a[i] = i
    {wait}
    v = a[(i + {step}) % a.size]
    cuda.cg.this_grid().sync()
    a[i] = v
"""


@pytest.mark.parametrize(
    ("step", "wait", "sees"),
    [
        (1, "cuda.cg.this_grid().sync()", None),
        (1, "cuda.syncthreads()", Race),  # the last thread of a block reads of the next one
        (1, "pass", Race),
        (0, "pass", None),
        (0, "if i: cuda.syncthreads()", Diverged),
        (0, "if i < 2: cuda.cg.this_grid().sync()", Diverged),
        (9, "a[-1] = 0", IndexError),
    ],
)
def test_races_and_hangs_are_seen(step, wait, sees):
    small, given = Gpu(), np.zeros(6)
    memory = small.upload(given)
    kernel = kernel_of(SHIFT.format(step=step, wait=wait))
    if sees:
        with pytest.raises(sees):
            small.launch(kernel, 3, 2, memory, 0)
    else:
        small.launch(kernel, 3, 2, memory, 0)
        assert list(memory.array) == [(i + step) % 6 for i in range(6)]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", ["lstm", "mut3"])
def test_a_missing_barrier_is_a_race(name, direction, gpu, monkeypatch):
    """Of each of the walk's tiles, both barriers are needed: one after filling it, one after using it."""
    from rnnbench.kernels import cuda_write

    whole, missing = getattr(cuda_write, direction), []

    def without(*given):
        kernel = whole(*given)
        (*_, at) = (i for i, line in enumerate(kernel.lines) if line.strip().startswith("for k in"))
        missing.append(kernel.lines.pop(at - 1).strip())
        return kernel

    monkeypatch.setattr(cuda_write, direction, without)
    with pytest.raises(Race):
        problem(cells.get(name), **SMALL).both(Driver("portable"))
    assert set(missing) == {"cuda.syncthreads()"}
