"""Lyapunov exponents and mean-field theory against closed forms, and the experiment's claims on made-up frames."""

import functools

import numpy as np
import pytest
import small_runs
from scipy.integrate import quad

from experiments import lyapunov as experiment
from rnnbench import Recurrent, cells
from rnnbench.probes import lyapunov, mean_field

claims = functools.partial(small_runs.claims, experiment)


def make(cell="elman", hidden=4, **options):
    return Recurrent(cell, 2, hidden, dtype="float64", device="reference", **options)


# ---- exponents ----


def test_a_diagonal_linear_network_is_exact():
    layer = make(activation="linear")
    values = np.array([2.0, -0.9, 0.5, 0.1])
    layer.params["weight_hh"][...] = np.diag(values)
    found = lyapunov.spectrum(layer, np.zeros((400, 1, 2)), rng=np.random.default_rng(0), skip=100)
    np.testing.assert_allclose(found, np.log(np.abs(values)), atol=1e-9)
    top = lyapunov.spectrum(layer, np.zeros((400, 1, 2)), rng=np.random.default_rng(1), skip=100, count=2)
    np.testing.assert_allclose(top, np.log([2, 0.9]), atol=1e-9)
    each = lyapunov.largest(layer, np.zeros((400, 3, 2)), rng=np.random.default_rng(2), skip=100)
    np.testing.assert_allclose(each, np.log(2), atol=1e-9)


def test_the_sum_of_all_exponents_is_the_mean_log_determinant():
    layer, rng = make(hidden=5, init={"name": "gaussian", "gain": 2.0}), np.random.default_rng(3)
    x = rng.normal(size=(60, 1, 2))
    y, _ = layer.forward(x, tape=False)
    jacobians = [np.diag(1 - h**2) @ layer.params["weight_hh"] for h in y[:, 0]]
    expected = np.mean([np.linalg.slogdet(j)[1] for j in jacobians])
    assert lyapunov.spectrum(layer, x, rng=rng).sum() == pytest.approx(expected, rel=1e-9)


def test_exponents_forward_in_time():
    """The same by perturbations that go forward, as the definition has it."""
    layer, rng = make(hidden=4, init={"name": "gaussian", "gain": 2.0}, seed=3), np.random.default_rng(4)
    x = rng.normal(size=(4000, 1, 2))
    y, _ = layer.forward(x, tape=False)
    q, total = np.eye(4), np.zeros(4)
    for h in y[:, 0]:
        q, r = np.linalg.qr(np.diag(1 - h**2) @ layer.params["weight_hh"] @ q)
        total += np.log(np.abs(np.diag(r)))
    np.testing.assert_allclose(lyapunov.spectrum(layer, x, rng=rng), total / len(x), atol=5e-3)


def test_a_dead_direction_is_minus_infinity():
    layer = make(activation="linear")
    layer.params["weight_hh"][...] = np.diag([2.0, 0.5, 0.1, 0.0])
    found = lyapunov.spectrum(layer, np.zeros((9, 1, 2)), rng=np.random.default_rng(0))
    assert np.isfinite(found[:3]).all() and found[3] < -5
    layer.params["weight_hh"][...] = 0
    assert np.isneginf(lyapunov.spectrum(layer, np.zeros((9, 1, 2)), rng=np.random.default_rng(0))).all()


@pytest.mark.parametrize(("x", "change", "named"), [
    (np.zeros((4, 2, 2)), {}, r"\(T, 1, I\)"), (np.zeros((4, 1, 2)), {"count": 5}, "1 to 4"),
    (np.zeros((4, 1, 2)), {"count": 0}, "1 to 4"), (np.zeros((4, 1, 2)), {"skip": 4}, "0 to T - 1 = 3"),
])  # fmt: skip
def test_refusals(x, change, named):
    with pytest.raises(ValueError, match=named):
        lyapunov.spectrum(make(), x, rng=np.random.default_rng(0), **change)


# ---- mean-field theory ----


def expectation(f):
    return quad(lambda z: f(z) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), -12, 12, limit=400, epsabs=1e-13)[0]


@pytest.mark.parametrize(("gain", "drive"), [(1.1, 0.0), (2.0, 0.0), (4.0, 0.0), (0.5, 1.0), (3.0, 1.0)])
def test_the_variance_is_self_consistent(gain, drive):
    q = mean_field.variance(gain, drive**2)
    expected = gain**2 * expectation(lambda z: np.tanh(np.sqrt(q) * z) ** 2) + drive**2
    assert q > 0 and q == pytest.approx(expected, rel=1e-9)
    chi = gain**2 * expectation(lambda z: np.cosh(np.sqrt(q) * z) ** -4.0)
    assert mean_field.largest_exponent(gain, drive**2) == pytest.approx(np.log(chi) / 2, rel=1e-8)


@pytest.mark.filterwarnings("error")
def test_a_large_gain_overflows_nowhere():
    q = mean_field.variance(80.0)
    expected = 2 * quad(lambda z: np.cosh(np.sqrt(q) * z) ** -4.0 * np.exp(-(z**2) / 2), 0, 0.5, epsabs=1e-15)[0]
    assert mean_field.slopes(q) == pytest.approx(expected / np.sqrt(2 * np.pi), rel=1e-7)


def test_limits_of_the_theory():
    assert mean_field.variance(0.9) == 0
    assert mean_field.largest_exponent(0.9) == pytest.approx(np.log(0.9))
    # Near g = 1, with e = g - 1: q = e + 5 e^2/6 and chi = 1 + 4 e^2/3 to second order.
    assert mean_field.variance(1.01) == pytest.approx(0.01, rel=0.02)
    assert mean_field.slopes(0.0, 3) == pytest.approx(1)
    assert mean_field.largest_exponent(1.5) > 0 > mean_field.largest_exponent(1.5, 1.0)


# ---- the experiment ----


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_every_cell_is_in_the_sweep(preset):
    assert {s["cell"] for s in experiment.sweep(preset, "cpu")} == set(cells.names())


def test_claims_figures_and_tables_of_small_runs():
    sweep = [s for s in experiment.sweep("smoke", "cpu") if s["part"] != "cells" or s["cell"] in ("elman", "lstm")]
    found, figures, tables = small_runs.shown(experiment, small_runs.frame(experiment, sweep))
    assert found["linear"].verdict in ("reproduced", "not reproduced")
    assert found["g = 2, no input"].verdict == "not yet run"  # 32 units are not many
    assert set(figures) == {"by_gain", "spectrum", "cells"}
    assert tables["theory"]["theory"].notna().all()


def line(gain, exponent, drive=0.0, **changes):
    first = {"status": "ok", "trial": "0", "part": "theory", "cell": "elman", "activation": "tanh", "hidden": 256}
    return first | {"steps": 300, "gain": gain, "drive": drive, "exponent": exponent} | changes


def test_verdicts():
    assert claims([line(2.0, 0.15), line(2.0, 0.16)])["g = 2, no input"].verdict == "reproduced"
    assert claims([line(2.0, 0.13), line(2.0, 0.135)])["g = 2, no input"].verdict == "not reproduced"
    name = "input suppresses chaos"
    assert claims([line(1.5, 0.05), line(1.5, -0.1, 1.0)])[name].verdict == "reproduced"
    assert claims([line(1.5, 0.05), line(1.5, 0.1, 1.0)])[name].verdict == "partly"
    assert claims([line(1.5, 0.05)])[name].verdict == "not yet run"
    assert claims([line(0.5, -0.7, log_rho=-0.695)])["below g = 1"].verdict == "reproduced"
    assert claims([line(0.5, -0.7, log_rho=-0.68)])["below g = 1"].verdict == "not reproduced"
    gated = [line(4.0, value, part="cells", cell=cell) for cell, value in (("lstm", 0.1), ("gru", -0.1))]
    assert claims(gated)["gated cells"].verdict == "partly"
