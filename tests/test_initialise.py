"""Initial parameters have the properties that their recipe's name promises."""

from dataclasses import replace
from itertools import product

import numpy as np
import odd_cells
import pytest
from helpers import CASES, as_params

from rnnbench import Recurrent, cells
from rnnbench.contract import UnitParameter
from rnnbench.layers import initialise

H = 24
NAMES = cells.names()


def make(cell="lstm", I=10, H=H, **options):
    return Recurrent(cell, I, H, dtype="float64", device="reference", **options)


def recurrent_blocks(layer):
    return {pair: w for pair, w in layer.blocks.items() if pair[1] != "x"}


def radius(w):
    return np.abs(np.linalg.eigvals(w)).max()


def is_orthogonal(w, gain=1.0):
    few = w if w.shape[0] <= w.shape[1] else w.T
    return np.allclose(few @ few.T, gain**2 * np.eye(len(few)), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bias", [True, False])
def test_uniform_is_within_pytorchs_bound_and_fills_it(name, bias):
    layer = make(name, bias=bias, init="uniform")
    bound = 1 / np.sqrt(H)
    trained = {k: v for k, v in layer.params.items() if k.startswith(("weight", "bias")) and v.size}
    assert ("bias" in trained) == (bias and layer.layout.bias_size > 0)
    for key, value in trained.items():
        assert np.abs(value).max() <= bound, key
        assert np.abs(np.mean(value)) < 3 * bound / np.sqrt(value.size), key
        assert value.size < 50 or np.abs(value).max() > 0.8 * bound, key


def test_the_bound_of_uniform_follows_the_hidden_size_and_the_gain():
    for units in (4, 100):
        w = make(H=units).params["weight_ih"]
        assert 0.9 / np.sqrt(units) < np.abs(w).max() <= 1 / np.sqrt(units)
    assert np.abs(make(init={"name": "uniform", "gain": 3.0}).params["weight_hh"]).max() > 2.7 / np.sqrt(H)


@pytest.mark.parametrize("name", NAMES)
def test_all_but_uniform_start_with_biases_of_zero(name):
    for recipe in initialise.RECURRENT:
        assert not make(name, init=recipe).params["bias"].any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal(name, gain):
    layer = make(name, init={"name": "orthogonal", "gain": gain})
    for pair, w in recurrent_blocks(layer).items():
        assert is_orthogonal(w, gain), pair


def test_orthogonal_blocks_of_other_shapes_have_orthonormal_rows_or_columns():
    layer = make("jordan", output_size=7, init="orthogonal")
    assert layer.blocks["h", "y"].shape == (H, 7) and layer.blocks["y", "h@0"].shape == (7, H)
    assert all(is_orthogonal(w) for w in recurrent_blocks(layer).values())


def test_orthogonal_is_uniform_over_the_group():
    rng = np.random.default_rng(0)
    matrices = np.array([initialise.orthogonal(rng, (3, 3), 1.0) for _ in range(4000)])
    assert abs(np.mean(np.linalg.det(matrices))) < 0.06, "both signs of the determinant, equally often"
    assert np.abs(matrices.mean(axis=0)).max() < 0.04, "every entry has mean 0: QR's signs are undone"
    assert np.abs((matrices**2).mean(axis=0) - 1 / 3).max() < 0.02


@pytest.mark.parametrize("gain", [1.0, 0.25])
def test_identity(gain):
    layer = make("gru", init={"name": "identity", "gain": gain})
    for w in recurrent_blocks(layer).values():
        np.testing.assert_array_equal(w, gain * np.eye(H))


def test_an_irnn_step_keeps_its_state():
    layer = make("elman", I=0, activation="relu", init="identity")
    h = np.abs(np.random.default_rng(0).normal(size=(2, H)))
    y, _ = layer.forward(np.zeros((9, 2, 0)), {"h": h})
    np.testing.assert_array_equal(y, np.broadcast_to(h, (9, 2, H)))


@pytest.mark.parametrize("gain", [1.0, 0.9])
def test_symmetric_has_real_eigenvalues_within_the_gain(gain):
    layer = make("skip", init={"name": "symmetric", "gain": gain})
    for w in recurrent_blocks(layer).values():
        np.testing.assert_allclose(w, w.T, atol=1e-15)
        values = np.linalg.eigvalsh(w)
        assert abs(np.abs(values).max() - gain) < 1e-12
        assert values.min() < -0.3 * gain and values.max() > 0.3 * gain


@pytest.mark.parametrize("units", [1, 2, H])
@pytest.mark.parametrize("gain", [1.0, 1.3])
def test_spectral_radius(units, gain):
    layer = make("elman", H=units, init={"name": "spectral_radius", "gain": gain})
    assert abs(radius(layer.params["weight_hh"]) - gain) < 1e-12


@pytest.mark.parametrize("name", ["elman", "lstm", "jordan"])
@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_singular_value(name, gain):
    options = {"output_size": 3} if name == "jordan" else {}
    layer = make(name, init={"name": "singular_value", "gain": gain}, **options)
    for w in recurrent_blocks(layer).values():
        assert abs(np.linalg.norm(w, 2) - gain) < 1e-12


def test_gaussian_has_the_scale_of_its_columns():
    layer = make("jordan", I=50, H=200, output_size=30, init={"name": "gaussian", "gain": 1.5, "input": 0.5})
    for (gate, source), w in layer.blocks.items():
        expected = (0.5 if source == "x" else 1.5) / np.sqrt(w.shape[1])
        assert abs(w.std() / expected - 1) < 0.05, (gate, source)
        assert abs(w.mean()) < 0.05 * expected
    big = make("elman", H=400, init="gaussian").params["weight_hh"]
    assert abs(radius(big) - 1) < 0.1, "the circular law"


@pytest.mark.parametrize("recipe", initialise.RECURRENT)
def test_input_scales_the_blocks_from_x_only(recipe):
    small, large = (make("gru", init={"name": recipe, "input": s}) for s in (0.5, 1.0))
    for pair, w in small.blocks.items():
        np.testing.assert_array_equal(w, (0.5 if pair[1] == "x" else 1.0) * large.blocks[pair])


def test_input_std_is_the_deviation_of_the_input_blocks_whatever_their_width():
    for inputs in (30, 300):
        layer = make("gru", I=inputs, H=100, init={"name": "identity", "input_std": 0.001})
        for (gate, source), w in layer.blocks.items():
            if source == "x":
                assert abs(w.std() / 0.001 - 1) < 0.05, gate
            else:
                np.testing.assert_array_equal(w, np.eye(100))


def test_an_irnn_starts_as_the_identity():
    layer = make("irnn", I=200, H=50)
    np.testing.assert_array_equal(layer.params["weight_hh"], np.eye(50))
    assert not layer.params["bias"].any()
    assert abs(layer.params["weight_ih"].std() / 0.001 - 1) < 0.03
    assert abs(layer.params["weight_ih"].mean()) < 5e-5


@pytest.mark.parametrize("recipe", ["identity", "symmetric", "spectral_radius"])
def test_recipes_for_square_blocks_leave_others_gaussian(recipe):
    layer = make("jordan", H=200, output_size=50, init={"name": recipe, "gain": 0.01})
    for pair in (("h", "y"), ("y", "h@0")):
        w = layer.blocks[pair]
        assert abs(w.std() * np.sqrt(w.shape[1]) - 1) < 0.05


@pytest.mark.parametrize("recipe", ["uniform", "orthogonal"])
@pytest.mark.parametrize("bias, key", [(True, "bias"), ("torch", "bias_ih")])
def test_forget_bias(recipe, bias, key):
    plain, opened = (make("lstm", bias=bias, init={"name": recipe, "forget_bias": b}) for b in (0, 2.0))
    for name, value in opened.params.items():
        difference = value - plain.params[name]
        if name == key:
            np.testing.assert_allclose(difference[H : 2 * H], 2.0)
            difference[H : 2 * H] = 0
        assert not difference.any(), name


def test_every_block_is_drawn_anew():
    for recipe in ("uniform", "gaussian", "orthogonal", "symmetric", "spectral_radius", "singular_value"):
        blocks = list(recurrent_blocks(make("lstm", init=recipe)).values())
        assert not any(np.allclose(a, b) for i, a in enumerate(blocks) for b in blocks[:i]), recipe


@pytest.mark.parametrize("case", as_params(CASES))
def test_every_recipe_fits_every_cell(case):
    for recipe, (inputs, units) in product(("uniform", *initialise.RECURRENT), ((0, 1), (1, 2), (3, 1))):
        layer = Recurrent(case.cell, inputs, units, device="reference", init=recipe, **dict(case.options))
        assert all(np.isfinite(v).all() and v.dtype == np.float32 for v in layer.params.values()), recipe


def test_learned_starts_are_zero_and_unit_parameters_their_own():
    layer = make(odd_cells.learned_start(), init="orthogonal")
    assert not layer.params["initial_h"].any() and "initial_c" not in layer.params
    assert np.all(make("leaky", alpha=0.7, init="gaussian").params["alpha"] == 0.7)


@pytest.mark.parametrize(
    "init, message",
    [
        ("orthgonal", "init: got 'orthgonal', expected one of uniform, gaussian, orthogonal"),
        ("", "init: got ''"),
        ({"gian": 2}, r"init: got keys \['gian'\], expected some of \['name', 'gain'"),
        ({"name": "none"}, "init: got 'none'"),
        ({"name": ["uniform"]}, r"init: got \['uniform'\]"),
        ({"name": "uniform", "gain": "2"}, "init: gain '2' is not a number"),
        ({"gain": True}, "init: gain True is not a number"),
        ({"gain": None}, "init: gain None is not a number"),
        ({"name": "gaussian", "input": [1]}, r"init: input \[1\] is not a number"),
        ({"name": "gaussian", "input_std": "1"}, "init: input_std '1' is not a number"),
        ({"name": "gaussian", "input_std": -1}, "init: input_std -1, expected at least 0"),
        ({"name": "uniform", "input": 0.5}, "init: got input 0.5 with 'uniform', expected it with another name"),
        ({"gain": 0.5, "input_std": 0.01}, "init: got input_std 0.01 with 'uniform', expected it with another"),
        ({"forget_bias": "1"}, "init: forget_bias '1' is not a number"),
        (7, "init: got 7, expected"),
        (3, "init: got 3, expected"),
        (["uniform"], r"init: got \['uniform'\], expected"),
    ],
)
def test_a_bad_recipe_is_refused(init, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(init=init)


@pytest.mark.parametrize(
    "cell, options", [("gru", {}), ("elman", {}), ("lstm", {"bias": False}), (odd_cells.no_bias_at_all(), {})]
)
def test_a_forget_bias_needs_a_bias_of_gate_f(cell, options):
    with pytest.raises(ValueError, match=r"init: forget_bias 1.0 given, but the layer has no bias of a gate"):
        make(cell, init={"forget_bias": 1.0}, **options)


def test_numpy_numbers_are_numbers():
    wide, narrow = (make(init={"name": "orthogonal", "gain": g}) for g in (0.5, np.float32(0.5)))
    np.testing.assert_array_equal(wide.params["weight_hh"], narrow.params["weight_hh"])


@pytest.mark.parametrize("make_matrix", [initialise.symmetric, initialise.spectral_radius])
def test_a_recipe_for_squares_refuses_a_rectangle(make_matrix):
    with pytest.raises(ValueError, match=r"got shape \(2, 3\), expected a square"):
        make_matrix(np.random.default_rng(0), (2, 3), 1.0)


def test_a_cell_brings_its_own_recipe_and_unit_values():
    parameter = UnitParameter("period", initial=lambda width: np.arange(width) + 1.0, trained=False)
    plain = cells.get("leaky")
    stage = replace(plain.stages[0], parameters=("period",))
    cell = replace(plain, parameters=(parameter,), stages=(stage,), init={"name": "identity", "gain": 0.5})
    layer = Recurrent(cell, 2, 4)
    np.testing.assert_array_equal(layer.params["weight_hh"], 0.5 * np.eye(4))
    np.testing.assert_array_equal(layer.params["period"], [1, 2, 3, 4])
    assert not np.allclose(Recurrent(cell, 2, 4, init="uniform").params["weight_hh"], 0.5 * np.eye(4))
    wrong = replace(cell, parameters=(replace(parameter, initial=lambda width: np.zeros(width + 1)),))
    with pytest.raises(ValueError, match=r"parameter 'period': initial has shape \(5,\), expected \(4,\)"):
        Recurrent(wrong, 2, 4)


@pytest.mark.parametrize("values", [None, [0.0, np.nan], np.ones(2) * 1j, 1j], ids=repr)
def test_unit_values_that_are_no_numbers_are_refused(values):
    parameter = UnitParameter("period", initial=lambda width: values)
    with pytest.raises(ValueError, match=r"parameter 'period': initial gave .*, expected"):
        initialise.unit_values(parameter, 2)


@pytest.mark.parametrize("units", [1, 10, 15, 40])
def test_sparse_has_fifteen_numbers_in_each_row_and_the_spectral_radius(units):
    layer = make("elman", H=units, init={"name": "sparse", "gain": 0.95, "input_std": 0.01})
    w = layer.params["weight_hh"]
    assert (np.count_nonzero(w, axis=1) == min(units, 15)).all()
    assert radius(w) == pytest.approx(0.95)
    if units == 40:  # other places in other rows
        assert len({tuple(np.flatnonzero(row)) for row in w}) > 1
    assert 0.005 < np.std(layer.params["weight_ih"]) < 0.02


@pytest.mark.parametrize(("bias", "key"), [(True, "bias"), ("torch", "bias_ih")])
def test_chrono_spreads_the_time_constants_of_the_gates(bias, key):
    layer = make("lstm", H=2000, I=1, bias=bias, init={"name": "gaussian", "chrono": 50})
    forget, enter = (layer.gate_bias(gate, key) for gate in "fi")
    steps = np.exp(forget)  # uniform on 1 ... 49
    assert 1 <= steps.min() < 1.5 and 48.5 < steps.max() <= 49
    assert abs(steps.mean() - 25) < 1 and abs(steps.std() - 48 / np.sqrt(12)) < 1
    np.testing.assert_array_equal(enter, -forget)
    assert not layer.gate_bias("o", key).any() and not layer.gate_bias("g", key).any()


@pytest.mark.parametrize(
    ("cell", "chrono", "told"),
    [
        ("lstm", 2, "chrono 2, expected more than 2"),
        ("lstm", "9", "not a number"),
        ("gru", 9, "chrono 9 given, but the layer has no bias of a gate"),
    ],
)
def test_bad_chrono_is_refused(cell, chrono, told):
    with pytest.raises(ValueError, match=told):
        make(cell, init={"chrono": chrono})


def test_chrono_holds_for_the_sum_of_two_biases():
    init = {"name": "uniform", "chrono": 30.0}
    params = Recurrent("lstm", 1, 50, bias="torch", init=init, device="reference").params
    i, f, *_ = np.split(params["bias_ih"] + params["bias_hh"], 4)
    np.testing.assert_array_equal(i, -f)
    assert f.min() >= 0 and f.max() <= np.log(29)
    with pytest.raises(ValueError, match=r"init: got forget_bias 1.0 beside chrono, expected one of them"):
        Recurrent("lstm", 1, 2, init=init | {"forget_bias": 1.0})
    with pytest.raises(ValueError, match="init: gain nan is not a number"):
        Recurrent("lstm", 1, 2, init={"name": "orthogonal", "gain": np.nan})
