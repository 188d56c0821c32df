"""Attention against a loop over rows, steps and slots, and its gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise
from scipy.special import softmax

from rnnbench.layers.attention import Attention

T, S, B, Q, M = 3, 4, 3, 2, 5
LENGTHS = np.array([4, 2, 0])


def make(score, seed=0, dtype="float64"):
    return Attention(M if score == "dot" else Q, M, score=score, dtype=dtype, seed=seed)


def draw(layer, *lead, dtype="float64"):
    rng = np.random.default_rng(1)
    return tuple(
        rng.normal(size=(*lead, steps, B, size)).astype(dtype)
        for steps, size in ((T, layer.query_size), (S, layer.memory_size))
    )


def naive(layer, queries, memory, lengths):
    y, weights = np.zeros((T, B, M)), np.zeros((T, B, S))
    for t, b in np.ndindex(T, B):
        n = lengths[b]
        if layer.score == "dot":
            e = [queries[t, b] @ memory[s, b] for s in range(n)]
        else:
            p = layer.parameters()
            of_q = p["query.weight"] @ queries[t, b]
            e = [
                p["energy.weight"][0] @ np.tanh(of_q + p["memory.weight"] @ memory[s, b] + p["memory.bias"])
                for s in range(n)
            ]
        if n:
            weights[t, b, :n] = softmax(e)
            y[t, b] = weights[t, b, :n] @ memory[:n, b]
    return y, weights


@pytest.mark.parametrize("score", ["dot", "additive"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_it_is_the_mean_that_a_loop_makes(score, lengths):
    layer = make(score)
    queries, memory = draw(layer)
    expected = naive(layer, queries, memory, [S] * B if lengths is None else lengths)
    if lengths is not None:
        memory[2:, 1], memory[:, 2] = np.nan, np.nan
    y, state = layer.forward((queries, memory), lengths=lengths)
    assert state == {}
    np.testing.assert_allclose(y, expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(layer.weights(queries, memory, lengths=lengths), expected[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("score", ["dot", "additive"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(score, lengths):
    layer = randomise(make(score))
    check_gradients(layer, draw(layer), lengths=lengths)


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_replicas(score):
    def make_one(seed):
        return make(score, seed, "float32")

    check_replicas(make_one, draw(make_one(0), 3, dtype="float32"), lengths=LENGTHS)


def test_padding_gets_no_gradient():
    layer = make("additive")
    queries, memory = draw(layer)
    memory[2:, 1], memory[:, 2] = np.nan, np.nan
    y, _ = layer.forward((queries, memory), lengths=LENGTHS)
    (dq, dm), _ = layer.backward(np.ones_like(y))
    assert np.isfinite(dq).all() and not dm[2:, 1].any() and not dm[:, 2].any()
    assert all(np.isfinite(g).all() for g in layer.gradients().values())


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="queries have size 2 and the memory 5"):
        Attention(2, 5)
    with pytest.raises(ValueError, match="size: got 3"):
        Attention(5, 5, size=3)
    with pytest.raises(ValueError, match="score: got 'cosine'"):
        Attention(5, 5, score="cosine")
    layer = make("additive")
    queries, memory = draw(layer)
    with pytest.raises(TypeError, match="x: got ndarray, expected a pair"):
        layer.forward(queries)
    with pytest.raises(ValueError, match="memory: got 2 rows, expected 3"):
        layer.forward((queries, np.ascontiguousarray(memory[:, :2])))
    with pytest.raises(ValueError, match=r"lengths: .* expected 0 to T = 4"):
        layer.forward((queries, memory), lengths=np.array([5, 1, 1]))
