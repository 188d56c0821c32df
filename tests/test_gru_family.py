"""What the papers say of the GRU's relatives and of the cells with few gates: counts, starts, special cases."""

import numpy as np
import pytest
from helpers import assert_close, random_state, randomise

from rnnbench import Recurrent, cells
from rnnbench.layout import Layout

T, B, I, H = 6, 3, 4, 5


def layer_of(cell, I=I, H=H, **options):
    return randomise(Recurrent(cell, I, H, dtype="float64", device="reference", **options))


def inputs(I=I):
    return np.random.default_rng(5).normal(size=(T, B, I))


def count(cell, I, H, bias=True, **options):
    return Layout(cells.get(cell, **options), I, H).weight_count(bias=bias)


def test_weight_counts_are_the_papers_fractions():
    assert count("mgu", 28, 100) * 3 == count("gru", 28, 100) * 2, "Zhou et al.: two thirds of a GRU"
    assert count("janet", 28, 128) * 2 == count("lstm", 28, 128), "one gate and a candidate of an LSTM's four"
    assert count("indrnn", 28, 128) == 128 * 28 + 128 + 128, "Li et al.: N M + N, and the bias"
    assert count("ugrnn", 28, 100) == count("mgu", 28, 100)
    assert count("gru_textbook", 28, 100) == count("gru", 28, 100) == count("mut2", 28, 100) == count("mut3", 28, 100)


@pytest.mark.parametrize("width, percent", [(1, 33), (2, 22), (3, 17), (4, 13)])
def test_min_gru_has_the_published_fraction_of_a_grus_weights(width, percent):
    I, H = 64, 64 * width
    assert round(100 * count("min_gru", I, H, bias=False) / count("gru", I, H, bias=False)) == percent


def test_mut2_is_a_gru_with_its_update_gate_turned_round():
    mutant, gru = layer_of("mut2"), layer_of("gru")
    for (gate, source), block in gru.blocks.items():
        block[...] = (-1 if gate == "z" else 1) * mutant.blocks[gate, source]
    for gate in "rzn":
        gru.gate_bias(gate)[...] = (-1 if gate == "z" else 1) * mutant.gate_bias(gate)
    start = random_state(gru, B)
    assert_close(mutant.forward(inputs(), start)[0], gru.forward(inputs(), start)[0], 1e-14, "y")


def test_mut1_adds_the_raw_input_where_its_projection_is_the_identity():
    layer = layer_of("mut1", I=H)
    layer.blocks["v", "x"][...] = np.eye(H)
    x, h = inputs(H)[0], random_state(layer, B)["h"]

    def product(gate, source, vector):
        return vector @ layer.blocks[gate, source].T

    z = 1 / (1 + np.exp(-product("z", "x", x) - layer.gate_bias("z")))
    r = 1 / (1 + np.exp(-product("r", "x", x) - product("r", "h", h) - layer.gate_bias("r")))
    n = np.tanh(product("n", "rh@0", r * h) + np.tanh(x) + layer.gate_bias("n"))
    y, _ = layer.forward(x[None], {"h": h})
    assert_close(y[0], n * z + h * (1 - z), 1e-14, "y")


def test_the_textbooks_gates_start_half_open():
    layer = layer_of("gru_textbook")
    half = {"h": np.zeros((B, H)), "u": np.full((B, H), 0.5), "r": np.full((B, H), 0.5)}
    y, final = layer.forward(inputs())
    given, _ = layer.forward(inputs(), half)
    assert_close(y, given, 0, "y")
    assert final.keys() == {"h", "u", "r"}
    other, _ = layer.forward(inputs(), half | {"r": np.zeros((B, H))})
    assert_close(y, other, 0, "r_0 makes no difference while h_0 = 0")


def test_the_textbooks_gates_are_a_step_late():
    layer, x = layer_of("gru_textbook"), inputs()
    layer.blocks["n", "x"][...] = 0
    changed = x.copy()
    changed[2] += 1
    before, after = layer.forward(x)[0], layer.forward(changed)[0]
    np.testing.assert_array_equal(before[:3], after[:3])
    assert (before[3] != after[3]).all()


def test_indrnn_starts_with_the_quantiles_of_its_distribution():
    layer = Recurrent("indrnn", 2, 4, dtype="float64", device="reference")
    np.testing.assert_array_equal(layer.params["u"], [0.125, 0.375, 0.625, 0.875])


def test_units_of_an_indrnn_do_not_hear_each_other():
    layer = layer_of("indrnn", activation="tanh")
    y, _ = layer.forward(inputs(), random_state(layer, B))
    dy = np.zeros_like(y)
    dy[-1, :, 2] = 1
    _, dstate = layer.backward(dy)
    assert (dstate["h"][:, 2] != 0).all()
    assert not np.delete(dstate["h"], 2, axis=1).any()


def test_min_gru_is_affine_in_its_first_state():
    layer = layer_of("min_gru")
    one, two = (random_state(layer, B, seed)["h"] for seed in (1, 2))
    y = {k: layer.forward(inputs(), {"h": h})[0] for k, h in {"1": one, "2": two, "mix": 3 * one - 2 * two}.items()}
    assert_close(y["mix"], 3 * y["1"] - 2 * y["2"], 1e-14, "y")


@pytest.mark.parametrize("beta", [True, "1", None, float("nan"), float("inf")])
def test_janet_refuses_a_beta_that_is_no_number(beta):
    with pytest.raises(ValueError, match=r"beta: got .*, expected a finite number"):
        cells.get("janet", beta=beta)


def test_janet_without_beta_is_ugrnn():
    janet, ugrnn = layer_of("janet", beta=0), layer_of("ugrnn")
    for ours, theirs in {"f": "g", "n": "c"}.items():
        for source in ("x", "h"):
            ugrnn.blocks[theirs, source][...] = janet.blocks[ours, source]
        ugrnn.gate_bias(theirs)[...] = janet.gate_bias(ours)
    start = random_state(janet, B)
    assert_close(janet.forward(inputs(), start)[0], ugrnn.forward(inputs(), start)[0], 1e-14, "y")
