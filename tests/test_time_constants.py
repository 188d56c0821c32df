"""Gate activity against the textbook loop's equations; the experiment's trials and verdicts."""

import functools

import numpy as np
import pytest
import small_runs
from helpers import random_state, randomise

from experiments import time_constants as experiment
from rnnbench import Recurrent, cells
from rnnbench.probes import gates

claims = functools.partial(small_runs.claims, experiment)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_gates_of_an_lstm_make_its_states():
    layer = randomise(Recurrent("lstm", 2, 3, dtype="float64", device="reference"))
    x, state = np.random.default_rng(0).normal(size=(6, 4, 2)), random_state(layer, 4)
    told, made = gates.pre_activations(layer, x, state)
    y, final = layer.forward(x, state)
    np.testing.assert_array_equal(made["h"], y)
    c = state["c"]
    for t in range(6):
        c = sigmoid(told["f"][t]) * c + sigmoid(told["i"][t]) * np.tanh(told["g"][t])
        np.testing.assert_allclose(sigmoid(told["o"][t]) * np.tanh(c), y[t], rtol=1e-12)
    np.testing.assert_allclose(c, final["c"], rtol=1e-12)


@pytest.mark.parametrize(("cell", "source"), [("delayed", "h@2"), ("skip", "h@2"), ("mgu", "fh@0")])
def test_sources_of_other_steps(cell, source):
    layer = randomise(Recurrent(cell, 2, 3, dtype="float64", device="reference"))
    x, state = np.random.default_rng(1).normal(size=(5, 2, 2)), random_state(layer, 2)
    told, made = gates.pre_activations(layer, x, state)
    assert any(source in gate.sources for gate in layer.cell.gates)
    if cell == "mgu":
        h, f = made["h"], sigmoid(told["f"])
        before = np.concatenate([state["h"][None], h[:-1]])
        np.testing.assert_allclose((1 - f) * before + f * np.tanh(told["n"]), h, rtol=1e-12)
    else:
        np.testing.assert_allclose(np.tanh(told["h"]), made["h"], rtol=1e-12)


@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_has_gate_activity(cell):
    layer = Recurrent(cell, 2, 3, dtype="float64", device="reference")
    told, _ = gates.pre_activations(layer, np.zeros((4, 2, 2)))
    assert {name: a.shape for name, a in told.items()} == {
        name: (4, 2, width) for name, width in layer.layout.gate_widths.items()
    }


# ---- the experiment ----


def test_claims_figures_and_tables_of_small_runs():
    df = small_runs.frame(experiment, experiment.sweep("smoke", "cpu"))
    found, figures, tables = small_runs.shown(experiment, df)
    assert {c.verdict for c in found.values()} == {"reproduced"}
    assert set(figures) == {"decay", "gates"}
    table = tables["rates"]
    one = table[(table["part"] == "leaky") & (table["alpha"] == 0.9) & (table["gain"] == 0)]
    assert one["time_constant"].iloc[0] == pytest.approx(-1 / np.log(0.9))
    assert table.loc[table["part"] == "carousel", "time_constant"].isna().all()


def test_verdicts():
    rate = {"status": "ok", "kind": "rate", "part": "lstm", "cell": "lstm", "bias": 2.0, "slope": np.log(sigmoid(2.0))}
    assert claims([rate])["LSTM, forget bias 2"].verdict == claims([rate])["LSTM, exact"].verdict == "reproduced"
    wrong = claims([rate | {"slope": -0.125}])
    assert wrong["LSTM, forget bias 2"].verdict == wrong["LSTM, exact"].verdict == "not reproduced"
    leaky = rate | {"part": "leaky", "alpha": 0.9, "gain": 0.5}
    assert claims([leaky | {"slope": np.log(0.95)}])["leaky units"].verdict == "reproduced"
    assert claims([leaky | {"slope": np.log(0.9)}])["leaky units"].verdict == "not reproduced"
    assert claims([rate | {"part": "carousel", "slope": 1e-9}])["constant error carousel"].verdict == "not reproduced"
    held = {"status": "ok", "kind": "hold", "steps": 100, "changed": 1, "numbers": 8}
    assert claims([held])["f = 1, i = 0"].verdict == "not reproduced"
