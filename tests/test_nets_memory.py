"""The memory network against a loop over rows and slots; what it looks at; its gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise
from scipy.special import softmax

from rnnbench.layers.memory_network import MemoryNetwork

S, B, I, Q, O, E = 4, 3, 3, 2, 2, 3
LENGTHS = np.array([4, 1, 0])


def make(hops=2, slots=6, seed=0, dtype="float64"):
    return MemoryNetwork(I, Q, O, E, hops=hops, slots=slots, seed=seed, dtype=dtype)


def draw(*lead, dtype="float64"):
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=(*lead, *shape)).astype(dtype) for shape in ((S, B, I), (B, Q)))


def naive(layer, memory, query):
    """The logits of one row, and where it looks."""
    p, looked = layer.parameters(), []

    def embed(k, i):
        time = p[f"time{k}"][len(memory) - 1 - i] if layer.slots else 0
        return p[f"memory{k}.weight"] @ memory[i] + time

    u = p["query.weight"] @ query
    for k in range(1, layer.hops + 1):
        if len(memory):
            looked.append(softmax([u @ embed(k, i) for i in range(len(memory))]))
            u = u + sum(weight * embed(k + 1, i) for i, weight in enumerate(looked[-1]))
    return p["readout.weight"] @ u, looked


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("slots", [None, 6])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_each_row_is_the_network_written_out(hops, slots, lengths):
    layer = randomise(make(hops, slots))
    memory, query = draw()
    if lengths is not None:
        memory[1:, 1], memory[:, 2] = np.nan, np.nan
    y, _ = layer.forward((memory, query), lengths=lengths)
    found = layer.weights(memory, query, lengths=lengths)
    assert len(found) == hops
    for b, length in enumerate([S] * B if lengths is None else lengths):
        expected, looked = naive(layer, memory[:length, b], query[b])
        np.testing.assert_allclose(y[b], expected, rtol=1e-11, atol=1e-13)
        for p, weights in zip(found, looked, strict=False):
            np.testing.assert_allclose(p[b, :length], weights, rtol=1e-11)
            assert not p[b, length:].any()


@pytest.mark.parametrize("slots", [None, 6])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(slots, lengths):
    check_gradients(randomise(make(slots=slots)), draw(), lengths=lengths)


def test_replicas():
    check_replicas(lambda seed: make(seed=seed, dtype="float32"), draw(3, dtype="float32"), lengths=LENGTHS)


def test_order_counts_only_with_slots():
    memory, query = draw()
    for slots, same in ((None, True), (6, False)):
        layer = randomise(make(slots=slots))
        y, _ = layer.forward((memory, query))
        z, _ = layer.forward((np.ascontiguousarray(memory[::-1]), query))
        assert np.allclose(y, z, rtol=1e-12) == same


def test_it_learns_to_look_up():
    """Key and value in each slot, a key as query: the loss goes from ln 4 to near 0."""
    rng = np.random.default_rng(0)
    layer = MemoryNetwork(8, 4, 4, 16, hops=1, dtype="float64", seed=1)
    losses = []
    for _ in range(300):
        rows = 32
        keys = np.argsort(rng.random((4, rows)), axis=0)
        values = rng.integers(0, 4, (4, rows))
        memory = np.concatenate([np.eye(4)[keys], np.eye(4)[values]], axis=-1)
        asked = rng.integers(0, 4, rows)
        y, _ = layer.forward((memory, np.eye(4)[keys[asked, np.arange(rows)]]))
        p, target = softmax(y, axis=-1), values[asked, np.arange(rows)]
        losses.append(-np.log(p[np.arange(rows), target]).mean())
        p[np.arange(rows), target] -= 1
        layer.zero_grad()
        layer.backward(p / rows)
        for value, grad in zip(layer.parameters().values(), layer.gradients().values(), strict=True):
            value -= 2.0 * grad
    assert losses[0] == pytest.approx(np.log(4), abs=0.1) and np.mean(losses[-20:]) < 0.1


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="hops: got 0"):
        make(0)
    with pytest.raises(ValueError, match="memory: got 4 slots, expected at most 3"):
        make(slots=3).forward(draw())
    memory, query = draw()
    with pytest.raises(ValueError, match="query: got 2 rows, expected 3 as in memory"):
        make().forward((memory, query[:2]))
    with pytest.raises(TypeError, match="x: got ndarray, expected a pair"):
        make().forward(memory)
