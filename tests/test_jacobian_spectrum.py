"""The experiment jacobian_spectrum: small runs, claims on made-up frames; its theory against sampled matrices."""

import functools

import numpy as np
import pandas as pd
import pytest
import small_runs

from experiments import jacobian_spectrum as experiment
from rnnbench import cells
from rnnbench.layers.initialise import orthogonal
from rnnbench.probes import mean_field

claims = functools.partial(small_runs.claims, experiment)


@pytest.mark.parametrize("is_orthogonal", [True, False])
def test_the_spread_of_a_product_of_independent_steps(is_orthogonal):
    """Sampled: diagonal slopes of normal pre-activations times a new W at every step."""
    drive, lag, size, rng = 0.3, 3, 400, np.random.default_rng(0)
    gain = mean_field.critical_gain(drive**2)
    q = mean_field.variance(gain, drive**2)
    assert mean_field.susceptibility(gain, drive**2) == pytest.approx(1, abs=1e-9)
    squares = []
    for _ in range(4):
        product = np.eye(size)
        for _ in range(lag):
            w = orthogonal(rng, (size, size), 1.0) if is_orthogonal else rng.normal(size=(size, size)) / size**0.5
            product = (1 - np.tanh(np.sqrt(q) * rng.normal(size=size)) ** 2)[:, None] * (gain * w) @ product
        squares.append(np.linalg.svd(product, compute_uv=False) ** 2)
    assert np.mean(squares) == pytest.approx(1, rel=0.03)
    assert np.var(squares) == pytest.approx(mean_field.spread(lag, q, is_orthogonal), rel=0.06)
    assert mean_field.critical_gain(0.0) == 1


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_every_cell_is_in_the_sweep(preset):
    assert {s["cell"] for s in experiment.sweep(preset, "cpu")} == set(cells.names())


def test_what_an_orthogonal_linear_network_gives():
    setting = experiment.sweep("smoke", "cpu")[0]
    assert (setting["activation"], setting["init"]) == ("linear", "orthogonal")
    lines = pd.DataFrame(small_runs.lines(experiment, setting | {"gain": 0.5}))
    runs = lines[lines["distance"].notna()]
    for name in experiment.QUANTILES:
        np.testing.assert_allclose(runs[name], runs["lag"] * np.log(0.5), rtol=1e-8)
    np.testing.assert_allclose(runs["mean_square"], 0.25 ** runs["lag"], rtol=1e-7, atol=1e-14)
    assert (runs["variance"] < 1e-15).all()
    assert len(lines) == len(experiment.LAGS) * (1 + setting["hidden"])


def test_what_is_lost_to_rounding_is_not_told_as_measured():
    setting = experiment.sweep("smoke", "cpu")[1]
    assert setting["init"] == "gaussian"
    lines = pd.DataFrame(small_runs.lines(experiment, setting))
    far = lines[lines["lag"] == max(experiment.LAGS)]
    assert far["smallest"].iloc[0] == pytest.approx(far["largest"].iloc[0] + np.log(1e-14))


def test_claims_figures_and_tables_of_small_runs():
    kept = ("elman", "lstm", "identity")
    sweep = [s for s in experiment.sweep("smoke", "cpu") if s["cell"] in kept]
    found, figures, tables = small_runs.shown(experiment, small_runs.frame(experiment, sweep))
    assert found["linear, orthogonal"].verdict == found["identity"].verdict == "reproduced"
    assert found["tanh, orthogonal, lag 1, mean"].verdict == "not yet run"  # 16 units are not many
    assert set(figures) == {"by_lag", "cells"}
    assert len(tables["networks"]) == 4 * len(experiment.LAGS)


def line(distance, replicate, **changes):
    first = {"status": "ok", "trial": "0", "part": "networks", "cell": "elman", "activation": "tanh", "hidden": 128}
    numbers = dict.fromkeys([*experiment.QUANTILES, "mean_square", "variance"], 0.0)
    return first | numbers | {"init": "gaussian", "lag": 1, "distance": distance, "replicate": replicate} | changes


def test_verdicts():
    spreads = [(0.5, {}), (0.1, {"init": "orthogonal"})]
    lines = [line(d + 0.01 * i, i, **change) for d, change in spreads for i in range(5)]
    assert claims(lines)["orthogonal is nearer to isometry"].verdict == "reproduced"
    assert claims(lines[1:])["orthogonal is nearer to isometry"].verdict == "not yet run"
    at = [line(0.1, i, init="orthogonal", mean_square=m) for i, m in enumerate((0.95, 1.0, 1.3))]
    assert claims(at)["tanh, orthogonal, lag 1, mean"].verdict == "reproduced"
    assert claims([a | {"mean_square": 1.2} for a in at])["tanh, orthogonal, lag 1, mean"].verdict == "not reproduced"
    exact = line(0.0, 0, activation="linear", init="orthogonal")
    assert claims([exact])["linear, orthogonal"].verdict == "reproduced"
    assert claims([exact | {"smallest": -1e-8}])["linear, orthogonal"].verdict == "not reproduced"
