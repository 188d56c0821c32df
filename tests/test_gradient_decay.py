"""The experiment gradient_decay: its settings, one trial per cell, and claims on made-up frames."""

import numpy as np
import pandas as pd
import pytest

from experiments import gradient_decay
from rnnbench import cells
from rnnbench.report import style
from rnnbench.runner import settings
from rnnbench.runner.errors import Diverged
from rnnbench.runner.record import encode_rows

USER_CELL = '''"""A user's own cell: two states, one of them carried two steps."""
from rnnbench.contract import Cell, Gate, Stage, Vector


def forward(a, reads, p):
    return (a[0], a[1]), ()


def backward(dmakes, reads, makes, saved, p):
    return dmakes, (), ()


def build():
    gates = (Gate("u", ("x", "v@2")), Gate("f", ("u",)))
    return Cell((Vector("u"), Vector("v")), (Stage(forward, backward, ("u", "v"), gates),), output="v")
'''


def trial(**changes):
    setting = gradient_decay.sweep("smoke", "reference")[0] | {"hidden": 8, "steps": 12, "device": "cpu"} | changes
    return gradient_decay.run(setting, np.random.default_rng(0)), setting


@pytest.fixture
def user_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_user_cells", {})
    path = tmp_path / "delayed_pair.py"
    path.write_text(USER_CELL, "utf-8")
    return cells.load_file(path)


# ---- settings and trials ----


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_settings_cover_every_cell(preset):
    sweep = gradient_decay.sweep(preset, "cpu")
    assert {s["cell"] for s in sweep} == set(cells.names())
    elman = [s for s in sweep if s["cell"] == "elman"]
    assert {s["activation"] for s in elman} == {"linear", "tanh", "sigmoid", "relu"}
    assert {s["init"] for s in elman} == set(gradient_decay.GAINS)
    assert {s["forget_bias"] for s in sweep if s["cell"] == "lstm"} == {0.0, 1.0, 3.0}


def test_paper_holds_quick():
    quick, paper = (
        {settings.canonical(s) for s in gradient_decay.sweep(preset, "cpu")} for preset in ("quick", "paper")
    )
    assert quick < paper


def test_a_users_cell_appears_by_itself_and_runs(user_cell):
    found = [s for s in gradient_decay.sweep("quick", "reference") if s["cell"] == user_cell]
    assert {s["init"] for s in found} == set(gradient_decay.GAINS)
    rows, _ = trial(cell=user_cell, activation=None)
    assert [*rows[0]] == ["lag", "log_norm", "log_norm_u", "log_norm_v"]


@pytest.mark.parametrize("cell", cells.names())
def test_one_trial_of_every_cell(cell):
    activation = cells.option_defaults(cell).get("activation")
    rows, _ = trial(cell=cell, activation=activation, init="spectral_radius", gain=0.9)
    encode_rows(rows)
    *by_lag, summary = rows
    assert [row["lag"] for row in by_lag] == sorted({row["lag"] for row in by_lag})
    assert (by_lag[0]["lag"], by_lag[-1]["lag"]) == (0, 12)
    assert by_lag[0]["log_norm"] == 0
    if not any(source != "x" for gate in cells.get(cell).gates for source in gate.sources):
        assert np.isnan(summary["rho"]), "there is no recurrent matrix"
    elif cells.get(cell).weights is None:
        assert summary["rho"] == pytest.approx(0.9)
    else:
        assert summary["rho"] > 0, "of the matrix used, which the recipe does not make"
    # A unit of indrnn that is at 0 once has no other way back, so all its gradient is exactly 0.
    assert np.isfinite(summary["slope"]) or (cell == "indrnn" and summary["slope"] == -np.inf)
    assert ("gamma" in summary) == (cell == "elman")


def test_what_a_linear_trial_finds():
    *_, summary = trial(activation="linear", init="orthogonal", gain=0.7)[0]
    assert summary["slope"] == pytest.approx(np.log(0.7))
    assert summary["excess"] == pytest.approx(0, abs=1e-9)
    assert "eigen_error" not in summary
    rows, _ = trial(activation="linear", init="symmetric", gain=0.7)
    assert rows[-1]["eigen_error"] < 1e-9
    for row in rows[:-1]:
        assert row["log_eigen"] == pytest.approx(row["log_norm"], abs=1e-6)


def test_the_slope_is_fitted_past_the_first_quarter():
    *rows, summary = trial(activation="linear", init="spectral_radius", gain=0.7, steps=10)[0]
    norms = {row["lag"]: row["log_norm"] for row in rows}
    late = [lag for lag in norms if lag >= 2]
    assert len(late) == 9
    expected = np.polyfit(late, [norms[lag] for lag in late], 1)[0]
    assert summary["slope"] == pytest.approx(expected, abs=1e-5)
    assert abs(np.polyfit(list(norms), list(norms.values()), 1)[0] - expected) > 1e-3


@pytest.mark.parametrize("cell", ["identity", *gradient_decay.CAROUSELS])
def test_a_carousel_keeps_the_norm(cell):
    assert trial(cell=cell, activation=None, init="spectral_radius", gain=0.0)[0][-1]["slope"] == 0


def test_what_is_stored_is_short():
    rows, _ = trial(cell="lstm", activation=None, init="spectral_radius", steps=200)
    assert len(rows) == 15
    assert max(len(repr(value)) for row in rows[:-1] for value in row.values()) <= len("-1.23456e-07")


def test_what_leaves_the_range_diverges():
    with pytest.raises(Diverged, match="float64"):
        trial(activation="relu", init="identity", gain=1e30)


# ---- claims ----


def run_of(**changes):
    """One line of results: a linear network with an orthogonal matrix of radius 0.5."""
    line = {
        "cell": "elman", "activation": "linear", "init": "orthogonal", "gain": 0.5, "forget_bias": 0.0,
        "drive": 1.0, "hidden": 64, "steps": 200, "replicate": 0, "status": "ok", "trial": "0", "lag": None,
        "slope": np.log(0.5), "rho": 0.5, "sigma_max": 0.5, "gamma": 1.0, "excess": 0.0, "eigen_error": None,
    }  # fmt: skip
    return line | changes


def claim(name, lines):
    [found] = [c for c in gradient_decay.claims(pd.DataFrame(lines)) if c.name == name]
    return found


def test_an_empty_frame_answers_the_same_claims():
    empty = gradient_decay.claims(pd.DataFrame(columns=["status"]))
    full = gradient_decay.claims(pd.DataFrame([run_of()]))
    assert [c.name for c in empty] == [c.name for c in full]
    assert len({c.name for c in empty}) == len(empty)
    assert {c.verdict for c in empty} == {"not yet run"}


@pytest.mark.parametrize("name", ["linear, orthogonal", "linear, Gaussian"])
def test_rates(name):
    init = {"linear, orthogonal": "orthogonal", "linear, Gaussian": "spectral_radius"}[name]
    # At rho = 1 the tolerance is absolute: 1e-6 and 0.01 per step.
    inside = {"orthogonal": (0.009, 9e-7), "spectral_radius": (0.049, 0.009)}[init]
    outside = {"orthogonal": (0.011, 2e-6), "spectral_radius": (0.051, 0.011)}[init]
    right = [run_of(init=init, slope=(1 + e) * np.log(0.5)) for e in (inside[0], -inside[0])]
    right.append(run_of(init=init, gain=1.0, slope=inside[1]))
    wrong = [run_of(init=init, slope=(1 + outside[0]) * np.log(0.5))]
    wrong.append(run_of(init=init, gain=1.0, slope=outside[1]))
    assert claim(name, right).verdict == "reproduced"
    assert claim(name, [*right, wrong[0]]).verdict == "partly"
    assert claim(name, wrong).verdict == "not reproduced"
    assert claim(name, [run_of(init=init, status="failed")]).verdict == "not yet run"
    assert claim(name, [run_of(init=init, cell="lstm")]).verdict == "not yet run"


def test_the_gaussian_rate_needs_large_networks_and_long_lags():
    for change in ({"hidden": 32}, {"steps": 100}):
        assert claim("linear, Gaussian", [run_of(init="spectral_radius", **change)]).verdict == "not yet run"


def test_sufficient_for_vanishing():
    name = "sufficient for vanishing"
    sigmoid = run_of(activation="sigmoid", gamma=0.25, sigma_max=3.9, slope=-1.0, excess=-0.1)
    assert claim(name, [run_of(), sigmoid]).measured == "in 2 of 2"
    assert claim(name, [run_of(slope=0.1)]).verdict == "not reproduced"
    assert claim(name, [run_of(), run_of(excess=1e-6)]).verdict == "partly"
    assert claim(name, [sigmoid | {"sigma_max": 4.1, "slope": 0.1}]).verdict == "not yet run"


def test_necessary_for_exploding():
    name = "necessary for exploding"
    assert claim(name, [run_of()]).verdict == "not yet run"
    assert claim(name, [run_of(), run_of(slope=0.1, sigma_max=1.2)]).verdict == "reproduced"
    assert claim(name, [run_of(slope=0.1)]).verdict == "not reproduced"
    sigmoid = run_of(activation="sigmoid", gamma=0.25, sigma_max=3.9, slope=0.1)
    assert claim(name, [sigmoid]).verdict == "not reproduced"


def test_not_sufficient_for_exploding():
    name, case = (
        "not sufficient for exploding",
        {"init": "gaussian", "gain": 0.8, "sigma_max": 1.6, "rho": 0.8},
    )
    right, wrong = run_of(**case), run_of(**case | {"slope": 0.1, "rho": 1.05})
    found = claim(name, [right])
    assert found.verdict == "reproduced"
    assert "sigma_max 1.6" in found.note and "1 of all 1 Elman runs" in found.note
    assert claim(name, [right, wrong]).verdict == "partly"
    assert "1 of 1 misses have rho > 1" in claim(name, [right, wrong]).note
    assert claim(name, [wrong]).verdict == "not reproduced"
    for gain in (0.5, 1.0, 1.1):
        assert claim(name, [right | {"gain": gain}]).verdict == "not yet run"


def test_eigen_decomposition():
    lines = [run_of(init="symmetric", eigen_error=error) for error in (1e-12, 1e-8)]
    assert claim("Q L^t Q^T", lines).verdict == "reproduced"
    assert claim("Q L^t Q^T", lines).measured == 1e-8
    assert claim("Q L^t Q^T", [*lines, run_of(eigen_error=1e-5)]).verdict == "not reproduced"


def test_a_rate_says_what_only_the_absolute_tolerance_saves():
    near = run_of(init="spectral_radius", gain=0.9, slope=1.08 * np.log(0.9))
    exact = run_of(init="spectral_radius", gain=1.0, slope=0.0)
    found = claim("linear, Gaussian", [near, exact])
    assert found.verdict == "reproduced"
    assert "1 pass by the absolute tolerance alone" in found.note
    assert "absolute tolerance" not in claim("linear, Gaussian", [near | {"slope": np.log(0.9)}, exact]).note


@pytest.mark.parametrize(("name", "factor"), [("rho", 1), ("sigma_max", 2)])
def test_limits_of_large_gaussian_matrices(name, factor):
    def verdict(ratios, hidden=256):
        large = {"init": "gaussian", "gain": 0.8, "hidden": hidden}
        return claim(f"Gaussian, {name}", [run_of(**large, **{name: r * factor * 0.8}) for r in ratios]).verdict

    assert verdict([0.95, 1.05, 1.09]) == "reproduced"
    assert verdict([1.0, 1.2, 1.2]) == "partly"
    assert verdict([1.2, 1.2, 1.3]) == "not reproduced"
    assert verdict([1.0], hidden=64) == "not yet run"


def seeds(slopes, **changes):
    more = {"init": "spectral_radius", "gamma": None, "excess": None}
    return [run_of(**more | {"replicate": i, "slope": s} | changes) for i, s in enumerate(slopes)]


def test_ranking_of_cells():
    name, spread = "LSTMs with forget bias 1", np.array([-0.02, -0.01, 0, 0.01, 0.02])

    def verdict(*slopes, count=5):
        lines = []
        for gain, lstm in zip((0.5, 0.9), slopes, strict=False):
            lines += seeds(spread[:count] - 0.5, activation="tanh", gain=gain)
            lines += seeds(spread + lstm, cell="lstm", activation=None, forget_bias=1.0, gain=gain)
        return claim(name, lines)

    clear = verdict(-0.3, -0.4)
    assert clear.verdict == "reproduced"
    assert clear.measured == pytest.approx(0.1)
    assert clear.interval == pytest.approx((0.06, 0.14))
    assert verdict(-0.3, -0.47).verdict == "partly"  # the seeds overlap at one of the two radii
    assert verdict(-0.47, -0.7).verdict == "not reproduced"
    assert verdict(-0.3, -0.3, count=4).verdict == "not yet run"


def test_the_other_rankings_look_at_their_own_runs():
    elman = seeds([-0.5] * 5, activation="tanh", gain=0.9)
    leaky = seeds([-0.1] * 5, cell="leaky", activation="tanh", gain=0.9)
    assert claim("leaky units (alpha = 0.9)", elman + leaky).verdict == "reproduced"
    assert claim("LSTMs with forget bias 3", elman + leaky).verdict == "not yet run"
    calm = seeds([-0.9] * 5, cell="leaky", activation="tanh", gain=0.9, drive=0.1)
    assert claim("leaky units (alpha = 0.9)", elman + leaky + calm).verdict == "reproduced"
    rest = {"gain": 0.9, "drive": 0.1}
    slow, fast = seeds([-0.1] * 5, activation="tanh", **rest), seeds([-0.3] * 5, cell="lstm", **rest)
    name = "LSTM without forget bias, near rest"
    assert claim(name, slow + fast).verdict == "reproduced"
    assert claim(name, elman + fast).verdict == "not yet run"


def test_linear_paths():
    def at(cell, slope, **changes):
        return run_of(cell=cell, activation=None, init="spectral_radius", slope=slope, gamma=None) | changes

    carousel = [at("identity", 0.0), at("cec", 0.0, gain=0.0), at("cec", 0.02)]
    found = claim("constant error carousel", carousel)
    assert (found.verdict, found.measured) == ("reproduced", "in 2 of 2")
    assert "cec with recurrent weights: 0.02 to 0.02" in found.note
    assert claim("constant error carousel", [*carousel, at("lstm_nfg", 1e-6, gain=0.0)]).verdict == "partly"
    for name, cell, right, wrong in (
        ("SCRN, slow context", "scrn", np.log(0.95), -0.05),
        ("antisymmetric", "antisymmetric", -0.009, 0.011),
    ):
        assert claim(name, [at(cell, right)]).verdict == "reproduced"
        assert claim(name, [at(cell, wrong)]).verdict == "not reproduced"
        assert claim(name, [at(cell, wrong, steps=100), at("lstm", wrong)]).verdict == "not yet run"


# ---- figures and tables ----


@pytest.fixture(scope="module")
def small_frame():
    lines = []
    for number, setting in enumerate(gradient_decay.sweep("smoke", "reference")):
        setting |= {"hidden": 6, "steps": 8, "device": "cpu"}
        reserved = {"status": "ok", "trial": str(number), "preset": "smoke", "source": "local", "seed": 0}
        rows = gradient_decay.run(setting, np.random.default_rng(number))
        lines += [setting | row | reserved for row in rows]
    return pd.DataFrame([*lines, setting | reserved | {"status": "failed", "trial": "failed"}])


def test_figures_and_tables_are_drawn(small_frame):
    with style.context():
        import matplotlib.pyplot as plt

        drawn = gradient_decay.figures(small_frame)
        assert set(drawn) == {
            "by_radius", "bound", "singular_values", "cells", "forget_bias", "cells_by_lag", "lstm_by_lag",
        }  # fmt: skip
        for figure, caption in drawn.values():
            figure.canvas.draw()
            assert caption.endswith(".")
            plt.close(figure)
        heat = [text.get_text() for text in drawn["cells"][0].axes[0].get_yticklabels()]
        legends = [ax.get_legend().get_texts() for ax in drawn["cells_by_lag"][0].axes]
    assert sorted(heat) == cells.names()
    assert sorted(text.get_text() for texts in legends for text in texts) == cells.names()
    tables = gradient_decay.tables(small_frame)
    assert set(cells.names()) == set(tables["spectral_radius"][0]["cell"])
    assert (tables["gaussian"][0]["size"] == 1).all()


def test_a_subset_draws_what_it_can(small_frame):
    lstm = small_frame[small_frame["cell"] == "lstm"]
    with style.context():
        import matplotlib.pyplot as plt

        assert set(gradient_decay.figures(lstm)) == {
            "cells", "forget_bias", "cells_by_lag", "lstm_by_lag",
        }  # fmt: skip
        plt.close("all")
    assert gradient_decay.figures(small_frame[small_frame["status"] == "failed"]) == {}


def test_figures_do_not_mix_sizes(small_frame):
    bigger = small_frame.assign(steps=100, log_norm=-1e6, slope=-1e3)
    tables = gradient_decay.tables(pd.concat([small_frame, bigger]))
    assert (tables["spectral_radius"][0]["slope"] == -1e3).all()
