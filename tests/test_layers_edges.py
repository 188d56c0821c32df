"""Corners of layers: nothing to run over, other integer types, results edited before backward, what must be refused."""

import copy
import pickle

import numpy as np
import pytest
from net_checks import arrays

import rnnbench
from rnnbench import Recurrent, layers
from rnnbench.layers import generate, saving
from rnnbench.training.regularisers import Omega

F = "float64"


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_a_balanced_tree_does_not_depend_on_steps_beyond_all_rows():
    tree, x, lengths = layers.Tree(2, 3, dtype=F), draw(6, 3, 2), np.array([4, 3, 1])
    y, _ = tree.forward(x[:4], lengths=lengths)
    longer, _ = tree.forward(x, lengths=lengths)
    np.testing.assert_array_equal(longer, y)
    dx, _ = tree.backward(np.ones_like(y))
    assert dx[:4].any(axis=(0, 2)).all() and not dx[4:].any()


def test_a_dense_layer_may_have_no_input():
    layer = layers.Dense(0, 3, dtype=F)
    y, _ = layer.forward(np.zeros((4, 2, 0)))
    np.testing.assert_array_equal(y, np.broadcast_to(layer.params["bias"], (4, 2, 3)))
    dx, _ = layer.backward(np.ones_like(y))
    assert dx.shape == (4, 2, 0)
    np.testing.assert_array_equal(layer.grads["bias"], [8, 8, 8])


@pytest.mark.parametrize("kind", ["uint64", "int8", "uint8", "int32"])
@pytest.mark.parametrize(
    "make", [lambda: layers.Embedding(5, 3), lambda: layers.OneHot(5), lambda: layers.WindowModel(5, 3, 2, 2)]
)
def test_symbols_may_be_any_integers(make, kind):
    x = np.array([[0, 4], [3, 1]])
    layer = make()
    np.testing.assert_array_equal(layer.forward(x.astype(kind))[0], layer.forward(x)[0])


@pytest.mark.parametrize("controller", ["feed-forward", "lstm"])
def test_a_turing_machine_without_steps_passes_its_state_on(controller):
    layer = layers.NeuralTuringMachine(2, 3, slots=5, width=4, hidden_size=3, controller=controller, device="reference")
    _, usual = layer.forward(np.zeros((1, 2, 2), "float32"), tape=False)
    y, final = layer.forward(np.zeros((0, 2, 2), "float32"))
    assert y.shape == (0, 2, 3) and final.keys() == usual.keys()
    _, dinitial = layer.backward(y, final)
    given, got = arrays(final), arrays(dinitial)
    np.testing.assert_equal(got, given)
    assert not any(np.shares_memory(got[key], given[key]) for key in given)


def test_what_a_decoder_passes_on_may_be_edited():
    layer = layers.Decoder(5, 3, 4, attention="dot", dtype=F, device="reference")
    state = {"memory": draw(3, 2, 4), "lengths": np.array([[3], [2]])}
    before = copy.deepcopy(state)
    _, final = layer.forward(np.zeros((2, 2), int), state)
    for key in state:
        final[key][...] = 7
    np.testing.assert_equal(state, before)


def test_lengths_that_an_encoder_passes_on_may_be_edited():
    options = {"dtype": F, "device": "reference"}
    network = layers.EncoderDecoder(
        layers.Encoder(5, 3, 4, **options), layers.Decoder(5, 3, 4, attention="dot", **options)
    )
    lengths = np.array([3, 2])
    network.encode(np.zeros((3, 2), int), lengths=lengths)["lengths"][...] = 1
    np.testing.assert_array_equal(lengths, [3, 2])


def _turing():
    layer = layers.NeuralTuringMachine(2, 3, slots=5, width=4, hidden_size=3, controller="feed-forward", dtype=F)
    return layer, draw(4, 1, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (layers.Dense(2, 3, activation="tanh", dtype=F), draw(4, 2)),
        lambda: (layers.Pool("max", dtype=F), draw(4, 1, 2)),
        lambda: (Recurrent("lstm", 2, 3, dtype=F, device="reference"), draw(4, 1, 2)),
        lambda: (layers.Attention(2, 2, dtype=F), (draw(4, 1, 2), draw(3, 1, 2))),
        lambda: (Omega(Recurrent("elman", 2, 3, dtype=F, device="reference"), 1.0), draw(4, 1, 2)),
        _turing,
    ],
)
def test_what_is_returned_may_be_edited(make):
    def gradients(edit):
        layer, x = make()
        y, state = layer.forward(x)
        dy = np.ones_like(y)
        if edit:
            for value in (y, *state.values()):
                value[...] = 7
        return layer.backward(dy)[0], layer.gradients()

    np.testing.assert_equal(gradients(True), gradients(False))


def test_what_dropout_leaves_as_it_is_may_be_edited():
    layer, x, dy = layers.Dropout(0.0, dtype=F), draw(4, 1, 2), draw(4, 1, 2)
    before = x.copy(), dy.copy()
    layer.forward(x)[0][...] = 7
    layer.backward(dy)[0][...] = 7
    layer.forward(x, tape=False)[0][...] = 7
    np.testing.assert_array_equal((x, dy), before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("make", [lambda: Recurrent("lstm", 2, 3), lambda: layers.Stack("lstm", 2, 3, layers=2)])
def test_a_copy_of_a_layer_that_ran_is_a_layer_of_its_own(make, copied):
    layer, x = make(), draw(4, 2, 2).astype("float32")
    before, _ = layer.forward(x)
    other = copied(layer)
    for value in other.parameters().values():
        value *= 0.5
    expected = make()
    for path, value in expected.parameters().items():
        value[...] = other.parameters()[path]
    for one in (other, expected):
        y, _ = one.forward(x)
        one.backward(np.ones_like(y))
    np.testing.assert_equal((y, other.gradients()), (other.forward(x)[0], expected.gradients()))
    np.testing.assert_array_equal(layer.forward(x)[0], before)


def test_a_copy_of_a_layer_leaves_the_tape_where_it_is():
    layer = Recurrent("lstm", 2, 3, device="reference")
    y, _, tape = layer.forward(draw(4, 1, 2).astype("float32"), tape=True)
    with layer.frozen():
        layer.forward(draw(4, 1, 2).astype("float32"))
        other = copy.deepcopy(layer)
    with pytest.raises(RuntimeError, match="no tape"):
        other.backward(y)
    other.params["bias"][...] = 5
    assert (other.forward(draw(4, 1, 2).astype("float32"))[0] != y).all()
    with pytest.raises(TypeError, match="tape: it cannot be copied or saved"):
        copy.deepcopy(tape)


@pytest.mark.parametrize("wrong", [np.zeros(3, F), np.zeros(4, "float32"), 0.0, np.broadcast_to(np.float32(0), 3)])
def test_a_gradient_that_does_not_fit_is_refused(wrong):
    layer = Recurrent("elman", 2, 3, device="reference")
    layer.forward(np.zeros((2, 2, 2), "float32"))
    layer.grads["bias"] = wrong
    with pytest.raises(ValueError, match=r"grads\['bias'\]: got .*, expected a writeable float32 of shape \(3,\)"):
        layer.backward(None)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (
            lambda: layers.HierarchicalSoftmax(3, 4, classes=np.array([0, 0, 1, 1])),
            lambda: layers.HierarchicalSoftmax(3, 4, classes=np.array([0, 1, 0, 1])),
            r"network\.classes: got \[0, 0, 1, 1\], expected \[0, 1, 0, 1\]",
        ),
        (
            lambda: layers.SampledSoftmax(3, 40, distribution="uniform"),
            lambda: layers.SampledSoftmax(3, 40),
            r"network\.q: got a list of 40",
        ),
    ],
)
def test_a_file_of_other_word_classes_is_refused(tmp_path, one, other, told):
    saving.save(one(), tmp_path / "a.npz")
    saving.load(one(), tmp_path / "a.npz")
    with pytest.raises(ValueError, match=told):
        saving.load(other(), tmp_path / "a.npz")


def test_parts_without_widths_are_refused_by_skip():
    with pytest.raises(ValueError, match=r"part 'a': .*has no widths"):
        layers.Skip(a=layers.Dropout(0.1))


def test_a_state_that_is_no_dict_is_refused():
    layer = layers.VectorToSequence(2, 0, 3, device="reference")
    x = np.zeros((2, 2), "float32"), np.zeros((3, 2, 0), "float32")
    with pytest.raises(TypeError, match="state: got int, expected a dict"):
        layer.forward(x, 5)
    with pytest.raises(ValueError, match=r"state: got \['z'\], expected some of \['h', 'c'\]"):
        layer.forward(x, {"z": 5})


WORDS, LOGP = np.array([[0, 2], [1, 0]]), (draw(2, 2, 3), np.array([[0, 2], [1, 0]]))


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda: layers.Dense(3, 2, dtype=F), draw(2, 2, 3)),
        (lambda: layers.Embedding(4, 3, dtype=F), WORDS),
        (lambda: layers.OneHot(4, dtype=F), WORDS),
        (lambda: layers.Pool("mean", dtype=F), draw(2, 2, 3)),
        (lambda: layers.Dropout(0.5, dtype=F), draw(2, 2, 3)),
        (lambda: layers.SampledSoftmax(3, 4, samples=2, dtype=F), LOGP),
        (lambda: layers.HierarchicalSoftmax(3, 4, dtype=F), LOGP),
        (lambda: layers.Attention(3, 3, dtype=F), (draw(2, 2, 3), draw(2, 2, 3))),
        (lambda: layers.Tree(3, 2, dtype=F), draw(2, 2, 3)),
    ],
)
def test_a_state_of_a_layer_without_one_is_refused(make, x):
    layer = make()
    with pytest.raises(ValueError, match=r"state: got \['h'\], expected None or \{\}: this layer has no state"):
        layer.forward(x, {"h": np.ones((2, 2))})
    y, state = layer.forward(x, {})
    assert state == {}
    with pytest.raises(ValueError, match="dstate: got ndarray, expected None"):
        layer.backward(np.ones_like(y), np.ones(2))
    layer.backward(np.ones_like(y), {})


def test_a_frozen_layer_takes_no_other_arrays():
    layer = Recurrent("elman", 2, 3)
    given = {key: value.copy() for key, value in layer.params.items()}
    with layer.frozen(), pytest.raises(RuntimeError, match=r"bind: 'weight_ih' is frozen"):
        layer.bind(given, layer.grads)
    layer.bind(given, layer.grads)


def test_more_leaves_than_steps_are_refused():
    with pytest.raises(ValueError, match="leaves: got 5 in a row, expected at most 3"):
        layers.tree.balanced([2, 5], 3)


def test_the_last_step_of_what_reads_backwards_is_refused_where_it_is_not_apart():
    options = {"bidirectional": True, "skip": True}
    with pytest.raises(ValueError, match="readout: got 'last' with skip and bidirectional, expected another"):
        layers.Network.build("elman", 2, 1, 3, readout="last", **options)
    layers.Network.build("elman", 2, 1, 3, readout="mean", **options)


def test_the_coldest_draw_is_the_most_probable_symbol():
    model, prompt = layers.WindowModel(4, 2, 3, 5), np.zeros((1, 6), int)
    drawn = generate.sample(model, prompt, 4, 0, temperature=1e-310)
    np.testing.assert_array_equal(drawn.symbols, generate.greedy(model, prompt, 4).symbols)
    assert drawn.symbols.any()


def test_an_infinite_logit_is_refused():
    model = layers.WindowModel(4, 2, 3, 5)
    model.parts["readout"].params["bias"][1] = np.inf
    with pytest.raises(ValueError, match="logits are NaN or infinite"):
        generate.greedy(model, np.zeros((1, 1), int), 2)


def test_all_folders_are_found_by_name():
    for name in ("cells", "layers", "probes", "tasks", "training"):
        assert getattr(rnnbench, name).__name__ == f"rnnbench.{name}" and name in rnnbench.__all__


@pytest.mark.parametrize(
    "make",
    [lambda seed: layers.SampledSoftmax(3, 9, seed=seed), lambda seed: layers.OutputRecurrence(1, 2, 1, seed=seed)],
)
def test_what_a_forward_pass_draws_is_the_layers_own(make):
    rng = np.random.default_rng(0)
    drawn = make(rng).random[0].random(4)
    rng = np.random.default_rng(0)
    layer = make(rng)
    rng.random()
    np.testing.assert_array_equal(layer.random[0].random(4), drawn)
