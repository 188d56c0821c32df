"""What the papers of the cells after the textbooks promise: orthogonality, stabilisation, antisymmetry, sizes."""

import math

import numpy as np
import pytest
from helpers import assert_close, problem, randomise

from rnnbench import Recurrent, cells
from rnnbench.kernels import cpu, reference
from rnnbench.layout import Layout


def orthogonal_matrix(raw, **options):
    used = cells.get("orthogonal", **options).weights.forward({"weight_hh": raw})["weight_hh"]
    assert used.dtype == raw.dtype
    return used


@pytest.mark.parametrize("size", [1, 2, 3, 19, 64, 127])
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("reflections", [0.0, 0.5])
def test_the_recurrent_matrix_is_orthogonal_whatever_the_free_one(size, scale, reflections):
    raw = scale * np.random.default_rng(size).uniform(-1, 1, (size, size))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        q = orthogonal_matrix(raw.astype(dtype), reflections=reflections).astype(float)
        assert np.abs(q.T @ q - np.eye(size)).max() <= tolerance, dtype
        assert np.linalg.det(q) == pytest.approx((-1) ** round(reflections * size), rel=1e-4)


def test_the_recurrent_matrix_stays_orthogonal_under_gradient_descent():
    layer = Recurrent("orthogonal", 3, 16, dtype="float64")
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(9, 5, 3)), rng.uniform(-0.5, 0.5, (9, 5, 16))
    losses, start = [], layer.params["weight_hh"].copy()
    for _ in range(30):
        y, _ = layer.forward(x)
        losses.append(np.square(y - target).mean())
        layer.zero_grad()
        layer.backward((y - target) / len(y))
        for key, value in layer.params.items():
            value -= 0.05 * layer.grads[key]
    assert losses[-1] < 0.9 * losses[0]
    assert np.abs(layer.params["weight_hh"] - start).max() > 1e-3
    q = orthogonal_matrix(layer.params["weight_hh"])
    assert np.abs(q.T @ q - np.eye(16)).max() <= 1e-12


def test_the_first_orthogonal_matrix_is_a_well_spread_rotation():
    q = orthogonal_matrix(Recurrent("orthogonal", 3, 128, dtype="float64").params["weight_hh"])
    angles = np.abs(np.degrees(np.angle(np.linalg.eigvals(q))))
    assert np.median(angles) == pytest.approx(66, abs=4) and angles.max() == pytest.approx(116, abs=4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_the_gradient_of_the_orthogonal_matrix_by_a_complex_step(scale):
    rng = np.random.default_rng(0)
    raw, g = scale * rng.normal(size=(5, 5)), rng.normal(size=(5, 5))
    weight_map = cells.get("orthogonal", reflections=0.4).weights
    expected = np.zeros((5, 5))
    for at in np.ndindex(5, 5):
        moved = raw.astype(complex)
        moved[at] += 1e-30j
        expected[at] = (g * weight_map.forward({"weight_hh": moved})["weight_hh"].imag).sum() / 1e-30
    got = weight_map.backward({"weight_hh": raw}, {"weight_hh": g})["weight_hh"]
    assert np.abs(got - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_antisymmetric_matrix_has_imaginary_eigenvalues_but_for_the_diffusion(dtype):
    layer = randomise(Recurrent("antisymmetric", 2, 7, dtype=dtype, gamma=0.25))
    used = layer.cell.weights.forward({"weight_hh": layer.params["weight_hh"]})["weight_hh"]
    assert used.dtype == dtype
    np.testing.assert_array_equal(used + used.T, -0.5 * np.eye(7))


def unstabilised(layer, x, forget):
    """The sLSTM from zero as it is first written down, with plain exponentials."""
    weights, h = layer.params, np.zeros((x.shape[1], layer.hidden_size))
    c, n, outputs = np.zeros_like(h), np.zeros_like(h), []
    for x_t in x:
        a = x_t @ weights["weight_ih"].T + h @ weights["weight_hh"].T + weights["bias"]
        i, f, z, o = np.split(a, 4, axis=1)
        f = np.exp(f) if forget == "exp" else 1 / (1 + np.exp(-f))
        c, n = f * c + np.exp(i) * np.tanh(z), f * n + np.exp(i)
        h = c / n / (1 + np.exp(-o))
        outputs.append(h)
    return np.array(outputs), c, n


@pytest.mark.parametrize("device", ["reference", "cpu"])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_the_stabiliser_changes_no_output(device, forget):
    layer = randomise(Recurrent("slstm", 3, 5, dtype="float64", device=device, forget=forget))
    x = 3 * np.random.default_rng(0).normal(size=(40, 4, 3))
    y, final = layer.forward(x)
    expected, c, n = unstabilised(layer, x, forget)
    assert_close(y, expected, 1e-13, "y")
    np.testing.assert_allclose(final["c"] * np.exp(final["m"]), c, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(final["n"] * np.exp(final["m"]), n, rtol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_exponential_gates_never_overflow(dtype, forget):
    layer = randomise(Recurrent("slstm", 3, 5, dtype=dtype, forget=forget))
    x = (1e4 * np.random.default_rng(0).normal(size=(30, 4, 3))).astype(dtype)
    y, final = layer.forward(x)
    dx, dstate = layer.backward(np.ones_like(y))
    for value in (y, dx, *final.values(), *dstate.values(), *layer.grads.values()):
        assert np.isfinite(value).all()
    assert (final["n"] >= 1).all() and np.abs(y).max() <= 1


def test_a_tie_of_the_stabiliser_gives_its_derivative_to_the_forget_gate():
    p = problem(cells.get("slstm", forget="exp"), T=1, B=1, I=1, H=1)
    p.raw = {key: np.zeros_like(value) for key, value in p.raw.items()}
    p.state["m"][...] = 0.0
    p.dy[...] = 0.0
    p.dstate = {name: np.full_like(value, float(name == "m")) for name, value in p.dstate.items()}
    for driver in (reference, cpu):
        results = p.both(driver)
        assert results["d bias"].ravel().tolist() == [0.0, 1.0, 0.0, 0.0], "i, f, z, o"
        assert results["d state m"].item() == 1.0


def test_the_size_of_an_lem_is_that_of_its_paper():
    """68k with 128 units on sequential MNIST, the readout's ten classes included."""
    count = Layout(cells.get("lem"), 1, 128).weight_count() + 10 * (128 + 1)
    assert count == 67_850 and round(count, -3) == 68_000


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("antisymmetric", {"eps": 0}, "eps: got 0, expected a number above 0"),
        ("antisymmetric", {"eps": math.inf}, "eps: got inf"),
        ("antisymmetric", {"gamma": -1.0}, "gamma: got -1.0, expected a number >= 0"),
        ("antisymmetric", {"gated": 1}, "gated: got 1, expected one of False, True"),
        ("lem", {"dt": "1"}, "dt: got '1', expected a number above 0"),
        ("lem", {"dt": math.nan}, "dt: got nan"),
        ("orthogonal", {"reflections": 1.5}, r"reflections: got 1.5, expected a number in \[0, 1\]"),
        ("orthogonal", {"reflections": True}, "reflections: got True"),
        ("scrn", {"alpha": 1, "trained": True}, r"alpha: got 1, expected a number in \(0, 1\)"),
        ("scrn", {"alpha": 2}, r"alpha: got 2, expected a number in \[0, 1\]"),
        ("scrn", {"context_size": 0}, "context_size: got 0, expected an integer >= 1 or None"),
        ("scrn", {"output_size": 2.0}, "output_size: got 2.0"),
        ("slstm", {"forget": "tanh"}, "forget: got 'tanh', expected one of 'sigmoid', 'exp'"),
    ],
)
def test_a_wrong_option_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        cells.get(name, **options)
