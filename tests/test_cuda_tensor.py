"""Products on tensor cores: where a warp's numbers lie, what they are rounded to, and whole cells on a small grid."""

import fragments
import numpy as np
import pytest
from helpers import assert_close, problem

from rnnbench import Recurrent, cells
from rnnbench.kernels import cuda_host, reference

pytest.importorskip("numba_cuda", reason="make test-cuda installs it")
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(cuda_host.simulated(), reason="the simulator has no tensor cores")]

from small_gpu import Driver, installed  # noqa: E402

# Unit roundoff: 2 to the minus (bits of the mantissa, the hidden one included).
ROUNDOFF = {"tf32": 2.0**-11, "bf16": 2.0**-8, "fp16": 2.0**-11}


@pytest.mark.parametrize("packed", [False, True])
def test_every_number_of_a_fragment_has_one_place(packed):
    a = {fragments.a_place(i, t, packed) for t in range(32) for i in range(4)}
    b = {fragments.b_place(i, t, packed) for t in range(32) for i in range(2)}
    c = {fragments.c_place(i, t) for t in range(32) for i in range(4)}
    assert a == {(row, k) for row in range(16) for k in range(8)}
    assert b == {(k, column) for k in range(8) for column in range(8)}
    assert c == {(row, column) for row in range(16) for column in range(8)}


@pytest.mark.parametrize("precision", ROUNDOFF)
def test_rounding(precision):
    rounded, u = fragments.ROUND[precision], ROUNDOFF[precision]
    x = np.random.default_rng(0).uniform(1, 2, 1000).astype(np.float32)
    got = np.array([rounded(v) for v in x])
    assert np.max(np.abs(got - x)) <= u and np.max(np.abs(got - x)) > 0.9 * u
    assert all(rounded(v) == v for v in got) and len(set(got)) > 100
    assert [rounded(np.float32(v)) for v in (0.0, 1.0, -1.5, np.inf)] == [0.0, 1.0, -1.5, np.inf]
    tie = {"tf32": 1 + 2 * u, "bf16": 1.0, "fp16": 1.0}  # away from 0, or to even
    assert rounded(np.float32(1 + u)) == tie[precision]


@pytest.mark.parametrize("precision", ROUNDOFF)
def test_a_warp_multiplies_what_the_module_says_it_does(precision):
    """Threads bring numbers as the docstring of cuda_tensor says; the instructions' text then makes A B + C of them."""
    rng = np.random.default_rng(1)
    a, b, c = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 8), (8, 8), (16, 8)))
    given = []
    for t in range(32):
        q, s = t // 4, t % 4
        of_a = a[q, s], a[q + 8, s], a[q, s + 4], a[q + 8, s + 4]
        of_c = c[q, 2 * s], c[q, 2 * s + 1], c[q + 8, 2 * s], c[q + 8, 2 * s + 1]
        given.append((*of_a, b[s, q], b[s + 4, q], *of_c))
    rounded = np.vectorize(fragments.ROUND[precision], otypes=[np.float64])
    expected = rounded(a) @ rounded(b) + c
    for t, found in enumerate(fragments.multiply_add(precision, given)):
        q, s = t // 4, t % 4
        places = (q, 2 * s), (q, 2 * s + 1), (q + 8, 2 * s), (q + 8, 2 * s + 1)
        assert np.allclose(found, [expected[place] for place in places], rtol=1e-6, atol=1e-6)


@pytest.fixture
def gpu(monkeypatch):
    """A small GPU with blocks as large as tensor cores want them."""
    gpu = installed(monkeypatch)
    gpu.multiprocessors = 4
    return gpu


@pytest.mark.parametrize("precision", ROUNDOFF)
@pytest.mark.parametrize("name", ["lstm", "gru", "jordan"])
def test_cells(name, precision, gpu):
    sizes = {"T": 3, "B": 18, "I": 5, "H": 11, "lengths": [3] * 9 + [2] * 8 + [1]}
    p = problem(cells.get(name), dtype=np.float32, **sizes)
    got, expected = p.both(Driver("persistent", precision)), p.both(reference)
    worst = 0.0
    for key, value in expected.items():
        assert got[key].dtype == np.float32
        assert_close(got[key], value, 20 * ROUNDOFF[precision], key)
        worst = max(worst, float(np.max(np.abs(got[key] - value))))
    assert worst > ROUNDOFF[precision] / 10  # it was rounded
    assert any(block == (8, 8, 4) for name, _, block in gpu.launches if name.startswith("persistent"))


def test_products_over_all_steps_follow_the_portable_driver(gpu):
    """It is IEEE; y comes out as ever, and the weights' gradients are rounded."""
    p = problem(cells.get("elman"), dtype=np.float32, T=3, B=5, I=3, H=4)
    got, plain = p.both(Driver("portable", "bf16")), p.both(Driver("portable"))
    assert np.array_equal(got["y"], plain["y"])
    assert not np.array_equal(got["d weight_hh"], plain["d weight_hh"])
    assert_close(got["d weight_hh"], plain["d weight_hh"], 20 * ROUNDOFF["bf16"])


def test_a_row_alone_has_the_same_bits(gpu):
    p = problem(cells.get("lstm"), T=3, B=18, I=3, H=11, dtype=np.float32)
    whole = p.both(Driver("persistent", "tf32"))
    alone = p.select(rows=slice(17, 18)).both(Driver("persistent", "tf32"))
    for key in ("y", "dx"):
        assert np.array_equal(alone[key], whole[key][:, :, 17:])


def test_where_there_is_no_choice_of_precision():
    for options in ({"device": "cpu"}, {"device": "reference"}):
        with pytest.raises(ValueError, match="precision: got 'tf32', expected one of 'ieee'"):
            Recurrent("lstm", 2, 3, precision="tf32", **options)
        with pytest.raises(ValueError, match="driver: got 'portable', expected one of 'auto'"):
            Recurrent("lstm", 2, 3, driver="portable", **options)


def test_an_old_gpu_has_no_such_tensor_cores(monkeypatch):
    from types import SimpleNamespace

    from numba import cuda as numba_cuda

    monkeypatch.setattr(cuda_host, "require", lambda: None)
    monkeypatch.setattr(numba_cuda, "get_current_device", lambda: SimpleNamespace(compute_capability=(7, 5)))
    with pytest.raises(RuntimeError) as raised:
        Recurrent("lstm", 2, 3, device="cuda", precision="bf16")
    assert str(raised.value) == (
        "precision 'bf16': this GPU has compute capability 7.5, expected 8.0 or later (Ampere, 2020)"
    )
    with pytest.raises(ValueError, match="precision: got 'bf16', expected one of 'ieee'"):
        Recurrent("lstm", 2, 3, dtype="float64", device="cuda", precision="bf16")
