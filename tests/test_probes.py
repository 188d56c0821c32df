"""The probes against dense products, numerical differentiation and closed forms."""

import numpy as np
import pytest

from rnnbench import cells
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.layers.recurrent import Recurrent
from rnnbench.probes import jacobian, norms, recurrence, stepwise, theory


def make(cell, hidden=5, inputs=3, seed=1, init="uniform", **options):
    return Recurrent(cell, inputs, hidden, dtype="float64", device="reference", seed=seed, init=init, **options)


def final(layer, x, state):
    return layer.forward(x, state, tape=False)[1]


def numerical_jacobian(layer, x, state, step=1e-6):
    """Central differences of the final joint state by the initial one."""
    start = stepwise.flatten(layer, state)[0]
    columns = []
    for k in range(len(start)):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[k] += sign * step
            ends.append(stepwise.flatten(layer, final(layer, x, stepwise.unflatten(layer, moved[None])))[0])
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns).T


def start_of(layer, rng):
    """A random initial state of one row."""
    width = sum(stepwise.joint_states(layer).values())
    return stepwise.unflatten(layer, 0.5 * rng.normal(size=(1, width)))


# ---- the Jacobian product ----


def test_linear_elman_is_a_power_of_w():
    layer, rng = make("elman", activation="linear"), np.random.default_rng(0)
    w = layer.params["weight_hh"]
    for product in jacobian.jacobian_products(layer, rng.normal(size=(6, 1, 3)), lags=range(7)):
        expected = np.linalg.matrix_power(w, product.lag)
        np.testing.assert_allclose(product.dense, expected, rtol=1e-12, atol=1e-15)
        singular = np.linalg.svd(expected, compute_uv=False)
        np.testing.assert_allclose(np.exp(product.log_singular_values), singular, rtol=1e-6)


def test_tanh_elman_is_the_product_of_its_steps():
    layer, rng = make("elman", init={"name": "orthogonal", "gain": 1.2}), np.random.default_rng(1)
    x = rng.normal(size=(7, 1, 3))
    y, _ = layer.forward(x, tape=False)
    expected = np.eye(5)
    for t in range(7):
        expected = np.diag(1 - y[t, 0] ** 2) @ layer.params["weight_hh"] @ expected
    [product] = jacobian.jacobian_products(layer, x)
    np.testing.assert_allclose(product.dense, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("cell", cells.names())
def test_joint_state_against_differences(cell):
    layer, rng = make(cell, init={"name": "gaussian", "gain": 1.0}), np.random.default_rng(2)
    x, state = rng.normal(size=(6, 1, 3)), start_of(layer, rng)
    [product] = jacobian.jacobian_products(layer, x, state)
    np.testing.assert_allclose(product.dense, numerical_jacobian(layer, x, state), rtol=1e-5, atol=1e-8)


def test_parts_of_the_lstm_state():
    layer, rng = make("lstm"), np.random.default_rng(3)
    x, state = rng.normal(size=(5, 1, 3)), start_of(layer, rng)
    [whole] = jacobian.jacobian_products(layer, x, state)
    places = {None: slice(0, 10), "h": slice(0, 5), "c": slice(5, 10)}
    for of, rows in places.items():
        for by, columns in places.items():
            [part] = jacobian.jacobian_products(layer, x, state, of=of, by=by)
            np.testing.assert_allclose(part.dense, whole.dense[rows, columns], rtol=1e-10, atol=1e-15)


def test_a_long_product_does_not_underflow():
    layer = make("elman", activation="linear", init={"name": "orthogonal", "gain": 0.5})
    [product] = jacobian.jacobian_products(layer, np.zeros((2000, 1, 3)))
    np.testing.assert_allclose(product.log_singular_values, 2000 * np.log(0.5), rtol=1e-9)


@pytest.mark.parametrize(("change", "named"), [({"lags": [9]}, "lags"), ({"of": "c"}, "state"), ({"by": "x"}, "state")])
def test_wrong_arguments_of_the_product(change, named):
    with pytest.raises(ValueError, match=named):
        jacobian.jacobian_products(make("elman"), np.zeros((4, 1, 3)), **change)
    with pytest.raises(ValueError, match=r"\(T, 1, I\)"):
        jacobian.jacobian_products(make("elman"), np.zeros((4, 2, 3)))


# ---- norms by lag ----


@pytest.mark.parametrize("cell", cells.names())
def test_renormalised_equals_whole_bptt(cell):
    """Steps with renormalisation against one backward pass per lag without any."""
    layer, rng = make(cell, seed=4), np.random.default_rng(4)
    x, rows = rng.normal(size=(9, 2, 3)), 2
    cotangent = stepwise.random_cotangent(layer, rows, rng)
    measured = norms.gradient_norms(layer, x, cotangent=cotangent)
    np.testing.assert_allclose(measured.joint[0], 0, atol=1e-14)
    for lag in (1, 4, 9):
        state = final(layer, x[: 9 - lag], None)
        layer.forward(x[9 - lag :], state)
        _, gradient = layer.backward(None, stepwise.unflatten(layer, cotangent))
        joint = np.linalg.norm(stepwise.flatten(layer, gradient), axis=1)
        np.testing.assert_allclose(np.exp(measured.joint[lag]), joint, rtol=1e-10)
        assert not any(gradient[name].any() for name in gradient.keys() - measured.states), "no gradient leaves a clock"
        for name in measured.states:
            value = gradient[name]
            axes = (0, 2) if value.ndim == 3 else 1
            expected = np.sqrt((value**2).sum(axis=axes))
            np.testing.assert_allclose(np.exp(measured.states[name][lag]), expected, rtol=1e-10)


def test_two_thousand_steps_are_finite_and_exact():
    layer = make("elman", activation="linear", init={"name": "orthogonal", "gain": 0.5})
    measured = norms.gradient_norms(layer, np.zeros((2000, 3, 3)), rng=np.random.default_rng(0))
    expected = np.repeat(measured.lags[:, None] * np.log(0.5), 3, axis=1)
    np.testing.assert_allclose(measured.joint, expected, rtol=1e-9, atol=1e-12)


def test_segments_change_nothing(monkeypatch):
    layer, x = make("lstm"), np.random.default_rng(5).normal(size=(20, 2, 3))
    whole = norms.gradient_norms(layer, x, rng=np.random.default_rng(6))
    monkeypatch.setattr(stepwise, "SEGMENT", 7)
    parts = norms.gradient_norms(layer, x, rng=np.random.default_rng(6))
    np.testing.assert_allclose(parts.joint, whole.joint, rtol=1e-12)


def test_a_dead_gradient_is_minus_infinity_and_stays():
    layer = make("elman", activation="step")
    measured = norms.gradient_norms(layer, np.ones((4, 2, 3)), rng=np.random.default_rng(0))
    assert np.isneginf(measured.joint[1:]).all()
    assert (theory.slope(measured.lags, measured.joint, 1) == -np.inf).all()


def test_gradients_and_parameters_are_left_alone():
    layer, x = make("gru"), np.random.default_rng(7).normal(size=(5, 2, 3))
    layer.forward(x)
    layer.backward(np.ones((5, 2, 5)))
    before = {key: value.copy() for key, value in layer.grads.items()}
    norms.gradient_norms(layer, x, rng=np.random.default_rng(0))
    jacobian.jacobian_products(layer, x[:, :1], lags=[2])
    for key, value in before.items():
        np.testing.assert_array_equal(layer.grads[key], value)
        assert layer.params[key].flags.writeable


def test_refusals():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="float64"):
        norms.gradient_norms(Recurrent("elman", 3, 4, device="reference"), np.zeros((2, 1, 3)), rng=rng)
    with pytest.raises(ValueError, match="cotangent nor rng"):
        norms.gradient_norms(make("elman"), np.zeros((2, 1, 3)))
    feed_forward = Cell(
        vectors=(Vector("h"),),
        stages=(Stage(lambda a, r, p: (a, ()), lambda d, r, m, s, p: (d, (), ()), ("h",), (Gate("h", ("x",)),)),),
        output="h",
    )
    with pytest.raises(ValueError, match="no differentiable state"):
        norms.gradient_norms(make(feed_forward), np.zeros((2, 1, 3)), rng=rng)


# ---- what the matrices say ----


def test_radius_and_singular_value_of_the_recurrent_blocks():
    for init, measure in [
        ("spectral_radius", recurrence.spectral_radius),
        ("singular_value", recurrence.largest_singular_value),
    ]:
        layer = make("lstm", hidden=12, init={"name": init, "gain": 0.7})
        assert len(recurrence.recurrent_matrices(layer)) == 4
        assert measure(layer) == pytest.approx(0.7)
        layer.blocks["f", "h"][...] *= 3
        layer.blocks["f", "x"][...] *= 100  # the input's block does not count
        assert measure(layer) == pytest.approx(2.1)
        for hidden in (2, 3):  # as many as replicas, and not
            with pytest.raises(ValueError, match="expected a layer without replicas"):
                measure(Recurrent("elman", 3, hidden, seed=[0, 1]))


def test_eigen_curve_is_the_power_and_does_not_underflow():
    rng = np.random.default_rng(8)
    a = rng.normal(size=(6, 6))
    w, v = 0.2 * (a + a.T), rng.normal(size=(6, 2))
    expected = [np.linalg.norm(np.linalg.matrix_power(w, t) @ v, axis=0) for t in range(8)]
    np.testing.assert_allclose(np.exp(theory.log_eigen_decay(range(8), w, v)), expected, rtol=1e-10)
    far = theory.log_eigen_decay([5000], np.diag([0.5, 0.25, 0.0]), np.array([3.0, 1.0, 1.0]))
    assert far == pytest.approx(5000 * np.log(0.5) + np.log(3.0))
    assert np.isneginf(theory.log_eigen_decay([1], np.zeros((2, 2)), np.ones(2)))
    with pytest.raises(ValueError, match="not symmetric"):
        theory.log_eigen_decay(range(3), a, v)


def test_bound_and_slope():
    lags = np.arange(5)
    np.testing.assert_allclose(theory.log_bound(lags, "sigmoid", 2.0), lags * np.log(0.5))
    np.testing.assert_allclose(theory.log_decay(lags, 1.1), lags * np.log(1.1))
    np.testing.assert_array_equal(theory.log_bound(lags, "step", 2.0), [0, *[-np.inf] * 4])
    values = np.array([5.0, 0.0, -2.0, -4.0, 9.0])
    assert theory.slope(lags, values, 1, 3) == pytest.approx(-2)
    np.testing.assert_allclose(theory.slope(lags, np.stack([values, -values], 1), 1, 3), [-2, 2])
    with pytest.raises(ValueError, match="at least 2"):
        theory.slope(lags, values, 4)
