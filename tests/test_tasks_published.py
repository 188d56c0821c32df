"""Tasks against their papers: distributions of the inputs, places of what matters, published chance figures."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rnnbench import tasks

MANY = 20_000


def draw(name, variant, length, size=MANY, **options):
    return tasks.get(name, variant, **options).batch(np.random.default_rng(7), size, length)


def span(values):
    return int(values.min()), int(values.max())


def check_moments(values, mean, variance):
    """Mean and variance within 5 standard errors."""
    values = np.ravel(values)
    assert abs(values.mean() - mean) < 5 * math.sqrt(variance / values.size)
    fourth = ((values - values.mean()) ** 4).mean()
    assert abs(values.var() - variance) < 5 * math.sqrt((fourth - variance**2) / values.size)


def marked(batch):
    """Steps of the first and the second marker of the rows that show both."""
    both = (batch.x[..., 1] == 1).sum(0) == 2
    shown = batch.x[:, both, 1] == 1
    return shown.argmax(0), len(shown) - 1 - shown[::-1].argmax(0), both


def test_adding_urnn():
    batch = draw("adding", "urnn", 50)
    first, second, both = marked(batch)
    assert both.all() and batch.lengths is None and len(batch.x) == 50
    assert span(first) == (0, 24) and span(second) == (25, 49)
    check_moments(batch.x[..., 0], 1 / 2, 1 / 12)


@pytest.mark.parametrize("name", ["adding", "multiplication"])
def test_markers_of_pascanu(name):
    batch = draw(name, "pascanu", 100)
    assert span(batch.lengths) == (100, 109)
    first, second, both = marked(batch)
    assert both.all()
    assert first.min() == 0 and second.min() >= 10 and (first < batch.lengths // 10).all()
    assert (second < batch.lengths // 2).all() and span(second) == (10, 52)
    check_moments(batch.x[:100, :, 0], 1 / 2, 1 / 12)


@pytest.mark.parametrize(("name", "low"), [("adding", -1), ("multiplication", 0)])
def test_markers_of_lstm_97(name, low):
    batch = draw(name, "lstm_97", 100)
    assert span(batch.lengths) == (100, 110)
    first, second, both = marked(batch)
    assert span(first) == (1, 9) and span(second)[1] == 49
    assert abs(both.mean() - 0.9 * 48 / 49) < 5 * math.sqrt(0.1 * 0.9 / MANY)
    assert (batch.x[0, :, 1] == -1).all()
    assert (batch.x[batch.lengths - 1, np.arange(MANY), 1] == -1).all()
    assert ((batch.x[..., 1] == -1).sum(0) == 2).all()
    check_moments(batch.x[:100, :, 0], (low + 1) / 2, (1 - low) ** 2 / 12)


def test_the_place_of_the_recalled():
    batch = draw("copy", "urnn", 100, size=3)
    assert batch.x.shape == (120, 3)
    assert_array_equal(batch.x[10:], np.repeat([[0]] * 99 + [[9]] + [[0]] * 10, 3, axis=1))
    assert_array_equal(batch.target[:110], 0)
    assert_array_equal(batch.target[110:], batch.x[:10])
    batch = draw("noiseless_memorization", "five_bit", 100, size=3)
    assert_array_equal(batch.x[5:], np.repeat([[0]] * 100 + [[3]] + [[0]] * 4, 3, axis=1))
    assert_array_equal(batch.target[105:], batch.x[:5])


@pytest.mark.parametrize(
    ("variant", "windows", "lengths"),
    [
        ("pascanu", [(10, 19), (50, 59)], (100, 100)),
        ("pascanu_3", [(10, 19), (30, 39), (60, 69)], (100, 100)),
        ("lstm_97", [(10, 20), (50, 60)], (100, 110)),
        ("lstm_97_3", [(10, 20), (33, 43), (66, 76)], (100, 110)),
    ],
)
def test_windows_of_temporal_order(variant, windows, lengths):
    batch = draw("temporal_order", variant, 100)
    told = (batch.x < 2) & (np.arange(len(batch.x))[:, None] < (100 if batch.lengths is None else batch.lengths))
    assert (told.sum(0) == len(windows)).all()
    places = np.nonzero(told.T)[1].reshape(MANY, -1)
    assert [span(column) for column in places.T] == windows
    assert lengths == (100, 100) if batch.lengths is None else span(batch.lengths) == lengths
    if batch.lengths is not None:
        assert (batch.x[0] == 6).all() and (batch.x[batch.lengths - 1, np.arange(MANY)] == 7).all()
    counts = np.bincount(batch.x[:100].ravel(), minlength=6)[2:6]
    assert np.ptp(counts) < 10 * math.sqrt(counts.mean())


@pytest.mark.parametrize(("variant", "spread"), [("lstm_97_3a", 0), ("lstm_97_3b", 0.2), ("lstm_97_3c", 0)])
def test_the_noise_of_two_sequence_is_a_variance(variant, spread):
    batch = draw("two_sequence", variant, 10)
    assert span(batch.lengths) == (10, 11)
    check_moments(batch.x[3:10], 0, 0.2)
    told = batch.x[:3] * np.where(batch.x[:3].sum(0) > 0, 1, -1)
    if spread:
        check_moments(told, 1, spread)
    else:
        assert (told == 1).all()
    if batch.clean is None:
        assert set(np.unique(batch.target[batch.mask])) == {0, 1}
    else:
        assert set(np.unique(batch.clean[batch.mask])) == {0.2, 0.8}
        check_moments((batch.target - batch.clean)[batch.mask], 0, 0.1)


@pytest.mark.parametrize(
    ("variant", "right", "error"),
    [("lstm_97_3a", "All", "0.01."), ("lstm_97_3b", "Fewer than 6", "0.04."), ("lstm_97_3c", "All", "0.015.")],
)
def test_when_two_sequence_is_solved(variant, right, error):
    criterion = tasks.get("two_sequence", variant).criterion
    assert criterion.startswith(f"{right} of 256 ") and criterion.endswith(f" {error}")


def test_lengths_and_noise_of_latch():
    batch = draw("latch", "guessing_01", 500, size=2000)
    assert span(batch.lengths) == (500, 600)
    check_moments(batch.x[1:500], 0, 0.2)
    assert draw("latch", "bengio_94", 20, size=2).lengths is None


def test_spikes_of_timing():
    batch = draw("timing", "msd", 3, interval=49)
    assert_array_equal(np.unique(batch.lengths), [147, 148, 149, 150])
    assert (batch.x.sum(axis=(0, 2)) == 3).all()
    check_moments(batch.target[batch.mask], 1 / 2, 1 / 4)


def test_lengths_of_parity():
    batch = draw("parity", "running", 40, lengths="uniform")
    assert span(batch.lengths) == (1, 40)
    check_moments(batch.lengths, 20.5, (40**2 - 1) / 12)
    check_moments(draw("parity", "running", 40).x, 1 / 2, 1 / 4)


@pytest.mark.parametrize(
    ("name", "variant", "length", "loss", "success"),
    [
        ("adding", "urnn", 200, 1 / 6, 0.0784),
        ("adding", "pascanu", 100, 1 / 24, 0.64),  # a constant solves well over half
        ("adding", "lstm_97", 100, (2 - 0.1 - 0.9 / 49) / 48, 0.1544),
        ("multiplication", "pascanu", 100, 7 / 144, 0.6095),
        ("copy", "urnn", 100, 10 * math.log(8) / 120, 8.0**-10),
        ("noiseless_memorization", "twenty_bit", 100, 10 * math.log(5) / 120, 5.0**-10),
        ("temporal_order", "pascanu", 100, math.log(4), 0.25),
        ("temporal_order", "lstm_97_3", 100, math.log(8), 0),
        ("random_permutation", "pascanu", 100, math.log(2), 0.5),
        ("two_sequence", "lstm_97_3c", 100, 0.19, 0),
        ("parity", "running", 500, math.log(2), 0.5**500),
        ("compare_sums", "running", 3, math.log(2), 5 / 16),
    ],
)
def test_chance_in_figures(name, variant, length, loss, success):
    chance = tasks.get(name, variant).chance(length)
    assert math.isclose(chance.loss, loss)
    assert_allclose(chance.success, success, atol=5e-5 if success > 1e-3 else 0, rtol=1e-9)
