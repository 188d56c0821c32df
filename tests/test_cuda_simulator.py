"""The CUDA kernels in Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``, a process of its own) against the reference."""

import sys
import threading

import numpy as np
import odd_cells
import pytest
from helpers import ENGINE_CASES, Case, as_params, assert_close, assert_same_bits, away_from_kinks, problem, randomise
from small_gpu import Driver, has_a_past

from rnnbench import cells, ops
from rnnbench.kernels import cuda_host, reference
from rnnbench.kernels.cuda_resident import Geometry as Persistent
from rnnbench.kernels.cuda_text import Geometry
from rnnbench.layers.recurrent import Recurrent

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not cuda_host.simulated(), reason="make test-cuda sets NUMBA_ENABLE_CUDASIM=1"),
]
ODD = [pytest.param(make, id=make.__name__) for make in odd_cells.ALL]
PLAIN = [*as_params([c for c in ENGINE_CASES if not c.options]), *ODD]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
SMALL = {"T": 5, "B": 5, "I": 4, "H": 6}  # two blocks, two turns along the units, several tiles, none of them full
HARD = {**SMALL, "R": 2, "lengths": [5, 4, 4, 1, 0], "feed": True, "truncate": 2}


@pytest.fixture(scope="module", autouse=True)
def cuda():
    """The driver, with blocks so small that a little problem takes several of everything."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the simulator polls its threads
    from numba.cuda.simulator import kernelapi

    from rnnbench.kernels import cuda, cuda_arrays, cuda_products, cuda_walk

    def one_allocation(self, size):
        kernelapi_init(self, size)
        self._allocations = OneAtATime()

    kernelapi_init = kernelapi.FakeCUDAShared.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_walk, "GEOMETRY", Geometry(units=4, groups=2, threads=8, rows=2, depth=3))
        patch.setattr(cuda_walk, "PERSISTENT", Persistent(rows=2, parts=2, lanes=(8,), threads=16, depth=4))
        patch.setattr(cuda_products, "TILE", (4, 2))
        patch.setattr(cuda_products, "DEPTH", 3)
        patch.setattr(cuda_products, "CHUNK_ROWS", 12)
        patch.setattr(cuda_arrays, "FLAT", 2)
        patch.setattr(cuda_host, "empty", spoiled)
        patch.setattr(kernelapi.FakeCUDAShared, "__init__", one_allocation)
        yield cuda
    sys.setswitchinterval(interval)


class OneAtATime(dict):
    """A block's shared arrays: the simulator looks one up and, if it is missing, adds it, without a lock."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def get(self, key):
        """Look up; after None nobody else may until the array has been added."""
        self.lock.acquire()
        found = super().get(key)
        if found is not None:
            self.lock.release()
        return found

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.lock.release()


def spoiled(size, dtype):
    """Fresh memory that spoils whatever reads it."""
    return cuda_host.upload(np.full(max(int(size), 1), np.nan, dtype))


def build(case):
    return case.build() if isinstance(case, Case) else case()


def assert_equals_reference(driver, p, dtype):
    got, expected = p.both(driver), p.both(reference)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == dtype, f"{name} is {got[name].dtype}"
        assert_close(got[name], value, TOLERANCE[dtype], name)


@pytest.mark.parametrize("case", PLAIN)
def test_portable_driver(case, cuda):
    p = away_from_kinks(build(case), lambda seed: problem(build(case), seed, **SMALL), 1e-10, ties=False)
    assert_equals_reference(Driver("portable"), p, np.float64)


@pytest.mark.parametrize("case", PLAIN)
def test_persistent_driver_in_one_block(case, cuda):
    """The simulator's grid has one block at most; test_cuda_grid.py has several."""
    if not has_a_past(build(case)):
        pytest.skip("no product with its own past")
    sizes = SMALL | {"T": 3, "B": 3}
    p = away_from_kinks(build(case), lambda seed: problem(build(case), seed, **sizes), 1e-10, ties=False)
    assert_equals_reference(Driver("persistent"), p, np.float64)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", as_params([Case(n) for n in ("lstm", "gru", "skip", "mut3", "scrn", "jordan")]))
def test_ragged_fed_truncated_replicas(case, dtype, cuda):
    p = away_from_kinks(build(case), lambda seed: problem(build(case), seed, dtype=dtype, **HARD), 1e-5, ties=False)
    ended = np.arange(5) >= p.active[:, None]
    p.x[:, ended], p.dy[:, ended] = np.nan, np.nan  # padding is never read
    assert_equals_reference(cuda, p, dtype)
    (y, final, _), (inferred, inferred_final, tape) = p.run(cuda), p.run(cuda, keep=False)
    assert tape is None
    assert_same_bits(inferred, y, "y")
    for name in final:
        assert_same_bits(inferred_final[name], final[name], name)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_after", "lstm_peephole", "delayed", "jordan"])
def test_a_layer_is_what_it_is_elsewhere(name, cuda):
    rng = np.random.default_rng(0)
    x, dy_seed = rng.standard_normal((7, 5, 3)), rng.standard_normal((7, 5, 64))
    lengths = np.array([3, 7, 0, 6, 7])

    def run(device, **forward):
        layer = randomise(Recurrent(name, 3, 6, dtype="float64", device=device))
        y, state = layer.forward(x, lengths=lengths, reverse=True, **forward)
        dy = dy_seed[..., : layer.output_size]
        dx, dstate = layer.backward(dy[0] if y.ndim == 2 else dy, truncate=4)
        with layer.frozen():
            frozen, _ = layer.forward(x, lengths=lengths, reverse=True, tape=False)
        named = {"y": y, "dx": dx, "frozen": frozen} | {f"d {k}": v for k, v in layer.grads.items()}
        return named | {f"state {k}": v for k, v in state.items()} | {f"d state {k}": v for k, v in dstate.items()}

    plain = run("cuda")
    for outputs in ("all", "last"):
        got, expected = run("cuda", outputs=outputs), run("reference", outputs=outputs)
        for key, value in expected.items():
            assert_close(got[key], value, 1e-12, f"{outputs} {key}")
    for key, value in run("cuda", checkpoint=2).items():
        assert_same_bits(value, plain[key], f"checkpoint {key}")


WAYS = [
    {},
    {"lengths": np.array([3, 4, 0, 2])},
    {"lengths": np.array([3, 4, 0, 2]), "reverse": True, "outputs": "last"},
]


@pytest.mark.parametrize("way", WAYS, ids=["plain", "ragged", "last"])
@pytest.mark.parametrize("name", ["lstm", "delayed"])
def test_arrays_on_the_gpu_go_in_and_out(name, way, cuda):
    """Numba's simulator has arrays and streams, too: what lies on the GPU stays there."""
    from numba import cuda as numba_cuda

    rng = np.random.default_rng(0)
    x, layer, found = rng.standard_normal((4, 4, 3)), {}, {}
    given = numba_cuda.to_device(x)
    for device in ("cuda", "reference"):
        layer[device] = randomise(Recurrent(name, 3, 4, dtype="float64", device=device))
        on_gpu = device == "cuda"
        stream = {"stream": numba_cuda.stream()} if on_gpu else {}
        y, state = layer[device].forward(given if on_gpu else x, **way, **stream)
        dy = np.random.default_rng(1).standard_normal(y.shape)
        dx, dstate = layer[device].backward(numba_cuda.to_device(dy) if on_gpu else dy, state)  # dstate: any numbers
        found[device] = {"y": y, "dx": dx} | state | {f"d{key}": value for key, value in dstate.items()}
    for key, expected in found["reference"].items():
        got = found["cuda"][key]
        assert cuda_host.on_device(got), key
        assert_close(got.copy_to_host(), expected, 1e-12, key)
    for key, grad in layer["reference"].grads.items():
        assert_close(layer["cuda"].grads[key], grad, 1e-12, key)
    assert_same_bits(given.copy_to_host(), x)


@pytest.mark.parametrize("options", [{}, {"lengths": np.array([3, 4, 0, 2]), "reverse": True}], ids=["plain", "ragged"])
def test_fed_values_on_the_gpu(options, cuda):
    from numba import cuda as numba_cuda

    rng = np.random.default_rng(0)
    x, values, mask = rng.standard_normal((4, 4, 3)), rng.standard_normal((4, 4, 4)), rng.random((4, 4)) < 0.5
    found = {}
    for place in (np.array, numba_cuda.to_device):
        layer = randomise(Recurrent("lstm", 3, 4, dtype="float64", device="cuda"))
        y, state = layer.forward(x, feed={"h": (place(values), mask)}, **options)
        dx, dstate = layer.backward(y, state)
        found[place] = {"y": y, "dx": dx} | state | {f"d{k}": v for k, v in dstate.items()} | layer.grads
    plain, _ = layer.forward(x, **options)
    assert not np.array_equal(plain, y)
    for key, expected in found[np.array].items():
        assert_same_bits(found[numba_cuda.to_device][key], expected, key)


def test_an_array_on_the_gpu_is_read_in_place(cuda):
    from numba import cuda as numba_cuda

    layer = Recurrent("lstm", 3, 4, device="cuda")
    x = numba_cuda.to_device(np.zeros((2, 2, 3), np.float32))
    layer.forward(x)
    assert np.shares_memory(layer._tape.saved.kernel.x._ary, x._ary)


def test_wrong_arrays_on_the_gpu(cuda):
    from numba import cuda as numba_cuda

    layer = Recurrent("lstm", 3, 4, device="cuda")
    x = np.zeros((5, 2, 3), np.float32)

    def refused(error, message, *given, **options):
        with pytest.raises(error) as raised:
            layer.forward(*given, **options)
        assert str(raised.value) == message

    refused(TypeError, "x: got dtype float64, expected float32", numba_cuda.to_device(x.astype(float)))
    refused(ValueError, "x: got shape (5, 2, 2), expected (any, any, 3)", numba_cuda.to_device(x[:, :, :2].copy()))
    refused(
        ValueError,
        "x: got strides (48, 12, 4) on the GPU, expected a C-contiguous array",
        numba_cuda.to_device(x)[::2],
    )
    refused(
        ValueError,
        "checkpoint: got an x on the GPU, expected a NumPy array with it",
        numba_cuda.to_device(x),
        checkpoint=2,
    )
    fed = numba_cuda.to_device(np.zeros((5, 2, 4), np.float32)), np.ones(5, bool)
    refused(
        ValueError, "checkpoint: got a feed on the GPU, expected NumPy arrays with it", x, feed={"h": fed}, checkpoint=2
    )
    mask = numba_cuda.to_device(fed[1])
    refused(
        TypeError,
        f"feed['h'] mask: got {type(mask).__name__} on the GPU, expected a NumPy array",
        x,
        feed={"h": (fed[0], mask)},
    )
    refused(
        TypeError, "stream: got str, expected one of Numba, CuPy or PyTorch, or a handle (an integer)", x, stream="mine"
    )
    h = numba_cuda.to_device(np.zeros((3, 4), np.float32))
    refused(ValueError, "state['h']: got shape (3, 4), expected (2, 4)", x, {"h": h})
    layer.forward(x, checkpoint=2)
    with pytest.raises(ValueError, match="backward: got arrays on the GPU after checkpoint=, expected NumPy arrays"):
        layer.backward(numba_cuda.to_device(np.zeros((5, 2, 4), np.float32)))


def test_the_comparison_can_fail(cuda):
    """A wrong derivative in one cell is seen here, too."""
    cell = cells.get("elman")
    (stage,) = cell.stages
    wrong = type(stage)(
        stage.forward, lambda *given: ((given[0][0] * ops.d_sigmoid(given[2][0]),), (), ()), stage.makes, stage.gates
    )  # fmt: skip
    good = problem(cell, **SMALL)
    bad = problem(type(cell)(vectors=cell.vectors, stages=(wrong,), output="h"), **SMALL)
    with pytest.raises(AssertionError, match="off by"):
        for name, value in bad.both(cuda).items():
            assert_close(value, good.both(reference)[name], 1e-12, name)
