"""The lecture's hand-wired networks compute what they are wired for: on every string of up to 12 bits."""

import numpy as np
import pytest

from rnnbench.layers import hand_wired

DEVICES = ["cpu", "reference"]
LONGEST = 12


def strings(length):
    """All bit strings of a length, (T, 2^T, 1)."""
    return (np.arange(2**length) >> np.arange(length)[:, None] & 1)[..., None]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [1, 2, LONGEST])
def test_parity_is_exact_on_all_strings(length, dtype, device):
    bits = strings(length)
    expected = np.cumsum(bits, axis=0) % 2
    assert len(np.unique(bits[..., 0].T, axis=0)) == 2**length
    y, _ = hand_wired.parity(dtype=dtype, device=device).forward(bits.astype(dtype))
    np.testing.assert_array_equal(y, expected)
    y, _ = hand_wired.logistic_parity(dtype=dtype, device=device).forward(bits.astype(dtype))
    assert np.abs(y - expected).max() < 1e-3
    y, _ = hand_wired.logistic_parity(gain=5.0, dtype=dtype, device=device).forward(bits.astype(dtype))
    np.testing.assert_array_equal(y > 0.5, expected)


def test_logistic_parity_needs_its_gain():
    bits = np.random.default_rng(0).integers(0, 2, (500, 20, 1))
    expected = np.cumsum(bits, axis=0) % 2
    for gain, kept in ((5.0, True), (4.0, False)):
        y, _ = hand_wired.logistic_parity(gain=gain, dtype="float64").forward(bits.astype(float))
        assert ((y > 0.5) == expected).all() == kept
    for gain in (14.0, 20.0):
        y, _ = hand_wired.logistic_parity(gain=gain, dtype="float64").forward(bits.astype(float))
        assert np.abs(y - expected).max() < 1e-3
    with pytest.raises(ValueError, match="gain: got 1e\\+38, expected a number > 0, at most 1e\\+06"):
        hand_wired.logistic_parity(gain=1e38)


@pytest.mark.parametrize("device", DEVICES)
def test_the_sum_is_exact_on_all_strings(device):
    bits = strings(LONGEST).astype("float32")
    y, _ = hand_wired.running_sum(device=device).forward(bits)
    np.testing.assert_array_equal(y, np.cumsum(bits, axis=0))


@pytest.mark.parametrize("device", DEVICES)
def test_the_larger_sum_is_told_on_all_pairs_of_strings(device):
    bits = strings(LONGEST)
    x = np.concatenate([bits[: LONGEST // 2], bits[LONGEST // 2 :]], axis=-1)  # all pairs of 6 bits
    y, _ = hand_wired.larger_sum(device=device).forward(x.astype("float32"))
    ahead = np.sign(np.cumsum(x[..., :1] - x[..., 1:], axis=0))
    assert set(np.unique(ahead)) == {-1, 0, 1}
    np.testing.assert_array_equal(np.sign(y - 0.5), ahead)
    assert np.abs(y - (ahead + 1) / 2).max() < 7e-3  # 1 - sigmoid(5), where the sums differ by 1


def test_they_can_be_trained_on():
    layer = hand_wired.logistic_parity(gain=5.0, dtype="float64")
    y, _ = layer.forward(strings(4).astype(float))
    layer.backward(np.ones_like(y))
    assert all(np.abs(grad).max() > 0 for grad in layer.grads.values())


@pytest.mark.parametrize("gain", [0, -1.0, np.inf, np.nan, True, "much"])
def test_a_gain_is_a_positive_number(gain):
    with pytest.raises(ValueError, match="gain: got"):
        hand_wired.logistic_parity(gain=gain)
