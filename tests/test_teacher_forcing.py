"""The experiment teacher_forcing: its two gradients against differences, its trials and verdicts."""

import functools

import numpy as np
import pytest
import small_runs

from experiments import teacher_forcing as experiment
from rnnbench.layers import OutputRecurrence

claims = functools.partial(small_runs.claims, experiment)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0])
def test_both_gradients_against_differences(epsilon):
    """By hand: what is read is a constant for single steps, and depends on the weights for the whole where it is y."""
    network = OutputRecurrence(2, 3, 2, dtype="float64", device="reference")
    layer, rng = network.parts["recurrent"], np.random.default_rng(1)
    x, target, dy = (rng.normal(size=(4, 2, 2)) for _ in range(3))
    fed = rng.random((4, 2)) < epsilon
    fed[0] = False
    whole, single = experiment._both(layer, x, target, dy, fed)
    kept, _ = experiment._run(layer, x, target, fed)

    def cost(own):
        """`own`: the outputs that single steps read, or None for those of this very pass."""
        y, total = np.zeros((2, 2)), 0.0
        for t in range(4):
            before = y if own is None or not t else own[t - 1]
            read = np.where(fed[t][:, None], target[t - 1], before) if t else np.zeros((2, 2))
            h = np.tanh(x[t] @ layer.blocks["h", "x"].T + read @ layer.blocks["h", "y"].T + layer.gate_bias("h"))
            y = h @ layer.blocks["y", "h@0"].T + layer.gate_bias("y")
            total += (y * dy[t]).sum()
        return total

    for expected, own in ((whole, None), (single, kept)):
        numeric = []
        for value in layer.params.values():
            for at in np.ndindex(value.shape):
                middle, costs = value[at], []
                for step in (1e-6, -1e-6):
                    value[at] = middle + step
                    costs.append(cost(own))
                value[at] = middle
                numeric.append((costs[0] - costs[1]) / 2e-6)
        np.testing.assert_allclose(expected, numeric, atol=1e-8)


def test_claims_figures_and_tables_of_small_runs():
    sweep = experiment.sweep("smoke", "cpu")
    found, figures, tables = small_runs.shown(experiment, small_runs.frame(experiment, sweep))
    assert {c.verdict for name, c in found.items() if name != "parallel over time"} == {"reproduced"}
    assert set(figures) == {"by_epsilon"}
    assert len(tables["distance"]) == len(sweep)


def test_on_the_compiled_engine_all_steps_at_once_have_the_same_bits():
    setting = {"cell": "jordan", "epsilon": 1.0, "steps": 7, "replicate": 0, "device": "cpu"}
    [row] = experiment.run(setting, np.random.default_rng(0))
    assert row["parallel_bits"] and row["same_bits"] and row["distance"] < 1e-14


def test_verdicts():
    line = {"status": "ok", "cell": "jordan", "epsilon": 1.0, "steps": 5, "distance": 1e-16, "same_bits": True}
    assert claims([line])["scheduled sampling at epsilon 1"].verdict == "reproduced"
    assert claims([line | {"same_bits": False}])["scheduled sampling at epsilon 1"].verdict == "not reproduced"
    assert claims([line | {"distance": 1e-12}])["teacher forcing is exact"].verdict == "not reproduced"
    assert claims([line | {"epsilon": 0.0, "distance": 1e-3}])["free running is not"].verdict == "not reproduced"
    both = line | {"cell": "output_hidden", "distance": 0.3}
    assert claims([both])["hidden units stay coupled"].verdict == "reproduced"
