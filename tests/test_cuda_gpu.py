"""The CUDA drivers on a GPU: values and gradients against the reference, and the same bits run after run."""

import shutil
import subprocess
import sys

import numpy as np
import odd_cells
import pytest
from helpers import ENGINE_CASES, Case, as_params, assert_close, randomise
from test_engines import DTYPES, assert_equal_results, build, cast, make

from rnnbench import Recurrent, cells
from rnnbench.kernels import cuda_host, reference


def reason():
    """Why there is no GPU to test on, or None."""
    if cuda_host.simulated():
        return "the simulator is no GPU"
    try:
        cuda_host.require()
    except RuntimeError as error:
        return str(error)
    return None


@pytest.fixture(scope="module", autouse=True)
def gpu():
    """Without a GPU every test is skipped, and says why."""
    if why := reason():
        pytest.skip(why)


pytestmark = [pytest.mark.gpu, pytest.mark.cuda]
ODD = [pytest.param(make_cell, id=make_cell.__name__) for make_cell in odd_cells.ALL]
EVERY = [*as_params(ENGINE_CASES), *ODD]
PLAIN = [*as_params([c for c in ENGINE_CASES if not c.options]), *ODD]
SIZES = [
    {"T": 1, "B": 1, "I": 0, "H": 1, "R": 1},
    {"T": 6, "B": 13, "I": 5, "H": 19, "R": 2, "ragged": True, "feed": True, "truncate": 2},
    {"T": 5, "B": 33, "I": 17, "H": 130, "R": 1, "bias": False},
]
DRIVERS = ["portable", "persistent"]
ROUNDOFF = {"tf32": 2.0**-11, "bf16": 2.0**-8, "fp16": 2.0**-11}


def driver_for(name, case, precision="ieee"):
    """A driver, if it is one for this cell."""
    from small_gpu import Driver, has_a_past

    if name == "persistent" and not has_a_past(build(case)):
        pytest.skip("no product with its own past")
    return Driver(name, precision)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", EVERY)
def test_gpu_equals_reference(case, dtype, sizes, driver):
    p = make(build(case), dtype, **sizes)
    got, expected = p.both(driver_for(driver, case)), cast(p, "float64").both(reference)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == dtype
        assert_close(got[name], value, DTYPES[dtype][0], name)


@pytest.mark.skipif(shutil.which("compute-sanitizer") is None, reason="compute-sanitizer is not installed")
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck"])
def test_the_sanitizer_finds_nothing(tool):
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-m", "gpu"]
    chosen = ["-k", "test_gpu_equals_reference and (jordan or leaky) and float32"]
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "99", *tests, *chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", PLAIN)
def test_twenty_runs_have_the_same_bits(case, driver):
    p = make(build(case), "float32", B=37, I=13, H=70, T=20, ragged=True, feed=True)
    chosen = driver_for(driver, case)
    first = p.both(chosen)
    for run in range(19):
        assert_equal_results(p.both(chosen), first, f"run {run + 2}")


@pytest.mark.parametrize("precision", ROUNDOFF)
@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "jordan", "mut3"])
def test_tensor_cores(name, precision):
    """As far from the reference as rounding explains, and the same bits again."""
    p = make(cells.get(name), "float32", T=12, B=37, I=13, H=70, R=1, ragged=True)
    driver = driver_for("persistent", Case(name), precision)
    got, expected = p.both(driver), cast(p, "float64").both(reference)
    for key, value in expected.items():
        assert_close(got[key], value, 50 * ROUNDOFF[precision], key)
    assert_equal_results(p.both(driver), got, "again")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hidden", [300, 512, 1000])
@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "mut3"])
def test_larger_sizes(name, hidden, driver):
    p = make(cells.get(name), "float32", T=20, B=70, I=50, H=hidden, R=1, ragged=True)
    try:
        got = p.both(driver_for(driver, Case(name)))
    except ValueError as error:  # a small GPU says that it does not fit
        assert "expected 'auto' or 'portable'" in str(error)
        pytest.skip(str(error))
    for key, value in cast(p, "float64").both(reference).items():
        assert_close(got[key], value, DTYPES["float32"][0], key)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_long_run_does_not_hang(driver):
    layer = randomise(Recurrent("gru", 8, 256, device="cuda", driver=driver))
    y, _ = layer.forward(np.zeros((5000, 4, 8), np.float32), tape=False)
    assert np.isfinite(y).all()


def test_indices_beyond_what_32_bits_hold():
    """More than 2^31 outputs: the last rows are what they are alone."""
    from numba import cuda as numba_cuda

    steps, rows, hidden = 2100, 16384, 64
    free, needed = numba_cuda.current_context().get_memory_info()[0], 4 * steps * rows * (hidden + 4) + 2**31
    if free < needed:
        pytest.skip(f"{free / 2**30:.0f} GiB of the GPU's memory are free, expected {needed / 2**30:.0f}")
    layer = randomise(Recurrent("elman", 1, hidden, device="cuda", driver="portable"))
    x = np.random.default_rng(0).standard_normal((steps, rows, 1)).astype(np.float32)
    y, _ = layer.forward(numba_cuda.to_device(x), tape=False)
    assert y.size > 2**31
    alone, _ = layer.forward(np.ascontiguousarray(x[:, -3:]), tape=False)
    for t in (0, steps // 2, steps - 1):
        assert np.array_equal(y[t].copy_to_host()[-3:], alone[t])


def test_out_of_memory_says_how_much():
    with pytest.raises(MemoryError, match="no room for another"):
        cuda_host.empty(2**46, "float32")


@pytest.mark.parametrize("library", ["torch", "cupy"])
def test_arrays_of_others_in_their_stream(library):
    """Nothing is copied on the way in, and what comes out is an array of theirs without a copy."""
    them = pytest.importorskip(library)
    if library == "torch" and not them.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    x = np.random.default_rng(0).standard_normal((7, 5, 3)).astype(np.float32)
    layer, lengths = randomise(Recurrent("lstm", 3, 40, device="cuda")), [7, 3, 5, 0, 7]
    expected, state = layer.forward(x, lengths=lengths)
    dx, _ = layer.backward(expected, state)
    if library == "torch":
        stream = them.cuda.Stream()
        with them.cuda.stream(stream):
            y, state = layer.forward(them.tensor(x, device="cuda"), lengths=lengths, stream=stream)
            got = [them.as_tensor(v, device="cuda").cpu().numpy() for v in (y, layer.backward(y, state)[0])]
    else:
        with them.cuda.Stream() as stream:
            y, state = layer.forward(them.asarray(x), lengths=lengths, stream=stream)
            got = [them.asnumpy(them.asarray(v)) for v in (y, layer.backward(y, state)[0])]
    assert np.array_equal(got[0], expected)
    assert np.array_equal(got[1], dx)


@pytest.mark.parametrize("precision", ["ieee", "fp16"])
def test_a_trial_of_the_throughput_experiment(precision):
    """Everything is there, agrees with float64, and has been timed; nothing is said of how long it took."""
    from rnnbench.peers import cuda_trial, tasks

    task = tasks.Task("lstm", None, tasks.Shape(20, 8, 64, 64), "inference", 1)
    rows = cuda_trial.rows(task, precision, "torch", 3, np.random.default_rng(0))
    for row in rows:
        if row["outcome"] == "not installed" or (row["peer"] == "torch" and row["outcome"] == "not supported"):
            continue  # PyTorch is not part of the extra cuda
        assert row["outcome"] == "ok", row
        assert row["over_floor" if row["kind"] == "time" else "floor_us"] > 0
