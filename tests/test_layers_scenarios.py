"""Delays, one to many, learned starts: each against what it says, by hand, and the gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers import (
    Chain,
    Delayed,
    Dense,
    Dropout,
    Embedding,
    FirstStep,
    FirstStepBias,
    Network,
    Pool,
    Recurrent,
)
from rnnbench.layers.learned_state import learned_state

T, B, I, H, O = 4, 3, 2, 3, 2
LENGTHS = np.array([4, 2, 0])
SHARED = {"dtype": "float64", "device": "reference"}


def draw(*shape, dtype="float64", seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# ---- many to many, delayed ----


@pytest.mark.parametrize("delay", [0, 1, 6])
def test_a_delayed_network_answers_after_having_seen_the_future(delay):
    net = Network.build("lstm", I, O, H, **SHARED)
    x = draw(T, B, I)
    y, _ = Delayed(net, delay).forward(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        longer = np.concatenate([x[:length, row], np.zeros((delay, I))])[:, None]
        expected, _ = net.forward(longer)
        np.testing.assert_allclose(y[:length, row], expected[delay:, 0], rtol=1e-12)
    whole, _ = Delayed(net, delay).forward(x)
    expected, _ = net.forward(np.concatenate([x, np.zeros((delay, B, I))]))
    np.testing.assert_array_equal(whole, expected[delay:])


def test_a_delayed_networks_answer_depends_on_so_many_steps_to_come_and_no_more():
    layer = Delayed(randomise(Recurrent("elman", I, H, **SHARED)), 2)
    layer.forward(draw(6, 1, I))
    dy = np.zeros((6, 1, H))
    dy[1] = 1
    dx, _ = layer.backward(dy)
    assert dx[:4].all() and not dx[4:].any()


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients_of_a_delayed_network(lengths):
    layer = Delayed(randomise(Network.build("gru", I, O, H, **SHARED)), 2)
    check_gradients(layer, draw(T, B, I), {"hidden": {"h": draw(B, H)}}, lengths=lengths)


def test_a_delayed_network_of_symbols_with_replicas():
    net = Network.build("gru", 4, O, H, embedding=2, dropout=0.5, seed=[0, 1])
    delayed = Delayed(net, 2)
    y, _ = delayed.forward(np.ones((2, T, B), int), lengths=LENGTHS)
    assert y.shape == (2, T, B, O) and delayed.backward(np.ones_like(y))[0] is None
    assert delayed.parameters().keys() == net.parameters().keys()
    assert list(delayed.generators()) == ["dropout.random.0", "dropout.random.1"]
    check_replicas(
        lambda seed: Delayed(Network.build("gru", I, O, H, seed=seed), 2), draw(3, T, B, I, dtype="float32"),
        lengths=LENGTHS,
    )  # fmt: skip


def test_padding_is_not_read_by_a_delayed_network():
    layer, x = Delayed(Recurrent("lstm", I, H, **SHARED), 2), draw(T, B, I)
    x[np.arange(T)[:, None] >= LENGTHS] = np.nan
    y, _ = layer.forward(x, lengths=LENGTHS)
    dx, _ = layer.backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all() and not dx[2:, 1].any() and not y[2:, 1].any()


def test_what_cannot_be_delayed_is_refused():
    with pytest.raises(TypeError, match="layer: got str, expected a layer"):
        Delayed("lstm", 1)
    with pytest.raises(ValueError, match="delay: got -1, expected an integer >= 0"):
        Delayed(Dense(2, 2), -1)
    with pytest.raises(ValueError, match=r"layer: got y of shape \(3, 2\), expected one of each of 6 steps"):
        Delayed(Network.build("lstm", I, O, H, readout="last", **SHARED), 2).forward(draw(T, B, I))
    with pytest.raises(ValueError, match=r"layer: got y of shape \(6, 2\), expected one of each of 6 steps"):
        Delayed(Network.build("lstm", I, O, H, readout="last", **SHARED), 2).forward(draw(4, 6, I))
    with pytest.raises(ValueError, match=r"x: got \(4,\), expected an array \(T, B, ...\)"):
        Delayed(Embedding(2, 2), 2).forward(np.zeros(4, int))
    with pytest.raises(TypeError, match="x: got a masked array, expected an array without a mask"):
        Delayed(Dense(I, 2, dtype="float64"), 2).forward(np.ma.array(draw(T, B, I)))


# ---- one to many ----


def test_one_to_many():
    chain = Chain(first=FirstStep(T, dtype="float64"), hidden=Recurrent("elman", I, H, **SHARED))
    x = draw(B, I)
    whole = np.zeros((T, B, I))
    whole[0] = x
    np.testing.assert_array_equal(chain.forward(x)[0], chain.parts["hidden"].forward(whole)[0])
    check_gradients(randomise(chain), x, lengths=LENGTHS)
    chain.parts["first"].steps = 7
    assert chain.forward(x)[0].shape == (7, B, H)
    chain.forward(x)
    assert chain.backward(None)[0].shape == (B, I)
    for steps in (0, 2.0, True):
        with pytest.raises(ValueError, match="steps: got"):
            FirstStep(steps)
    with pytest.raises(ValueError, match=r"x: got shape \(4, 3, 2\), expected \(any, any\)"):
        chain.forward(draw(T, B, I))


def test_a_replica_of_one_to_many_has_the_bits_it_has_alone():
    def make(seed):
        replicas = len(seed) if isinstance(seed, list) else None
        return Chain(FirstStep(T, replicas=replicas), Recurrent("gru", I, H, seed=seed))

    check_replicas(make, draw(3, B, I, dtype="float32"))


# ---- a learned start, both ways ----


def test_a_learned_start_is_the_state_given_by_hand():
    layer = randomise(Recurrent(learned_state("lstm"), I, H, **SHARED))
    assert {"initial_h", "initial_c"} <= layer.params.keys()
    x = draw(T, B, I)
    start = {name: np.tile(layer.params[f"initial_{name}"], (B, 1)) for name in ("h", "c")}
    np.testing.assert_array_equal(layer.forward(x)[0], layer.forward(x, start)[0])
    check_gradients(layer, x, lengths=LENGTHS)
    assert learned_state("jordan", output_size=2).vector("y").initial == "learned"


@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_biases_of_the_first_step_are_another_bias_there(cell):
    chain = randomise(Chain(FirstStepBias(I, dtype="float64"), Recurrent(cell, I + 1, H, **SHARED)))
    weight, bias = (chain.parts["1"].params[key] for key in ("weight_ih", "bias"))
    plain = Recurrent(cell, I, H, **SHARED)
    for key, value in plain.params.items():
        value[...] = chain.parts["1"].params[key][..., : value.shape[-1]]
    x = draw(T, B, I)
    y, _ = chain.forward(x)
    plain.params["bias"][...] = bias + weight[:, -1]
    first, own = plain.forward(x[:1])
    plain.params["bias"][...] = bias
    rest, _ = plain.forward(x[1:], own)
    np.testing.assert_allclose(y, np.concatenate([first, rest]), rtol=1e-12)
    _, state = chain.forward(x[:2])
    np.testing.assert_allclose(chain.forward(x[2:], state)[0], y[2:], rtol=1e-12)


def test_biases_of_the_first_step_are_what_a_learned_start_of_an_elman_network_adds():
    """The lecture's remark: W_hh h(0) is a constant in the first step."""
    learned = randomise(Recurrent(learned_state("elman"), I, H, **SHARED))
    chain = Chain(FirstStepBias(I, dtype="float64"), Recurrent("elman", I + 1, H, **SHARED))
    own, p = chain.parts["1"].params, learned.params
    own["weight_ih"][...] = np.column_stack([p["weight_ih"], p["weight_hh"] @ p["initial_h"]])
    own["weight_hh"][...], own["bias"][...] = p["weight_hh"], p["bias"]
    x = draw(T, B, I)
    np.testing.assert_allclose(chain.forward(x)[0], learned.forward(x)[0], rtol=1e-12)


def test_a_row_begins_with_its_first_step():
    layer = FirstStepBias(I, dtype="float64")
    x = draw(T, B, I)
    y, state = layer.forward(x, lengths=LENGTHS)
    assert state["begun"].ravel().tolist() == [1, 1, 0] and y[0, :, -1].all() and not y[1:, :, -1].any()
    again, state = layer.forward(x, state)
    assert again[0, :, -1].tolist() == [0, 0, 1] and state["begun"].all()
    dx, dstate = layer.backward(np.ones_like(again))
    assert dx.shape == x.shape and not dstate["begun"].any()
    assert layer.forward(x[:0])[1]["begun"].ravel().tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"state: got \['h'\], expected some of \['begun'\]"):
        layer.forward(x, {"h": state["begun"]})


def test_gradients_with_biases_of_the_first_step():
    chain = randomise(Chain(FirstStepBias(I, dtype="float64"), Recurrent("gru", I + 1, H, **SHARED)))
    check_gradients(chain, draw(T, B, I), lengths=LENGTHS)
    replicas = {True: 3, False: None}

    def make(seed):
        count = replicas[isinstance(seed, list)]
        return Chain(FirstStepBias(I, replicas=count), Recurrent("gru", I + 1, H, seed=seed))

    check_replicas(make, draw(3, T, B, I, dtype="float32"), lengths=LENGTHS)


# ---- aligned many to many, many to one: one more look at dropout within ----


def test_gradients_through_dropout():
    """With the generator set back before every pass, its mask is a constant."""
    chain = Chain(Recurrent("gru", I, H, **SHARED), Dropout(0.4, dtype="float64"), Pool("mean", dtype="float64"))
    randomise(chain)
    [rng] = chain.generators().values()
    begin, x, dy = rng.bit_generator.state, draw(T, B, I), draw(B, H)

    def objective():
        rng.bit_generator.state = begin
        return float((chain.forward(x)[0] * dy).sum())

    objective()
    dx, _ = chain.backward(dy)
    for at in np.ndindex(*x.shape):
        before = x[at]
        x[at] = before + 1e-5
        above = objective()
        x[at] = before - 1e-5
        expected = (above - objective()) / 2e-5
        x[at] = before
        assert abs(dx[at] - expected) < 1e-8
