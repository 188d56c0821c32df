"""Pascanu's Omega: its value and gradient, and that it is 0 where gradients keep their norm."""

import numpy as np
import pytest

from rnnbench import Recurrent, tasks
from rnnbench.layers import Dense, Network
from rnnbench.training import train
from rnnbench.training.regularisers import Omega

T, B, I, H = 6, 3, 2, 5


def make(activation="tanh", weight=1.0, init=None, **options):
    return Omega(Recurrent("elman", I, H, dtype="float64", activation=activation, init=init, **options), weight)


def data(seed=0, *lead):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(*lead, T, B, I)), rng.normal(size=(*lead, T, B, H))


def naive(layer, slope, h, dy, w):
    """Omega, step by step and row by row; the cotangents are those of the layer's own matrix, the Jacobian's is `w`."""
    own, total = layer.params["weight_hh"], 0.0
    for b in range(B):
        d = np.zeros(H)
        for t in reversed(range(T)):
            d = d + dy[t, b]
            if np.linalg.norm(d):
                jacobian = np.diag(slope(h[t, b]))
                total += (np.linalg.norm(d @ jacobian @ w) / np.linalg.norm(d) - 1) ** 2
                d = d @ jacobian @ own
    return total / B


SLOPES = {
    "tanh": lambda h: 1 - h**2, "sigmoid": lambda h: h * (1 - h), "relu": lambda h: (h > 0).astype(float),
    "linear": np.ones_like,
}  # fmt: skip


@pytest.mark.parametrize("lengths", [None, np.array([6, 2, 4])])
@pytest.mark.parametrize("activation", SLOPES)
def test_value_and_immediate_gradient(activation, lengths):
    x, dy = data()
    if lengths is not None:
        dy[np.arange(T)[:, None] >= lengths] = 0
    plain = Recurrent("elman", I, H, dtype="float64", activation=activation)
    h, _ = plain.forward(x, lengths=lengths)
    dx, _ = plain.backward(dy)
    omega = make(activation, weight=0.7)
    omega.forward(x, lengths=lengths)
    got, _ = omega.backward(dy)
    np.testing.assert_array_equal(got, dx)
    w, slope = plain.params["weight_hh"], SLOPES[activation]
    assert omega.value == pytest.approx(naive(plain, slope, h, dy, w), rel=1e-12)
    added = omega.gradients()["layer.weight_hh"] - plain.grads["weight_hh"]
    numeric = np.zeros_like(w)
    for at in np.ndindex(w.shape):
        above, below = w.copy(), w.copy()
        above[at] += 1e-6
        below[at] -= 1e-6
        numeric[at] = (naive(plain, slope, h, dy, above) - naive(plain, slope, h, dy, below)) / 2e-6
    np.testing.assert_allclose(added, 0.7 * numeric, rtol=1e-6, atol=1e-8)
    for key in ("weight_ih", "bias"):
        np.testing.assert_array_equal(omega.gradients()[f"layer.{key}"], plain.grads[key])


def test_zero_for_an_orthogonal_linear_layer_and_known_for_a_scaled_one():
    x, _ = data()
    last = np.zeros((T, B, H))
    last[-1] = 1.0
    for gain in (1.0, 0.5):
        omega = make("linear", init={"name": "orthogonal", "gain": gain})
        omega.forward(x)
        omega.backward(last)
        assert omega.value == pytest.approx(T * (gain - 1) ** 2, abs=1e-20)


@pytest.mark.parametrize(
    ("gain", "steps", "counted"), [(1e-3, 30, 30), (1e-3, 200, 51), (1e-10, 20, 16), (30.0, 20, 20)]
)
def test_a_gradient_that_has_almost_vanished_counts_by_its_direction_alone(gain, steps, counted):
    """d_t gets as small as 1e-90, where float32 has only 0; at 1e-150, after 51 or 16 steps, double precision ends."""
    x = np.zeros((steps, B, I), np.float32)
    last = np.zeros((steps, B, H), np.float32)
    last[-1] = 1.0
    recipe = {"name": "orthogonal", "gain": gain}
    omega = Omega(Recurrent("elman", I, H, activation="linear", init=recipe), 1.0)
    omega.forward(x)
    omega.backward(last)
    assert omega.value == pytest.approx(counted * (gain - 1) ** 2, rel=1e-5)
    turn = omega.parts["layer"].params["weight_hh"].astype(float) / gain
    u, wanted = np.full(H, H**-0.5), np.zeros((H, H))
    for _ in range(counted):
        wanted += 2 * (gain - 1) * np.outer(u, u @ turn)
        u = u @ turn / np.linalg.norm(u @ turn)
    np.testing.assert_allclose(omega.gradients()["layer.weight_hh"], wanted, rtol=1e-4, atol=1e-4 * gain)


def test_a_gradient_by_the_final_state_counts():
    x, dy = data()
    by_output, by_state = make(), make()
    last = np.zeros_like(dy)
    last[-1] = dy[-1]
    by_output.forward(x)
    by_output.backward(last)
    by_state.forward(x)
    by_state.backward(np.zeros_like(dy), {"h": dy[-1]})
    assert by_state.value == pytest.approx(by_output.value)
    np.testing.assert_allclose(by_state.gradients()["layer.weight_hh"], by_output.gradients()["layer.weight_hh"])


@pytest.mark.parametrize("given", [("y",), ("h",), ("y", "h")])
def test_rows_that_end_early_count_as_if_alone(given):
    """What comes from a final state waits for the row's end, and no dy from beyond it counts."""
    (x, dy), lengths = data(), [6, 2, 4]
    last = dy[-1].copy()
    dy, dstate = (dy if "y" in given else None), ({"h": last} if "h" in given else None)
    together, value, grad = make(), 0.0, 0.0
    together.forward(x, lengths=lengths)
    together.backward(dy, dstate)
    for b, steps in enumerate(lengths):
        row, alone = np.s_[:steps, b : b + 1], make(weight=1 / B)  # the mean over rows
        alone.forward(x[row])
        alone.backward(None if dy is None else dy[row], dstate and {"h": last[b : b + 1]})
        value, grad = value + alone.value / B, grad + alone.gradients()["layer.weight_hh"]
    assert together.value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(together.gradients()["layer.weight_hh"], grad, rtol=1e-12)


def test_replicas_have_the_bits_they_have_alone():
    x, dy = data(0, 2)
    together = make(seed=[4, 5])
    together.forward(x)
    together.backward(dy)
    for r in range(2):
        alone = make(seed=4 + r)
        alone.forward(x[r])
        alone.backward(dy[r])
        assert together.value[r] == alone.value
        np.testing.assert_array_equal(together.gradients()["layer.weight_hh"][r], alone.gradients()["layer.weight_hh"])


def test_it_trains_within_a_network_and_brings_omega_down():
    task = tasks.get("adding")

    def trained(weight):
        recurrent = Omega(Recurrent("elman", 2, 12, init={"name": "sparse", "gain": 0.5}), weight)
        network = Network(hidden=recurrent, readout=Dense(12, 1))
        train(network, task, 60, length=15)
        return recurrent.value

    assert trained(1.0) < 0.5 * trained(0.0)


@pytest.mark.parametrize(
    ("make_it", "told"),
    [
        (lambda: Omega(Recurrent("lstm", 2, 3), 1.0), "expected a Recurrent of a cell h"),
        (lambda: Omega(Recurrent("leaky", 2, 3), 1.0), "expected a Recurrent of a cell h"),
        (lambda: Omega(Recurrent("skip", 2, 3), 1.0), "expected a Recurrent of a cell h"),
        (lambda: Omega(Dense(2, 3), 1.0), "expected a Recurrent"),
        (lambda: make(weight=-1), "weight: got -1"),
    ],
)
def test_bad_input_is_refused(make_it, told):
    with pytest.raises(ValueError, match=told):
        make_it()


def test_truncation_is_refused_before_the_tape_is_used():
    omega = make()
    y, _ = omega.forward(data()[0])
    with pytest.raises(ValueError, match="truncate: got 2, expected None"):
        omega.backward(y, truncate=2)
    omega.backward(y)
