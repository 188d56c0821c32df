"""The LSTM line: weight counts against the papers, and what one cell of the line is of another."""

import numpy as np
import pytest
from helpers import assert_close, assert_same_bits, random_state, randomise

from rnnbench import Recurrent, cells
from rnnbench.cells.lstm_1997 import weight_count
from rnnbench.layout import Layout

SATURATED = 1e3  # a gate with this bias is exactly 1

# Tables 1 and 3 to 9 of Hochreiter & Schmidhuber 1997: inputs, outputs, blocks, block size, biased units; # weights.
PUBLISHED = {
    "1, embedded Reber grammar, 4 blocks": ((7, 7, 4, 1, "gates"), 264),
    "1, embedded Reber grammar, 3 blocks": ((7, 7, 3, 2, "gates"), 276),
    "2c, 50 distractors": ((54, 2, 2, 1, "none"), 364),
    "2c, 100 distractors": ((104, 2, 2, 1, "none"), 664),
    "2c, 200 distractors": ((204, 2, 2, 1, "none"), 1264),
    "2c, 500 distractors": ((504, 2, 2, 1, "none"), 3064),
    "2c, 1000 distractors": ((1004, 2, 2, 1, "none"), 6064),
    "3, two sequences": ((1, 1, 3, 1, "hidden"), 102),
    "4 and 5, adding and multiplication": ((2, 1, 2, 2, "all"), 93),
    "6a, temporal order": ((8, 4, 2, 2, "all"), 156),
    "6b, temporal order": ((8, 8, 3, 2, "all"), 308),
}


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_weights_of_1997_are_those_of_the_papers_tables(experiment):
    network, published = PUBLISHED[experiment]
    assert weight_count(*network) == published


@pytest.mark.parametrize("experiment", [name for name, (network, _) in PUBLISHED.items() if network[3] == 1])
def test_the_fully_recurrent_cell_has_the_weights_of_the_papers_tables(experiment):
    (inputs, outputs, blocks, _, biased), published = PUBLISHED[experiment]
    layout = Layout(cells.get("lstm_1997", fully_recurrent=True), inputs, blocks)
    biases = {"none": 0, "gates": 2 * blocks, "hidden": layout.bias_size}[biased]
    assert layout.weight_count(bias=False) + biases + outputs * blocks == published


def test_an_unknown_choice_of_biased_units_is_refused():
    with pytest.raises(ValueError, match="biased: got 'cells', expected one of 'none', 'gates'"):
        weight_count(1, 1, 1, biased="cells")


def random_layer(name, **options):
    return randomise(Recurrent(name, 3, 5, dtype="float64", device="reference", **options))


def same_parameters(name, of, **options):
    """A layer whose blocks, biases and unit parameters are those of `of`, and 0 where it has none."""
    layer = Recurrent(name, 3, 5, dtype="float64", device="reference", **options)
    for value in layer.params.values():
        value[...] = 0
    for pair in layer.blocks.keys() & of.blocks.keys():
        layer.blocks[pair][...] = of.blocks[pair]
    for gate in layer.layout.bias_rows.keys() & of.layout.bias_rows.keys():
        layer.gate_bias(gate)[...] = of.gate_bias(gate)
    for unit in layer.cell.parameters:
        layer.params[unit.name][...] = of.params.get(unit.name, 0)
    return layer


def run(layer, of):
    """Outputs of a layer from the random start of the layer `of`."""
    x = np.random.default_rng(4).normal(size=(7, 2, 3))
    state = random_state(of, 2)
    given = {name: state.get(name, np.zeros((2, 5))) for name in layer.layout.states}
    return layer.forward(x, given)[0]


@pytest.mark.parametrize(
    "variant, vanilla",
    [("lstm", "lstm_peephole"), ("lstm_np", "lstm_peephole"), ("lstm_np", "lstm"), ("lstm_peephole", "lstm_fgr"),
     ("lstm_linear_output", "lstm_noaf"), ("lstm_peephole", "lstm_peephole")],
)  # fmt: skip
def test_without_what_it_adds_a_cell_is_the_plainer_one(variant, vanilla):
    layer = random_layer(variant)
    assert_same_bits(run(same_parameters(vanilla, layer), layer), run(layer, layer))


@pytest.mark.parametrize("variant, gate", [("lstm_nig", "i"), ("lstm_nfg", "f"), ("lstm_nog", "o")])
def test_a_variant_without_a_gate_is_the_vanilla_lstm_with_that_gate_open(variant, gate):
    layer = random_layer(variant)
    vanilla = same_parameters("lstm_peephole", layer)
    vanilla.gate_bias(gate)[...] = SATURATED
    assert_same_bits(run(vanilla, layer), run(layer, layer))


def test_coupled_gates_are_those_of_the_vanilla_lstm_with_opposite_weights():
    layer = random_layer("lstm_cifg")
    vanilla = same_parameters("lstm_peephole", layer)
    for source in ("x", "h"):
        vanilla.blocks["f", source][...] = -layer.blocks["i", source]
    vanilla.gate_bias("f")[...] = -layer.gate_bias("i")
    vanilla.params["peephole_f"][...] = -layer.params["peephole_i"]
    assert_close(run(vanilla, layer), run(layer, layer), 1e-14)


@pytest.mark.parametrize("fully_recurrent", [False, True])
def test_the_squashing_functions_of_1997_are_tanh_at_another_scale(fully_recurrent):
    layer = random_layer("lstm_1997", fully_recurrent=fully_recurrent)
    for (_, source), block in layer.blocks.items():
        block[...] *= source not in ("i", "o")
    modern = same_parameters("lstm", layer)
    for source in ("x", "h"):
        modern.blocks["g", source][...] /= 2
    modern.gate_bias("g")[...] /= 2
    modern.gate_bias("f")[...] = SATURATED
    x, state = np.random.default_rng(4).normal(size=(7, 2, 3)), random_state(layer, 2)
    y, final = layer.forward(x, state)
    expected, expected_final = modern.forward(x, {"h": state["h"], "c": state["c"] / 2})
    assert_close(y, expected, 1e-14)
    assert_close(final["c"] / 2, expected_final["c"], 1e-14)


def test_gates_of_1997_that_are_read_matter():
    layer = random_layer("lstm_1997", fully_recurrent=True)
    plain = same_parameters("lstm_1997", layer)
    assert np.abs(run(layer, layer) - run(plain, layer)).max() > 1e-3


def test_the_carousel_carries_an_error_unchanged():
    layer = random_layer("cec")
    layer.params["weight_hh"][...] = 0
    x, dc = np.random.default_rng(5).normal(size=(50, 2, 3)), np.random.default_rng(6).normal(size=(2, 5))
    y, _ = layer.forward(x, random_state(layer, 2))
    _, dstate = layer.backward(np.zeros_like(y), {"h": np.zeros((2, 5)), "c": dc})
    assert_same_bits(dstate["c"], dc)
