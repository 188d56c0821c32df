"""The experiment skip_connections: trials against dense products, and verdicts."""

import functools

import numpy as np
import pytest
import small_runs

from experiments import skip_connections as experiment
from rnnbench import Recurrent

claims = functools.partial(small_runs.claims, experiment)


@pytest.mark.parametrize("delay", [2, 5])
def test_a_gradient_passes_w_once_in_d_steps(delay):
    setting = {"cell": "delayed", "delay": delay, "activation": "linear", "init": "orthogonal", "gain": 0.7}
    lines = small_runs.lines(experiment, setting | {"hidden": 4, "steps": 30, "replicate": 0})
    norms = {line["lag"]: line["log_norm"] for line in lines if line["kind"] == "lag"}
    for lag, norm in norms.items():
        assert norm == pytest.approx((lag // delay) * np.log(0.7), abs=1e-4)
    assert lines[0]["slope"] == pytest.approx(np.log(0.7) / delay)


def test_the_growth_of_a_skip_net_is_that_of_its_recursion():
    layer = Recurrent(
        "skip", 1, 5, dtype="float64", device="reference", activation="linear", bias=False, delay=3, seed=4
    )
    w, s = layer.blocks["h", "h"], layer.blocks["h", "h@3"]
    states, logs = [np.ones(5), np.ones(5), np.ones(5)], []
    for _ in range(3000):
        new = w @ states[-1] + s @ states[-3]
        size = np.linalg.norm(new)
        states, logs = [h / size for h in (*states[-2:], new)], [*logs, np.log(size)]
    assert np.log(experiment._growth(layer, 3)) == pytest.approx(np.mean(logs[500:]), abs=2e-3)


def test_the_golden_ratio():
    """h_t = h_{t-1} + h_{t-2} grows by 1.618 a step."""
    layer = Recurrent("skip", 0, 2, dtype="float64", device="reference", activation="linear", init="identity")
    assert experiment._growth(layer, 2) == pytest.approx((1 + np.sqrt(5)) / 2)


def test_claims_figures_and_tables_of_small_runs():
    sweep = experiment.sweep("smoke", "cpu")
    found, figures, tables = small_runs.shown(experiment, small_runs.frame(experiment, sweep))
    for name in ("delay d only", "slope divided by d", "may still explode"):
        assert found[name].verdict == "reproduced"
    assert found["tanh units"].verdict == "not yet run"  # one seed
    assert set(figures) == {"delayed", "skip"}
    assert len(tables["slopes"]) == len(sweep)


def test_verdicts():
    line = {"status": "ok", "kind": "summary", "cell": "delayed", "delay": 2, "activation": "linear", "gain": 0.9}
    assert claims([line | {"error": 1e-8, "slope": 0.1, "theory": 0.1}])["delay d only"].verdict == "not reproduced"
    assert claims([line | {"slope": 0.1, "theory": 0.2}])["slope divided by d"].verdict == "not reproduced"
    skip = line | {"cell": "skip", "init": "identity", "gain": 0.6, "theory": 0.1}
    assert claims([skip | {"slope": 0.12}])["delay 1 and d"].verdict == "not reproduced"
    assert claims([skip | {"slope": -0.1}])["may still explode"].verdict == "not reproduced"
    tanh = line | {"activation": "tanh"}
    lines = [tanh | {"slope": -0.1 + 0.01 * i} for i in range(5)]
    lines += [tanh | {"cell": "elman", "delay": 1, "slope": -0.3 + 0.01 * i} for i in range(5)]
    assert claims(lines)["tanh units"].verdict == "reproduced"
