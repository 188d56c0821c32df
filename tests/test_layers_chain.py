"""Chains and what they are made of: by hand, gradients, replicas, and what does not fit together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas, randomise

from rnnbench import layers
from rnnbench.layers import Chain, Dense, Embedding, Network, Recurrent, Scan

T, B, I, H, O = 4, 3, 2, 3, 2
LENGTHS = np.array([4, 2, 0])


def draw(*shape, dtype="float64", seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def two(seed=0, dtype="float64", device="reference"):
    rngs = [np.random.default_rng(s) for s in seed] if isinstance(seed, list) else np.random.default_rng(seed)
    shared = {"dtype": dtype, "seed": rngs}
    return Chain(hidden=Recurrent("lstm", I, H, device=device, **shared), readout=Dense(H, O, **shared))


def test_a_chain_is_its_parts_one_after_another():
    chain, x = two(), draw(T, B, I)
    hidden, readout = chain.parts.values()
    y, state = chain.forward(x, lengths=LENGTHS)
    h, expected_state = hidden.forward(x, lengths=LENGTHS)
    np.testing.assert_array_equal(y, readout.forward(h)[0])
    assert state.keys() == {"hidden"} and state["hidden"].keys() == expected_state.keys()
    assert next(iter(chain.parameters())) == "hidden.weight_ih" and (chain.input_size, chain.output_size) == (I, O)
    dy, dstate = draw(T, B, O), {"hidden": {"c": draw(B, H)}}
    dx, dinitial = chain.backward(dy, dstate)
    got = {key: value.copy() for key, value in chain.gradients().items()}
    chain.zero_grad()
    dh, _ = readout.backward(dy)
    expected, expected_initial = hidden.backward(dh, dstate["hidden"])
    np.testing.assert_array_equal(dx, expected)
    np.testing.assert_array_equal(dinitial["hidden"]["c"], expected_initial["c"])
    assert all((got[key] == value).all() for key, value in chain.gradients().items())


def test_a_state_goes_on_and_tapes_are_kept_apart():
    chain, x = two(), draw(T, B, I)
    whole, final, tape = chain.forward(x, tape=True)
    first, state, early = chain.forward(x[:2], tape=True)
    second, state, late = chain.forward(x[2:], state, tape=True)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12)
    np.testing.assert_allclose(state["hidden"]["c"], final["hidden"]["c"], rtol=1e-12)
    dy = draw(T, B, O)
    dx, _ = chain.backward(dy, tape=tape)
    late_dx, dstate = chain.backward(dy[2:], tape=late)
    early_dx, _ = chain.backward(dy[:2], dstate, tape=early)
    np.testing.assert_allclose(np.concatenate([early_dx, late_dx]), dx, rtol=1e-10)
    with pytest.raises(RuntimeError, match="used before"):
        chain.backward(dy[2:], tape=late)


def test_truncation_reaches_the_recurrent_layers():
    chain, x, dy = two(), draw(T, B, I), draw(T, B, O)
    chain.forward(x)
    chain.backward(dy, truncate=2)
    got = chain.gradients()["hidden.weight_hh"].copy()
    chain.zero_grad()
    _, state = chain.forward(x[:2])
    chain.backward(dy[:2])
    chain.forward(x[2:], state)
    chain.backward(dy[2:])
    np.testing.assert_allclose(got, chain.gradients()["hidden.weight_hh"], rtol=1e-10)


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_gradients(device):
    chain = randomise(two(device=device))
    check_gradients(chain, draw(T, B, I), {"hidden": {"h": draw(B, H), "c": draw(B, H)}}, lengths=LENGTHS)


def test_a_layer_that_stands_in_a_chain_twice_has_the_gradients_of_both_places():
    layer = Recurrent("gru", H, H, dtype="float64", device="reference")
    chain = randomise(Chain(layer, Dense(H, H, dtype="float64"), layer))
    assert len(chain.parameters()) == len(layer.params) + 2
    check_gradients(chain, draw(T, B, H))


NETWORKS = {
    "every": {},
    "last": {"readout": "last"},
    "mean": {"readout": "mean"},
    "max": {"readout": "max"},
    "one-hot": {"embedding": "one_hot"},
    "embedding": {"embedding": 2, "readout": "last"},
    "stack": {"layers": 2, "readout": "last"},
    "both ways": {"bidirectional": True, "readout": "last"},
    "all": {"layers": 2, "bidirectional": True, "skip": True, "embedding": 2, "readout": "max"},
}


@pytest.mark.parametrize("case", NETWORKS)
def test_gradients_of_networks(case):
    options = NETWORKS[case]
    net = randomise(Network.build("gru", I, O, H, dtype="float64", device="reference", **options))
    symbols = np.random.default_rng(0).integers(I, size=(T, B))
    check_gradients(net, symbols if "embedding" in options else draw(T, B, I), lengths=LENGTHS)


@pytest.mark.parametrize("case", NETWORKS)
def test_a_replica_of_a_network_has_the_bits_it_has_alone(case):
    options = NETWORKS[case] | {"dropout": 0.3}
    x = draw(3, T, B, I, dtype="float32")
    if "embedding" in options:
        x = np.random.default_rng(0).integers(I, size=(3, T, B))
    check_replicas(lambda seed: Network.build("lstm", I, O, 20, seed=seed, **options), x, lengths=LENGTHS)


@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"layers": 2, "skip": True}])
def test_the_readout_of_the_last_step_is_that_of_every_step_at_the_rows_end(options):
    last, every = (Network.build("lstm", I, O, H, readout=readout, **options) for readout in ("last", "every"))
    x = draw(T, B, I, dtype="float32")
    y, _ = every.forward(x, lengths=[4, 2, 1])
    np.testing.assert_allclose(last.forward(x, lengths=[4, 2, 1])[0], y[[3, 1, 0], range(B)], rtol=1e-5)
    assert list(last.parameters()) == list(every.parameters())


@given(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.data())
def test_networks_of_all_shapes(steps, rows, inputs, outputs, data):
    options = data.draw(st.sampled_from(list(NETWORKS.values())))
    inputs = max(inputs, 1) if "embedding" in options else inputs
    lengths = np.array(data.draw(st.lists(st.integers(0, steps), min_size=rows, max_size=rows)), int)
    net = Network.build("elman", inputs, outputs, 2, dropout=0.5, device="reference", **options)
    x = np.full((steps, rows, inputs), np.nan, np.float32)
    x[np.arange(steps)[:, None] < lengths] = 1
    if "embedding" in options:
        x = np.zeros((steps, rows), int)
    y, state = net.forward(x, lengths=lengths)
    dx, dstate = net.backward(np.ones_like(y))
    assert y.shape == ((rows, outputs) if "readout" in options else (steps, rows, outputs))
    assert dx is None if "embedding" in options else dx.shape == x.shape and np.isfinite(dx).all()
    assert state.keys() == dstate.keys() == {"hidden"}
    assert all(np.isfinite(g).all() for path, g in net.gradients().items() if path.startswith("hidden"))


def test_scan_runs_as_it_is_told():
    layer = Recurrent("lstm", I, H, dtype="float64", device="cpu")
    x = draw(T, B, I)
    for options in ({"reverse": True}, {"outputs": "last"}, {"reverse": True, "outputs": "last", "checkpoint": 2}):
        y, state = Scan(layer, **options).forward(x, lengths=LENGTHS)
        expected, _ = layer.forward(x, lengths=LENGTHS, **options)
        np.testing.assert_array_equal(y, expected)
    scan = Scan(layer, reverse=True, outputs="last")
    assert scan.parameters().keys() == layer.params.keys() and state.keys() == {"h", "c"}
    check_gradients(randomise(scan), x, lengths=LENGTHS)


def test_no_gradient_is_computed_that_nobody_needs():
    asked = []

    class Spy(Dense):
        def _backward(self, tape, dy, dstate, truncate, need_dx):
            asked.append(need_dx)
            return super()._backward(tape, dy, dstate, truncate, need_dx)

    first, second = Spy(2, 2), Spy(2, 2)
    for before, need_dx, expected in (
        ([], True, [True, True]),
        ([], False, [True, False]),
        ([layers.OneHot(2)], True, [True, False]),
        ([Embedding(2, 2)], False, [True, True]),
        ([layers.Dropout(0.5)], False, [True, False]),
    ):
        asked.clear()
        chain = Chain(*before, first, second)
        chain.forward(np.zeros((T, B), int) if chain.takes_symbols else np.zeros((T, B, 2), "float32"))
        chain.backward(None, need_dx=need_dx)
        assert asked == expected


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Chain(), ValueError, "parts: got none"),
        (lambda: Chain(Dense(2, 3), "gru"), TypeError, "part '1': got str, expected a layer"),
        (lambda: Chain(a=Dense(2, 3), b=Dense(4, 1)), ValueError, "part 'a' gives 3 numbers, but part 'b' takes 4"),
        (
            lambda: Chain(Dense(2, 3), layers.Dropout(0.1), layers.Pool("mean"), Dense(4, 1)),
            ValueError,
            "part '0' gives 3 numbers, but part '3' takes 4",
        ),
        (lambda: Chain(Dense(2, 3), Dense(3, 3, dtype="float64")), ValueError, "got dtype float64, expected float32"),
        (lambda: Chain(Dense(2, 3, seed=[1]), Dense(3, 3)), ValueError, "got replicas None, expected 1"),
        (lambda: Scan("lstm"), TypeError, "layer: got str, expected Recurrent"),
        (lambda: Network.build("lsmt", 2, 3, 4), ValueError, "did you mean 'lstm'"),
        (lambda: Network.build("lstm", 2, 0, 4), ValueError, "outputs: got 0, expected an integer >= 1"),
        (lambda: Network.build("lstm", 2, 3, 4, readout="first"), ValueError, "readout: got 'first', expected one of"),
        (lambda: Network.build("lstm", 2, 3, 4, embedding="onehot"), ValueError, "expected None, 'one_hot' or an"),
        (lambda: Network.build("lstm", 2, 3, 4, layers=0), ValueError, "layers: got 0, expected an integer >= 1"),
        (lambda: Network.build("lstm", 2, 3, 4, dropout=1), ValueError, r"rate: got 1, expected a number in \[0, 1\)"),
        (lambda: Network.build("lstm", 2, 3, 4, depth=3), ValueError, "option 'depth' of cell 'lstm' is unknown"),
        (lambda: Network.build("lstm", 2, 3, 4, seed=[]), ValueError, "seed"),
        (lambda: Chain(Dense(2, 3), **{"0": Dense(3, 2)}), ValueError, "part '0': got two of this name"),
        (lambda: Chain(**{"a.b": Dense(2, 3), "a": Chain(b=Dense(3, 2))}), ValueError, "part 'a.b': got a name with a"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, told):
    with pytest.raises(error, match=told):
        make()


def test_a_refused_backward_leaves_everything_as_it_was():
    chain, dy = two(), draw(T, B, O)
    chain.forward(draw(T, B, I))
    for dstate, error, told in (
        ({"readout": {}}, ValueError, r"dstate: got \['readout'\], expected some of \['hidden'\]"),
        ({"hidden": {"c": draw(B, 1)}}, ValueError, r"dstate\['hidden'\]\['c'\]: got shape \(3, 1\)"),
        ({"hidden": draw(B, H)}, TypeError, r"dstate\['hidden'\]: got ndarray, expected a dict"),
    ):
        with pytest.raises(error, match=told):
            chain.backward(dy, dstate)
    assert not any(grad.any() for grad in chain.gradients().values())
    chain.backward(dy)
    with pytest.raises(ValueError, match=r"state: got \['h'\], expected some of \['hidden', 'readout'\]"):
        chain.forward(draw(T, B, I), {"h": draw(B, H)})


def test_a_refused_bind_leaves_everything_as_it_was():
    chain = two()
    params, grads = chain.parameters(), chain.gradients()
    with pytest.raises(ValueError, match=r"bind: 'readout.bias': got NoneType, expected float64 of shape \(2,\)"):
        chain.bind({key: value.copy() for key, value in params.items() if key != "readout.bias"}, grads)
    assert all(value is params[key] for key, value in chain.parameters().items())


def test_layers_are_found_by_name():
    assert layers.Chain is Chain and layers.chain.Chain is Chain and {"Chain", "chain", "Pool"} <= set(dir(layers))
    with pytest.raises(AttributeError, match="no attribute 'Chian'"):
        _ = layers.Chian
