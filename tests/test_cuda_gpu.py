"""The CUDA driver on a GPU: values and gradients against the reference, and the same bits run after run."""

import odd_cells
import pytest
from helpers import ENGINE_CASES, as_params, assert_close
from test_engines import DTYPES, assert_equal_results, build, cast, make

from rnnbench import cells
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
def cuda():
    """The driver; without a GPU the test is skipped, and says why."""
    if why := reason():
        pytest.skip(why)
    from rnnbench.kernels import cuda

    return cuda


pytestmark = [pytest.mark.gpu, pytest.mark.cuda]
ODD = [pytest.param(make_cell, id=make_cell.__name__) for make_cell in odd_cells.ALL]
EVERY = [*as_params(ENGINE_CASES), *ODD]
PLAIN = [*as_params([c for c in ENGINE_CASES if not c.options]), *ODD]
SIZES = [
    {"T": 1, "B": 1, "I": 0, "H": 1, "R": 1},
    {"T": 6, "B": 13, "I": 5, "H": 19, "R": 2, "ragged": True, "feed": True, "truncate": 2},
    {"T": 5, "B": 33, "I": 17, "H": 130, "R": 1, "bias": False},
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", EVERY)
def test_gpu_equals_reference(case, dtype, sizes, cuda):
    p = make(build(case), dtype, **sizes)
    got, expected = p.both(cuda), cast(p, "float64").both(reference)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == dtype
        assert_close(got[name], value, DTYPES[dtype][0], name)


@pytest.mark.parametrize("case", PLAIN)
def test_twenty_runs_have_the_same_bits(case, cuda):
    p = make(build(case), "float32", B=37, I=13, H=70, T=20, ragged=True, feed=True)
    first = p.both(cuda)
    for run in range(19):
        assert_equal_results(p.both(cuda), first, f"run {run + 2}")


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "mut3"])
def test_larger_sizes(name, cuda):
    p = make(cells.get(name), "float32", T=30, B=70, I=50, H=300, R=1, ragged=True)
    got, expected = p.both(cuda), cast(p, "float64").both(reference)
    for key, value in expected.items():
        assert_close(got[key], value, DTYPES["float32"][0], key)


def test_out_of_memory_says_how_much(cuda):
    with pytest.raises(MemoryError, match="no room for another"):
        cuda_host.empty(2**46, "float32")
