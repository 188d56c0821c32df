"""The numeric gradients, the gradient check of a layer, and the experiment that holds every cell to it."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
import small_runs

from experiments import gradient_check as experiment
from rnnbench import Recurrent, cells
from rnnbench.probes import gradient_check, numeric
from rnnbench.report import style

claims = functools.partial(small_runs.claims, experiment)

WRONG = '''"""A unit whose backward forgets a factor."""
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import tanh


def forward(a, reads, p):
    return (tanh(a[0]),), ()


def backward(dmakes, reads, makes, saved, p):
    return dmakes, (), ()


def build():
    return Cell((Vector("h"),), (Stage(forward, backward, ("h",), (Gate("h", ("x", "h")),)),), output="h")
'''


def trial(cell, **changes):
    setting = next(s for s in experiment.sweep("smoke", "cpu") if s["cell"] == cell) | {"device": "reference"} | changes
    return [setting | row for row in experiment.run(setting, np.random.default_rng(0))]


# ---- numeric gradients ----


@pytest.mark.parametrize("method", [numeric.COMPLEX, numeric.CENTRAL])
def test_the_gradient_of_a_known_function(method):
    def objective(arrays):
        return np.exp(arrays["a"]).sum(axis=(1, 2)) * np.sin(arrays["b"][:, 0])

    arrays = {"a": np.array([[[0.1, 0.2, 0.3], [1.0, 2.0, -1.0]]]), "b": np.array([[0.7]])}
    np.testing.assert_allclose(
        numeric.gradient(objective, arrays, "a", method), np.exp(arrays["a"]) * np.sin(0.7), rtol=1e-8
    )
    expected = np.exp(arrays["a"]).sum() * np.cos(0.7)
    np.testing.assert_allclose(numeric.gradient(objective, arrays, "b", method), [[expected]], rtol=1e-8)
    assert numeric.gradient(objective, arrays | {"c": np.zeros((1, 0))}, "c", method).shape == (1, 0)


def test_a_relative_error_of_nothing_is_taken_from_a_floor():
    assert numeric.relative_error(np.array([2.0]), np.array([4.0]), numeric.COMPLEX) == 0.5
    assert numeric.relative_error(np.array([1e-8]), np.array([0.0]), numeric.COMPLEX) == pytest.approx(1e-2)


# ---- the check of a layer ----


@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_is_right_and_a_gradient_arrives_everywhere(cell):
    layer = Recurrent(cell, 2, 3, dtype="float64", device="reference")
    found = gradient_check.gradient_errors(layer, np.random.default_rng(1))
    flows = cells.get(cell).differentiable
    states = {f"state {name}" for name in layer.layout.states if flows[name]}
    fixed = {p.name for p in layer.cell.parameters if not p.trained}
    assert {e.array for e in found} == {"x"} | states | {
        key for key, value in layer.params.items() if value.size
    } - fixed
    for e in found:
        assert e.error < experiment.LIMITS[e.method], e
        assert e.largest > 1e-5 or (cell, e.array) == ("dynamical", "x"), e


def test_a_wrong_factor_anywhere_is_seen():
    cell = cells.get("lstm")
    stage = cell.stages[0]
    for at in range(4):

        def backward(*given, at=at):
            da, dreads, dp = stage.backward(*given)
            return tuple(v * (1.001 if i == at else 1.0) for i, v in enumerate(da)), dreads, dp

        broken = dataclasses.replace(cell, stages=(dataclasses.replace(stage, backward=backward),))
        layer = Recurrent(broken, 2, 3, dtype="float64", device="reference")
        assert max(e.error for e in gradient_check.gradient_errors(layer, np.random.default_rng(0))) > 1e-5


def test_cells_with_kinks_are_checked_by_both_methods_away_from_them():
    layer = Recurrent("elman", 2, 3, dtype="float64", device="reference", activation="relu")
    for seed in range(20):
        found = gradient_check.gradient_errors(layer, np.random.default_rng(seed))
        assert {e.method for e in found} == {numeric.COMPLEX, numeric.CENTRAL}
        assert max(e.error for e in found) < 1e-7


def test_float32_is_refused():
    with pytest.raises(ValueError, match="float64"):
        gradient_check.gradient_errors(Recurrent("elman", 2, 3, device="reference"), np.random.default_rng(0))


# ---- the experiment ----


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_every_cell_is_in_the_sweep(preset):
    assert {s["cell"] for s in experiment.sweep(preset, "cpu")} == set(cells.names())


def test_a_users_wrong_cell_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_user_cells", {})
    path = tmp_path / "forgetful.py"
    path.write_text(WRONG, "utf-8")
    name = cells.load_file(path)
    lines = [row | {"status": "ok", "trial": "0"} for cell in ("lstm", name) for row in trial(cell)]
    found = claims(lines)["complex step"]
    assert found.verdict == "not reproduced" and "Above the bound: forgetful." in found.note
    right = claims([line for line in lines if line["cell"] == "lstm"])
    assert right["complex step"].verdict == "reproduced"
    assert right["central differences"].verdict == "not yet run"


def test_claims_without_data_are_the_same():
    found = claims([])
    assert [*found] == [*claims([row | {"status": "ok", "trial": "0"} for row in trial("irnn")])]
    assert {c.verdict for c in found.values()} == {"not yet run"}


def test_figure_and_table():
    frame = pd.DataFrame([row | {"status": "ok", "trial": c} for c in ("irnn", "lstm") for row in trial(c)])
    with style.context():
        import matplotlib.pyplot as plt

        figure, caption = experiment.figures(frame)["errors"]
        figure.canvas.draw()
        assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == {"irnn", "lstm"}
        assert caption.endswith(".")
        plt.close(figure)
    table, _ = experiment.tables(frame)["errors"]
    assert len(table) == 2 * 1 + 2 * 2
    assert experiment.figures(frame.iloc[:0]) == {}
