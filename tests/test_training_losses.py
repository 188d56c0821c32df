"""Losses against SciPy and central differences, alone and through whole networks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, softmax

from rnnbench.layers import Network
from rnnbench.training.losses import KINDS, loss


def draw(kind, shape, seed=0, dtype="float64", scale=1.0):
    """Outputs and targets: y (..., O)."""
    rng = np.random.default_rng(seed)
    y = (scale * rng.normal(size=shape)).astype(dtype)
    if kind == "softmax":
        return y, rng.integers(0, shape[-1], shape[:-1])
    return y, (rng.random(shape) if kind == "logistic" else rng.normal(size=shape)).astype(dtype)


def naive(kind, y, target):
    """Loss of every position, and its gradient, in double precision."""
    y = y.astype(np.float64)
    if kind == "softmax":
        hot = np.eye(y.shape[-1])[target]
        return -(hot * log_softmax(y, axis=-1)).sum(-1), softmax(y, axis=-1) - hot
    if kind == "logistic":
        return (np.logaddexp(0, y) - target * y).sum(-1), expit(y) - target
    return np.square(y - target).sum(-1), 2 * (y - target)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean", ["batch", "positions"])
@pytest.mark.parametrize("kind", KINDS)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 19)), seed=st.integers(0, 99),
    last=st.booleans(), masked=st.booleans(), scale=st.sampled_from([0.0, 1.0, 50.0]),
)  # fmt: skip
def test_value_and_gradient(kind, mean, dtype, shape, seed, last, masked, scale):
    shape = shape[1:] if last else shape
    y, target = draw(kind, shape, seed, dtype, scale)
    mask = np.random.default_rng(seed).random(shape[:-1]) < 0.6 if masked else None
    each, gradient = naive(kind, y, target)
    scored = np.ones(shape[:-1], bool) if mask is None else mask
    parts = max(1, shape[-2] if mean == "batch" else np.count_nonzero(scored))
    value, dy = loss(kind, y, target, mask, mean=mean)
    precision = {"float32": 2e-6, "float64": 1e-14}[dtype] * max(1, scale)
    assert dy.dtype == dtype
    assert value == pytest.approx((each * scored).sum() / parts, rel=precision, abs=precision * shape[-1])
    np.testing.assert_allclose(dy, gradient * scored[..., None] / parts, rtol=precision, atol=precision / parts)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_may_be_read_only(kind):
    given = (*draw(kind, (5, 4, 7), dtype="float32"), np.arange(20).reshape(5, 4) % 3 > 0)
    value, dy = loss(kind, *given)
    for array in given:
        array.flags.writeable = False
        again, same = loss(kind, *given)
        assert again == value
        np.testing.assert_array_equal(same, dy)


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_have_the_bits_they_have_alone(kind):
    y, target = draw(kind, (3, 5, 4, 7), dtype="float32")
    mask = np.random.default_rng(1).random((3, 5, 4)) < 0.5
    for mean in ("batch", "positions"):
        values, dy = loss(kind, y, target, mask, mean=mean, replicas=True)
        for r in range(3):
            value, own = loss(kind, y[r], target[r], mask[r], mean=mean)
            assert values[r] == value
            np.testing.assert_array_equal(dy[r], own)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_scored_is_not_read(kind):
    y, target = draw(kind, (4, 3, 5))
    mask = np.ones((4, 3), bool)
    mask[1, 2] = False
    expected = loss(kind, y, target, mask)
    y[1, 2] = np.nan
    target[1, 2] = 99
    value, dy = loss(kind, y, target, mask)
    assert value == expected[0]
    np.testing.assert_array_equal(dy, expected[1])
    assert not dy[1, 2].any()


@pytest.mark.parametrize("kind", KINDS)
def test_nan_passes_through(kind):
    y, target = draw(kind, (2, 3, 5))
    y[1, 1, 3] = np.nan
    value, dy = loss(kind, y, target)
    assert np.isnan(value) and np.isnan(dy[1, 1, 3]) and np.isfinite(dy[0]).all()


def test_huge_logits_give_the_exact_loss():
    value, dy = loss("softmax", np.array([[1e4, -1e4]], np.float32), np.array([1]))
    assert value == 2e4 and dy.tolist() == [[1.0, -1.0]]
    value, dy = loss("logistic", np.array([[1e4, -1e4]], np.float32), np.array([[0.0, 0.0]], np.float32))
    assert value == 1e4 and dy.tolist() == [[1.0, 0.0]]


def test_no_scored_position_is_no_loss():
    y, target = draw("softmax", (2, 3, 5))
    value, dy = loss("softmax", y, target, np.zeros((2, 3), bool), mean="positions")
    assert value == 0 and not dy.any()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"kind": "hinge"}, ValueError, "loss: got 'hinge', expected one of 'softmax'"),
        ({"mean": "sum"}, ValueError, "mean: got 'sum'"),
        ({"y": np.zeros((2, 3, 5), np.int64)}, TypeError, "y: got int64"),
        ({"y": np.zeros(5)}, ValueError, r"y: got shape \(5,\), expected \(T, B, O\) or \(B, O\)"),
        ({"target": np.zeros((3, 2), np.int64)}, ValueError, r"target: got shape \(3, 2\), expected \(2, 3\)"),
        ({"target": np.zeros((2, 3))}, TypeError, "target: got float64, expected an array of integers"),
        ({"target": np.full((2, 3), 5)}, ValueError, "target: got class 5, expected 0 to 4"),
        ({"target": np.full((2, 3), -1)}, ValueError, "target: got class -1"),
        ({"mask": np.ones((2, 2), bool)}, ValueError, "mask: got shape"),
        ({"y": np.ma.zeros((2, 3, 5))}, TypeError, "y: got a masked array, expected an array without a mask"),
        ({"target": np.ma.zeros((2, 3), np.int64)}, TypeError, "target: got a masked array"),
        ({"kind": "squared", "target": np.ma.zeros((2, 3, 5))}, TypeError, "target: got a masked array"),
        ({"mask": np.ma.ones((2, 3), bool)}, TypeError, "mask: got a masked array"),
    ],
)
def test_bad_input_is_refused(change, error, told):
    given_ = {"kind": "softmax", "y": np.zeros((2, 3, 5)), "target": np.zeros((2, 3), np.int64)} | change
    with pytest.raises(error, match=told):
        loss(**given_)


@pytest.mark.parametrize("device", ["reference", "cpu"])
@pytest.mark.parametrize("readout", ["every", "last"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_through_a_whole_network(kind, readout, device):
    network = Network.build("gru", 2, 3, 4, readout=readout, dtype="float64", device=device, seed=1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3, 2))
    y, _ = network.forward(x, tape=False)
    _, target = draw(kind, y.shape)
    mask = rng.random(y.shape[:-1]) < 0.7

    def value():
        return loss(kind, network.forward(x, tape=False)[0], target, mask)[0]

    y, _ = network.forward(x)
    network.backward(loss(kind, y, target, mask)[1])
    gradients = network.gradients()
    for path, array in network.parameters().items():
        for at in np.ndindex(array.shape):
            before, step = array[at], 1e-5
            array[at] = before + step
            above = value()
            array[at] = before - step
            numeric = (above - value()) / (2 * step)
            array[at] = before
            assert gradients[path][at] == pytest.approx(numeric, rel=1e-6, abs=1e-9), (path, at)
