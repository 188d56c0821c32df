"""Dense layers, small (BLAS) and large (our own kernels): the same numbers, held to definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.kernels import dense as kernel
from rnnbench.kernels import threads
from rnnbench.layers import Dense


@pytest.fixture(params=["small", "large"])
def size(request, monkeypatch):
    """Have every product made by either way."""
    monkeypatch.setattr(kernel, "ENOUGH", 0 if request.param == "large" else np.inf)


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 3), (2, 4, 3, 3), (3,)], ids=str)
def test_y_is_the_product(size, shape):
    layer = randomise(Dense(3, 18, dtype="float64"))
    x = normal(*shape)
    expected = np.einsum("...i,oi->...o", x, layer.params["weight"]) + layer.params["bias"]
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-12)


@pytest.mark.parametrize(("bias", "activation"), [(True, "tanh"), (False, "linear")])
def test_gradients(size, bias, activation):
    layer = randomise(Dense(18, 5, bias=bias, activation=activation, dtype="float64"))
    check_gradients(layer, normal(4, 3, 18))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 9), st.integers(0, 9), st.integers(1, 40), st.sampled_from([1, 2]))
def test_both_ways_give_the_same_numbers(inputs, steps, rows, outputs, copies):
    found, before = [], kernel.ENOUGH
    layer = randomise(Dense(inputs, outputs, dtype="float64", seed=list(range(copies))))
    x, dy = normal(copies, steps, rows, inputs), normal(copies, steps, rows, outputs, seed=1)
    try:
        for kernel.ENOUGH in (np.inf, 0):
            layer.zero_grad()
            y, _ = layer.forward(x)
            dx, _ = layer.backward(dy)
            found.append([y, dx, *(grad.copy() for grad in layer.grads.values())])
    finally:
        kernel.ENOUGH = before
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_replica_has_the_bits_it_has_alone(size):
    check_replicas(lambda seed: Dense(20, 7, seed=seed), normal(3, 9, 4, 20, dtype="float32"))


def test_gradients_add_up_in_views_of_one_buffer(size):
    """As a trainer has them: of each replica side by side, so no gradient is contiguous."""
    layer = randomise(Dense(3, 2, dtype="float64", seed=[0, 1]))
    buffer = np.zeros((2, 8))
    layer.bind(layer.params, {"weight": buffer[:, :6].reshape(2, 2, 3), "bias": buffer[:, 6:]})
    for _ in range(2):
        y, _ = layer.forward(normal(2, 5, 4, 3))
        layer.backward(np.ones_like(y))
    np.testing.assert_allclose(buffer[:, 6:], 2 * 20)
    np.testing.assert_allclose(buffer[:, :3], 2 * normal(2, 5, 4, 3).sum(axis=(1, 2)))


def test_no_bit_depends_on_threads(monkeypatch):
    monkeypatch.setattr(kernel, "ENOUGH", 0)
    layer, found = Dense(128, 65), []
    x, dy = normal(50, 50, 128, dtype="float32"), normal(50, 50, 65, seed=1, dtype="float32")
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "_threads", count)
        layer.zero_grad()
        y, _ = layer.forward(x)
        dx, _ = layer.backward(dy)
        found.append([y, dx, *(grad.copy() for grad in layer.grads.values())])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_what_does_not_fit_is_refused_before_anything_is_written(monkeypatch):
    monkeypatch.setattr(kernel, "ENOUGH", 0)
    layer = Dense(3, 2)
    x = normal(4, 3, dtype="float32")
    layer.params["weight"] = np.zeros((2, 2), "float32")
    with pytest.raises(ValueError, match=r"params\['weight'\]: got shape \(2, 2\), expected \(2, 3\)"):
        layer.forward(x)
    layer = Dense(3, 2)
    y, _ = layer.forward(x)
    layer.grads["bias"] = np.zeros(7, "float32")
    with pytest.raises(ValueError, match=r"grads\['bias'\]: got float32 of shape \(7,\)"):
        layer.backward(np.ones_like(y))


@pytest.mark.parametrize("outputs", [1, 2])
def test_what_a_layer_is_given_may_be_read_only(size, outputs):
    layer, x, dy = randomise(Dense(3, outputs, dtype="float64")), normal(4, 3), normal(4, outputs)
    layer.forward(x)
    expected, _ = layer.backward(dy)
    for value in (x, dy, *layer.params.values()):
        value.flags.writeable = False
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(dy)[0], expected)
