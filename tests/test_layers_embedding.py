"""Embedding and one-hot vectors: the product with one-hot vectors, done without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers import Chain, Embedding, OneHot, Recurrent
from rnnbench.layers.embedding import one_hot

V, E = 5, 3


def draw(*shape, size=V, seed=0):
    return np.random.default_rng(seed).integers(size, size=shape)


@given(st.lists(st.integers(0, 4), max_size=3), st.integers(1, 6), st.integers(1, 4))
def test_it_is_the_product_with_one_hot_vectors(shape, size, width):
    layer = Embedding(size, width, dtype="float64")
    x = draw(*shape, size=size)
    y, state = layer.forward(x)
    dy = np.random.default_rng(1).normal(size=y.shape)
    assert layer.backward(dy) == (None, {}) and state == {}
    table, grad = layer.params["weight"], np.zeros((size, width))
    for at in np.ndindex(*shape):
        np.testing.assert_array_equal(y[at], table[x[at]])
        grad[x[at]] += dy[at]
    np.testing.assert_array_equal(layer.grads["weight"], grad)
    np.testing.assert_array_equal(one_hot(x, size, "float64") @ table, y)


def test_gradients_add_up_until_they_are_set_to_0():
    layer, x = Embedding(V, E), draw(4, 2)
    for times in (1, 2):
        y, _ = layer.forward(x)
        layer.backward(np.ones_like(y))
        assert (layer.grads["weight"] == times * np.bincount(x.ravel(), minlength=V)[:, None]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_all_integers_are_taken(dtype):
    x = draw(3, 4).astype(dtype)
    layer = Embedding(V, E, seed=[0, 1])
    y, _ = layer.forward(np.stack([x, x]))
    np.testing.assert_array_equal(y[1], layer.params["weight"][1][x])


@pytest.mark.parametrize("cell", ["elman", "gru"])
def test_one_hot_input_is_the_embedding_whose_table_is_the_input_matrix(cell):
    """A recurrent layer on one-hot x, and one on embedded x whose input matrix times table is the first one's."""
    dense = Chain(OneHot(V, dtype="float64"), Recurrent(cell, V, 4, dtype="float64", device="reference"))
    narrow = Chain(Embedding(V, E, dtype="float64"), Recurrent(cell, E, 4, dtype="float64", device="reference"))
    table, onto = randomise(narrow).parts["0"].params["weight"], narrow.parts["1"].params
    for key, value in dense.parts["1"].params.items():
        value[...] = onto[key] @ table.T if key == "weight_ih" else onto[key]
    x = draw(4, 3)
    np.testing.assert_allclose(dense.forward(x)[0], narrow.forward(x)[0], rtol=1e-12)


def test_gradients():
    check_gradients(randomise(Embedding(V, E, dtype="float64")), draw(4, 3))


def test_a_replica_has_the_bits_it_has_alone():
    check_replicas(lambda seed: Embedding(V, E, seed=seed), draw(3, 40, 5))


@pytest.mark.parametrize("make", [lambda seed: Embedding(V, E, seed=seed), lambda seed: OneHot(V, replicas=len(seed))])
@pytest.mark.parametrize(
    ("x", "error", "told"),
    [
        (np.zeros((2, 3, 4), "float32"), TypeError, "x: got dtype float32, expected a NumPy array of integers"),
        ([[[1]], [[2]]], TypeError, "x: got list, expected a NumPy array of integers"),
        (np.full((2, 3, 4), V), ValueError, "x: got symbols from 5 to 5, expected 0 to 4"),
        (np.full((2, 3, 4), -1), ValueError, "x: got symbols from -1 to -1, expected 0 to 4"),
        (np.full((3, 4), 1), ValueError, r"x: got shape \(3, 4\), expected 2 replicas along its first axis"),
    ],
)
def test_what_is_no_symbol_is_refused(make, x, error, told):
    with pytest.raises(error, match=told):
        make([0, 1]).forward(x)


def test_bad_sizes_are_refused():
    for make in (lambda: Embedding(0, 3), lambda: Embedding(3, 0), lambda: OneHot(0), lambda: one_hot(draw(2), 0)):
        with pytest.raises(ValueError, match="got 0, expected an integer >= 1"):
            make()
