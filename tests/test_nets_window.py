"""The fixed-window language model against a loop over positions; what it sees and what it does not."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers.window import WindowModel

V, T, B = 4, 6, 3
LENGTHS = np.array([6, 2, 0])


def make(context=3, direct=True, seed=0, dtype="float64"):
    return WindowModel(V, context, 2, 5, direct=direct, seed=seed, dtype=dtype)


def draw(*lead, steps=T):
    return np.random.default_rng(1).integers(0, V, (*lead, steps, B))


@pytest.mark.parametrize("context", [1, 2, 4])
@pytest.mark.parametrize("direct", [False, True])
def test_it_is_a_feed_forward_network_on_the_last_symbols(context, direct):
    layer = randomise(make(context, direct))
    p, x = layer.parameters(), draw()
    y, state = layer.forward(x, lengths=LENGTHS)
    for b, length in enumerate(LENGTHS):
        text = [V] * (context - 1) + x[:length, b].tolist()
        for t in range(length):
            e = np.concatenate([p["embedding.weight"][symbol] for symbol in text[t : t + context]])
            h = np.tanh(p["hidden.weight"] @ e + p["hidden.bias"])
            expected = p["readout.weight"] @ h + p["readout.bias"] + (p["direct.weight"] @ e if direct else 0)
            np.testing.assert_allclose(y[t, b], expected, rtol=1e-12, atol=1e-14)
        assert state["window"][b].tolist() == text[length:]


@pytest.mark.parametrize("direct", [False, True])
def test_gradients(direct):
    check_gradients(randomise(make(direct=direct)), draw())
    check_gradients(randomise(make(1, direct)), draw(), lengths=LENGTHS)


def test_replicas():
    check_replicas(lambda seed: make(seed=seed, dtype="float32"), draw(3), lengths=LENGTHS)


def test_text_may_come_in_pieces():
    layer, x = make(4), draw()
    whole, end = layer.forward(x)
    state, pieces = None, []
    for piece in (x[:1], x[1:1], x[1:3], x[3:]):
        y, state = layer.forward(piece, state, tape=False)
        pieces.append(y)
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-12)
    np.testing.assert_array_equal(state["window"], end["window"])


def test_it_is_blind_beyond_its_window():
    layer, x = make(3), draw()
    y, _ = layer.forward(x)
    other = x.copy()
    other[0] = (other[0] + 1) % V
    z, _ = layer.forward(other)
    assert (y[:3] != z[:3]).any(axis=-1).all()
    np.testing.assert_array_equal(y[3:], z[3:])  # the very same numbers went into it


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="context: got 0"):
        make(0)
    layer = make()
    with pytest.raises(ValueError, match="x: got symbols from 4 to 4, expected 0 to 3"):
        layer.forward(np.full((2, 1), 4))
    with pytest.raises(TypeError, match=r"state\['window'\]: got list, expected a NumPy array of int64"):
        layer.forward(draw(), {"window": [[0, 1]] * 3})
    with pytest.raises(ValueError, match=r"state\['window'\]: got shape \(3, 1\), expected \(3, 2\)"):
        layer.forward(draw(), {"window": np.zeros((3, 1), int)})
    with pytest.raises(ValueError, match=r"state\['window'\]: got int64, expected symbols from 0 to 4"):
        layer.forward(draw(), {"window": np.full((3, 2), 5)})
