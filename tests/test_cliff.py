"""One unit: folds, latch and error surface by independent ways; the experiment's small runs and verdicts."""

import functools

import numpy as np
import pytest
import small_runs

from experiments import cliff as experiment
from rnnbench.probes import single_unit

claims = functools.partial(small_runs.claims, experiment)


def iterate(w, b, x=0.5, steps=50):
    for _ in range(steps):
        x = w / (1 + np.exp(-x)) + b
    return x


def error(w, b):
    return (1 / (1 + np.exp(-iterate(w, b))) - 0.7) ** 2


def test_the_error_surface_is_that_of_the_paper():
    """Against the recursion as it is written there, and its gradient by a complex step."""
    w, b = np.array([5.0, 4.6, 4.3, 5.5]), np.array([-3.0, -2.3, -2.18, -2.5])
    found, dw, db = single_unit.error_surface(w, b, device="reference")
    np.testing.assert_allclose(found, error(w, b), rtol=1e-12)
    np.testing.assert_allclose(dw, error(w + 1e-30j, b).imag / 1e-30, rtol=1e-9)
    np.testing.assert_allclose(db, error(w, b + 1e-30j).imag / 1e-30, rtol=1e-9)
    assert found[0] == pytest.approx(0.404198, abs=5e-7)


@pytest.mark.parametrize("w", [4.1, 5.0, 8.0])
def test_folds_in_closed_form_by_roots_and_by_counting(w):
    low, high = single_unit.saddle_nodes(w)
    np.testing.assert_allclose(single_unit.saddle_nodes_by_roots(w), (low, high), rtol=1e-9)
    # Three solutions of x = w sigma(x) + b between the folds, one outside: counted as changes of sign.
    x = np.linspace(-12, 12, 400001)
    for b, count in ((low - 1e-4, 1), (low + 1e-4, 3), (high - 1e-4, 3), (high + 1e-4, 1)):
        assert (np.diff(np.sign(w / (1 + np.exp(-x)) + b - x)) != 0).sum() == count
        found = single_unit.fixed_points(w, b)
        assert len(found) == count and [stable for _, stable in found] == [True, False, True][:count]
        for s, _ in found:
            assert np.log(s / (1 - s)) == pytest.approx(w * s + b, abs=1e-9)
    with pytest.raises(ValueError, match="more than 4"):
        single_unit.saddle_nodes(4.0)


@pytest.mark.parametrize("w", [1.25, 2.0, 5.0])
def test_the_latch_holds_just_below_its_threshold(w):
    threshold = single_unit.latch_threshold(w)
    for h, held in ((0.999 * threshold, True), (1.001 * threshold, False)):
        a = 10.0
        for _ in range(5000):
            a = w * np.tanh(a) - h
        assert (a > 0) == held
    with pytest.raises(ValueError, match="more than 1"):
        single_unit.latch_threshold(1.0)


def test_a_border_is_found_and_must_be_there():
    assert single_unit.border(lambda at: at < 0.3, 0.0, 1.0) == pytest.approx(0.3, abs=1e-8)
    with pytest.raises(ValueError, match="expected one end"):
        single_unit.border(lambda at: at < 2.0, 0.0, 1.0)


# ---- the experiment ----


@pytest.fixture(scope="module")
def small():
    return small_runs.frame(experiment, [setting | {"steps": 500} for setting in experiment.sweep("smoke", "cpu")])


def test_claims_figures_and_tables_of_small_runs(small):
    found, figures, tables = small_runs.shown(experiment, small)
    for name in ("E(5, -3)", "the wall", "unclipped steps are thrown", "folds, roots"):
        assert found[name].verdict == "reproduced", name
    assert found["clipped steps stay"].verdict == "not yet run"  # one seed
    assert set(figures) == {"surface", "wall", "bifurcation", "latch"}
    assert set(tables["descent"]["rule"]) == set(experiment.RULES)


def test_no_clipped_step_is_longer_than_allowed(small):
    for rule, path in small[small["kind"] == "path"].groupby("rule"):
        moves = np.hypot(*np.diff(path.sort_values("step")[["w", "b"]], axis=0).T)
        assert (moves.max() <= experiment.RATE * experiment.THRESHOLD + 1e-3) == (rule == "clipped")


def test_verdicts():
    def wall(beside):
        rows = [(0.0, 50.0), (0.04, 40.0), (-0.06, beside)]
        return [{"status": "ok", "kind": "wall", "w": 5.0, "distance": d, "norm": n} for d, n in rows]

    assert claims(wall(0.4))["the wall"].verdict == "reproduced"
    assert claims(wall(0.6))["the wall"].verdict == "not reproduced"
    latch = {"status": "ok", "kind": "latch", "w": 2.0, "exact": 0.5}
    assert claims([latch | {"simulated": 0.500009}])["latch"].verdict == "reproduced"
    assert claims([latch | {"simulated": 0.50002}])["latch"].verdict == "not reproduced"
    runs = [
        {"status": "ok", "kind": "descent", "rule": rule, "runs": 10, "thrown": 8, "solved": solved + 0.01 * i}
        for rule, solved in (("clipped", 0.9), ("no clipping", 0.4)) for i in range(5)
    ]  # fmt: skip
    assert claims(runs)["clipped steps stay"].verdict == "reproduced"
