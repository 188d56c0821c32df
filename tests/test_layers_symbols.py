"""Recurrent layers on symbols: the bits of one-hot vectors, without the product."""

import numpy as np
import pytest
from helpers import CASES, DEVICES, random_state, randomise
from hypothesis import given, settings
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas
from net_checks import randomise as randomise_net

from rnnbench import Recurrent
from rnnbench.contract import INPUT, Cell, Gate, Stage, Vector
from rnnbench.kernels import threads
from rnnbench.layers import Bidirectional, Chain, Dense, Network, OneHot, Stack
from rnnbench.layers.embedding import one_hot
from rnnbench.ops import tanh

V = 5


def draw(*shape, size=V, seed=0):
    return np.random.default_rng(seed).integers(size, size=shape)


def run(layer, x, truncate=None, seed=1, **options):
    """All that a forward and a backward pass give, gradients by x left out."""
    layer.zero_grad()
    rng = np.random.default_rng(seed)
    lead = layer.lead
    state = {k: rng.normal(size=(*lead, *v.shape)).astype(layer.dtype) for k, v in _states(layer, x).items()}
    y, final = layer.forward(x, state, **options)
    dy = rng.normal(size=y.shape).astype(layer.dtype)
    dfinal = {key: rng.normal(size=value.shape).astype(layer.dtype) for key, value in final.items()}
    symbols = x.dtype.kind == "i"
    dx, dinitial = layer.backward(dy, dfinal, truncate=truncate, need_dx=symbols)
    assert dx is None  # asked for or not
    found = {"y": y} | {f"final {k}": v for k, v in final.items()} | {f"dstate {k}": v for k, v in dinitial.items()}
    return found | {f"d {k}": v.copy() for k, v in layer.gradients().items()}


def _states(layer, x):
    return random_state(layer, x.shape[1 + len(layer.lead)])


def assert_same_bits(layer, x, **options):
    expected = run(layer, one_hot(x, layer.input_size, layer.dtype), **options)
    got = run(layer, x, **options)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


@pytest.mark.parametrize("case", [case for case in CASES if not case.options], ids=str)
def test_every_cell_has_the_bits_of_one_hot_vectors(case):
    layer = randomise(Recurrent(case.build(), V, 4, dtype="float64", device="cpu"))
    assert_same_bits(layer, draw(7, 3), lengths=[3, 7, 0], reverse=True)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 40), st.integers(0, 60), st.integers(0, 40), st.integers(1, 40), st.sampled_from(["elman", "gru"]),
    st.sampled_from([{}, {"outputs": "last"}, {"checkpoint": 7}, {"truncate": 3}]), st.integers(0, 99),
)  # fmt: skip
def test_any_shape_has_the_bits_of_one_hot_vectors(vocabulary, steps, rows, units, cell, options, seed):
    layer = randomise(Recurrent(cell, vocabulary, units, dtype="float32", device="cpu"))
    assert_same_bits(layer, draw(steps, rows, size=vocabulary, seed=seed), **options)


@pytest.mark.parametrize("threads_used", [1, 2, 3])
def test_no_bit_depends_on_threads(threads_used):
    """Large enough for several tasks and blocks; symbols that lie in several strips of units."""
    layer = randomise(Recurrent("lstm", 1000, 100, dtype="float32", device="cpu"))
    x, before = draw(60, 40, size=1000), threads._threads
    try:
        threads.set_num_threads(1)
        expected = run(layer, x)
        threads.set_num_threads(threads_used)
        got = run(layer, x)
    finally:
        threads._threads = before
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "indrnn", "lstm_fgr"])
def test_gradients(cell, device):
    layer = randomise(Recurrent(cell, V, 3, dtype="float64", device=device))
    check_gradients(layer, draw(5, 3), state=random_state(layer, 3), lengths=[2, 5, 4])


def test_gradients_add_up():
    layer = randomise(Recurrent("elman", V, 3, dtype="float64", device="cpu"))
    once = run(layer, draw(4, 2))
    layer.forward(draw(4, 2), tape=False)
    y, _ = layer.forward(draw(4, 2))
    layer.zero_grad()
    for _ in range(2):
        y, _ = layer.forward(draw(4, 2))
        layer.backward(np.ones_like(y))
    twice = layer.grads["weight_ih"].copy()
    layer.zero_grad()
    y, _ = layer.forward(draw(4, 2))
    layer.backward(np.ones_like(y))
    np.testing.assert_allclose(twice, 2 * layer.grads["weight_ih"], rtol=1e-12)
    assert np.abs(once["d weight_ih"]).max() > 0


def test_a_replica_has_the_bits_it_has_alone():
    check_replicas(lambda seed: Recurrent("gru", 12, 7, seed=seed, device="cpu"), draw(3, 30, 9, size=12))


def test_fed_states_replace_the_walks_own():
    layer = randomise(Recurrent("elman", V, 4, dtype="float64", device="cpu"))
    values = np.random.default_rng(3).normal(size=(6, 2, 4))
    assert_same_bits(layer, draw(6, 2), feed={"h": (values, draw(6, 2, size=2).astype(bool))})


def test_frozen_weights_serve_symbols_and_numbers():
    layer = randomise(Recurrent("gru", V, 4, dtype="float64", device="cpu"))
    x = draw(6, 2)
    with layer.frozen():
        assert_same_bits(layer, x)
        assert_same_bits(layer, x, checkpoint=2)


def test_a_cell_without_x_does_without_symbols():
    stage = Stage(lambda a, reads, p: (a, ()), makes=("h",), gates=(Gate("h", ("h",)),))
    layer = randomise(Recurrent(Cell((Vector("h"),), (stage,), "h"), V, 3, dtype="float64", device="cpu"))
    assert_same_bits(layer, draw(4, 2))


def test_x_need_not_be_a_gates_first_source():
    stage = Stage(lambda a, reads, p: (a, ()), makes=("h",), gates=(Gate("h", ("h", INPUT, "h@2")),))
    layer = randomise(Recurrent(Cell((Vector("h"),), (stage,), "h"), V, 3, dtype="float64", device="cpu"))
    assert_same_bits(layer, draw(6, 2))
    check_gradients(layer, draw(5, 2), state=random_state(layer, 2))


def test_a_gate_may_have_no_source_at_all():
    def forward(a, reads, p):
        return (tanh(a[0] + a[1]),), ()

    stage = Stage(forward, makes=("h",), gates=(Gate("h", (INPUT, "h")), Gate("b", ())))
    layer = randomise(Recurrent(Cell((Vector("h"),), (stage,), "h"), V, 3, dtype="float64", device="cpu"))
    assert_same_bits(layer, draw(6, 2))
    check_gradients(layer, draw(5, 2), state=random_state(layer, 2))


def test_what_is_not_in_x_has_no_part_in_it():
    """A weight that is infinite makes a product with 0 into NaN; no symbol, no product."""
    layer = Recurrent("elman", V, 4, device="cpu")
    layer.params["weight_ih"][:, 4] = np.inf
    y, _ = layer.forward(draw(6, 2, size=4))
    layer.backward(np.ones_like(y))
    assert np.isfinite(y).all() and (layer.grads["weight_ih"][:, 4] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("x", "error", "told"),
    [
        (np.full((2, 3), V), ValueError, "x: got symbols from 5 to 5, expected 0 to 4"),
        (np.full((2, 3), -1), ValueError, "x: got symbols from -1 to -1, expected 0 to 4"),
        (np.ones((2, 3, V), int), TypeError, "x: got dtype int64, expected float32"),
        (np.ones(3, int), TypeError, "x: got dtype int64, expected float32"),
        (np.ones((2, 3), bool), TypeError, "x: got dtype bool, expected float32"),
        (np.ones((2, 3)), TypeError, "x: got dtype float64, expected float32"),
    ],
)
def test_what_is_no_symbol_is_refused(x, error, told, device):
    with pytest.raises(error, match=told):
        Recurrent("elman", V, 4, device=device).forward(x)


def test_networks_do_without_the_product():
    """The same bits, whether one-hot vectors are made or not; and with `skip` they have to be."""
    for options in ({}, {"layers": 2}, {"bidirectional": True}, {"readout": "last"}, {"skip": True}):
        net = Network.build("gru", V, 3, 4, embedding="one_hot", seed=2, **options)
        assert net.parts["embedding"].dense is bool(options.get("skip"))
        found = []
        for dense in (True, False) if "skip" not in options else (True, True):
            net.parts["embedding"].dense = dense
            net.zero_grad()
            y, _ = net.forward(draw(6, 3))
            assert net.backward(np.ones_like(y))[0] is None
            found.append([y, *(g.copy() for g in net.gradients().values())])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [lambda: Bidirectional("elman", V, 3), lambda: Stack("elman", V, 3, layers=2)])
def test_symbols_go_through_layers_of_layers(make):
    layer = make()
    np.testing.assert_array_equal(layer.forward(draw(4, 2))[0], layer.forward(one_hot(draw(4, 2), V))[0])


def test_symbols_left_as_they_are():
    layer, x = OneHot(V, dense=False), draw(4, 2)
    y, _ = layer.forward(x)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y) and layer.backward(None) == (None, {})
    with pytest.raises(ValueError, match="dense: got 1, expected one of True, False"):
        OneHot(V, dense=1)
    net = randomise_net(Chain(layer, Dense(V, 2)))
    with pytest.raises(TypeError, match="x: got dtype int64, expected float32"):
        net.forward(x)
