"""What sets each simple cell apart from its neighbours, on both drivers."""

import numpy as np
import pytest
from helpers import DEVICES, assert_close
from small_layer import data, make

from rnnbench import Recurrent
from rnnbench.cells.clockwork import group_sizes


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


def copy_params(source, target, rename=()):
    """Give a layer the parameters of another, some of them under other names."""
    for key, value in source.params.items():
        if (key := dict(rename).get(key, key)) in target.params:
            target.params[key][...] = value


def everything(layer, x, dy):
    """y, dx and all gradients of one pass."""
    layer.zero_grad()
    y, _ = layer.forward(x)
    dx, _ = layer.backward(dy)
    return {"y": y, "dx": dx} | {key: value.copy() for key, value in layer.grads.items()}


def assert_same(got, expected, keys, tolerance=1e-13):
    for key in keys:
        assert_close(got[key], expected[key], tolerance, key)


# ---- clockwork ----


def runs_at(y):
    """Whether each unit changed at each step after the first, of any row."""
    return (y[1:] != y[:-1]).any(axis=1)


def test_units_are_split_evenly_and_the_first_groups_take_the_rest():
    assert [group_sizes(units, 4) for units in (8, 7, 5, 2)] == [[2] * 4, [2, 2, 2, 1], [2, 1, 1, 1], [1, 1, 0, 0]]
    for units, expected in ((7, [1, 1, 2, 2, 4, 4, 8]), (2, [1, 2])):
        layer = Recurrent("clockwork", 1, units, device="reference")
        np.testing.assert_array_equal(layer.params["period"], expected)


def test_a_group_runs_when_its_period_divides_the_step(device):
    layer = make("clockwork", device, H=5, periods=(1, 2, 3))
    x, _ = data(layer, T=13)
    y, final = layer.forward(x)
    assert y[0].all(), "step 0 is everybody's"
    periods = layer.params["period"]
    np.testing.assert_array_equal(periods, [1, 1, 2, 2, 3])
    np.testing.assert_array_equal(runs_at(y), np.arange(1, 13)[:, None] % periods == 0)
    np.testing.assert_array_equal(final["clock"], np.broadcast_to(13 % periods, (4, 5)))


def test_between_its_steps_a_group_keeps_the_initial_state_too(device):
    layer = make("clockwork", device, periods=(2, 4))
    x, _ = data(layer, T=3)
    start = {"h": np.full((4, 6), 0.3), "clock": np.ones((4, 6))}
    y, final = layer.forward(x, start)
    np.testing.assert_array_equal(y[0], start["h"])
    np.testing.assert_array_equal(runs_at(y)[:, [0, 5]], [[True, False], [False, False]])
    np.testing.assert_array_equal(final["clock"][:, [0, 5]], np.broadcast_to([0, 0], (4, 2)))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_clock_counts_each_rows_own_steps(reverse, device):
    layer = make("clockwork", device)
    x, _ = data(layer, T=9)
    lengths = [9, 4, 0, 7]
    y, final = layer.forward(x, lengths=lengths, reverse=reverse)
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(final["clock"][row], length % layer.params["period"])
        own = x[:length, row : row + 1]
        alone, _ = layer.forward(np.ascontiguousarray(own[::-1] if reverse else own))
        np.testing.assert_allclose(y[:length, row], (alone[::-1] if reverse else alone)[:, 0], atol=1e-13)


def test_a_second_call_goes_on_counting(device):
    layer = make("clockwork", device)
    x, _ = data(layer, T=11)
    whole, final = layer.forward(x)
    first, state = layer.forward(x[:3])
    second, end = layer.forward(x[3:], state)
    assert_close(np.concatenate([first, second]), whole, 1e-14, "y")
    np.testing.assert_array_equal(end["clock"], final["clock"])
    anew, _ = layer.forward(x[3:], {"h": state["h"]})
    assert np.abs(anew - second).max() > 1e-3, "without the clock it starts at 0 again"


def test_what_is_struck_out_is_not_read_and_takes_no_gradient(device):
    layer = make("clockwork", device, periods=(1, 2, 4))
    x, dy = data(layer, T=6)
    before = everything(layer, x, dy)
    group = np.repeat([0, 1, 2], 2)
    out = group[:, None] > group[None, :]
    assert out.sum() == 12
    layer.params["weight_hh"][out] = np.nan
    after = everything(layer, x, dy)
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value, err_msg=key)
    assert not after["weight_hh"][out].any() and after["weight_hh"][~out].all()


def test_one_period_of_one_step_is_the_simple_network(device):
    layer, elman = make("clockwork", device, periods=(1,)), make("elman", device)
    copy_params(layer, elman)
    x, dy = data(layer)
    got, expected = everything(layer, x, dy), everything(elman, x, dy)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


def test_many_steps_do_not_wear_the_clock_out():
    layer = Recurrent("clockwork", 0, 4, dtype="float32", periods=(1, 3, 5, 7))
    _, final = layer.forward(np.zeros((100_000, 1, 0), np.float32), tape=False)
    np.testing.assert_array_equal(final["clock"][0], 100_000 % np.array([1, 3, 5, 7]))


# ---- the others ----


def test_an_irnn_is_a_rectified_simple_network(device):
    layer, elman = make("irnn", device), make("elman", device, activation="relu")
    copy_params(layer, elman)
    x, dy = data(layer)
    got, expected = everything(layer, x, dy), everything(elman, x, dy)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


def test_an_irnn_keeps_its_state_at_first():
    layer = Recurrent("irnn", 0, 6, dtype="float64", device="reference")
    h = np.abs(np.random.default_rng(0).normal(size=(2, 6)))
    y, _ = layer.forward(np.zeros((9, 2, 0)), {"h": h})
    np.testing.assert_array_equal(y, np.broadcast_to(h, (9, 2, 6)))


@pytest.mark.parametrize("delay", [2, 3])
def test_a_delay_is_so_many_simple_networks_that_never_meet(delay, device):
    layer, elman = make("delayed", device, delay=delay), make("elman", device)
    copy_params(layer, elman, {f"weight_h@{delay}": "weight_hh"}.items())
    x, dy = data(layer, T=7)
    whole, grads = everything(layer, x, dy), {}
    for turn in range(delay):
        part = everything(elman, np.ascontiguousarray(x[turn::delay]), np.ascontiguousarray(dy[turn::delay]))
        assert_close(whole["y"][turn::delay], part["y"], 1e-13, "y")
        assert_close(whole["dx"][turn::delay], part["dx"], 1e-13, "dx")
        grads = {key: grads.get(key, 0) + value for key, value in part.items() if key not in ("y", "dx")}
    assert_close(whole[f"weight_h@{delay}"], grads["weight_hh"], 1e-12, "weight_hh")


def test_identity_has_a_constant_error_flow(device):
    layer = make("identity", device)
    x, dy = data(layer, T=50)
    layer.forward(x)
    dy[:-1] = 0
    _, dstate = layer.backward(dy)
    np.testing.assert_array_equal(dstate["h"], dy[-1])


def test_identity_sums_its_inputs(device):
    layer = make("identity", device, H=3, activation="linear", bias=False)
    layer.params["weight_ih"][...] = np.eye(3)
    x, _ = data(layer)
    np.testing.assert_allclose(layer.forward(x)[0], np.cumsum(x, axis=0), atol=1e-14)


def test_without_one_of_its_recurrences_output_hidden_is_jordan_or_elman(device):
    layer = make("output_hidden", device, output_size=2)
    x, dy = data(layer)
    layer.params["weight_hh"][...] = 0
    jordan = make("jordan", device, output_size=2)
    copy_params(layer, jordan)
    assert_same(everything(layer, x, dy), expected := everything(jordan, x, dy), expected)

    layer = make("output_hidden", device, output_size=2)
    layer.params["weight_y"][...] = 0
    elman = make("elman", device, bias=False)
    elman.params["weight_ih"][...], elman.params["weight_hh"][...] = (
        layer.params[key] for key in ("weight_ih", "weight_hh")
    )
    layer.params["bias"][...] = 0
    readout = layer.params["weight_h@0"]
    y, _ = layer.forward(x)
    h, _ = elman.forward(x)
    assert_close(y, h @ readout.T, 1e-13, "y")
    assert_close(layer.backward(dy)[0], elman.backward(dy @ readout)[0], 1e-13, "dx")


def test_teacher_forcing_leaves_the_hidden_recurrence_of_output_hidden(device):
    layer = make("output_hidden", device, output_size=2)
    x, dy = data(layer)
    dy[:-1] = 0
    target = np.random.default_rng(5).normal(size=dy.shape)
    layer.forward(x, feed={"y": (target, np.ones(len(x), bool))})
    dx, dstate = layer.backward(dy)
    assert dx[0].any() and dstate["h"].any(), "the gradient still passes from h to h"
    assert not dstate["y"].any()


def test_a_deep_transition_of_linear_layers_is_one_matrix(device):
    layer = make("deep_transition", device, activation="linear", depth=3, bias=False)
    elman = make("elman", device, activation="linear", bias=False)
    over = layer.blocks["h", "z2@0"] @ layer.blocks["z2", "z1@0"]
    elman.params["weight_ih"][...] = over @ layer.blocks["z1", "x"]
    elman.params["weight_hh"][...] = over @ layer.blocks["z1", "h"]
    x, dy = data(layer)
    assert_same(everything(layer, x, dy), everything(elman, x, dy), ("y", "dx"), 1e-12)


def test_a_shortcut_reaches_past_the_intermediate_layers(device):
    layer = make("deep_transition", device, activation="linear", shortcut=True, bias=False)
    layer.blocks["h", "z1@0"][...] = 0
    layer.blocks["h", "h"][...] = 0.5 * np.eye(6)
    h = np.random.default_rng(0).normal(size=(4, 6))
    y, _ = layer.forward(data(layer)[0], {"h": h})
    np.testing.assert_allclose(y, h * 0.5 ** np.arange(1, 6)[:, None, None], atol=1e-15)


@pytest.mark.parametrize("inputs", [0, 3])
def test_a_dynamical_system_never_reads_its_input(inputs, device):
    layer = make("dynamical", device, I=inputs)
    x, dy = data(layer)
    start = {"s": np.random.default_rng(1).normal(size=(4, 6))}
    expected, _ = layer.forward(x, start)
    x[...] = np.nan
    y, _ = layer.forward(x, start)
    np.testing.assert_array_equal(y, expected)
    assert np.ptp(y[0], axis=0).any(), "the rows differ by where they start"
    dx, dstate = layer.backward(dy)
    assert dx.shape == x.shape and not dx.any()
    assert dstate["s"].all() and layer.grads["weight_s"].all()


def test_a_linear_dynamical_system_is_a_power_of_its_matrix(device):
    layer = make("dynamical", device, I=0, activation="linear", bias=False)
    s, r = np.random.default_rng(0).normal(size=(2, 6)), layer.params["weight_s"]
    y, _ = layer.forward(np.zeros((8, 2, 0)), {"s": s})
    assert_close(y[-1], s @ np.linalg.matrix_power(r, 8).T, 1e-12)


def test_the_sigmoid_form_of_elman_is_the_lectures(device):
    """h_t = sigma(W_hx x_t + W_hh h_(t-1) + b_h), and its gradient W_hh sigma'(u)."""
    layer = make("elman", device, activation="sigmoid")
    x, dy = data(layer, T=1)
    h = np.random.default_rng(2).normal(size=(4, 6))
    y, _ = layer.forward(x, {"h": h})
    u = x[0] @ layer.params["weight_ih"].T + h @ layer.params["weight_hh"].T + layer.params["bias"]
    sigma = 1 / (1 + np.exp(-u))
    assert_close(y[0], sigma, 1e-14, "y")
    _, dstate = layer.backward(dy)
    assert_close(dstate["h"], (dy[0] * sigma * (1 - sigma)) @ layer.params["weight_hh"], 1e-14, "dstate")


@pytest.mark.parametrize("cell", ["jordan", "output_hidden"])
def test_two_hard_thresholds_and_an_output_make_parity(cell, device):
    """R. Grosse's third example: h1 is AND, h2 is OR of input and last output; the output is OR and not AND."""
    options = {"activation": "step", "output_activation": "step", "output_size": 1}
    layer = Recurrent(cell, 1, 2, dtype="float64", device=device, **options)
    for value in layer.params.values():
        value[...] = 0
    layer.params["weight_ih"][...] = layer.params["weight_y"][...] = 1
    layer.gate_bias("h")[...] = [-1.5, -0.5]
    layer.params["weight_h@0"][...] = [[-1, 1]]
    layer.gate_bias("y")[...] = -0.5
    bits = np.random.default_rng(0).integers(0, 2, (40, 5))
    y, _ = layer.forward(bits[:, :, None].astype(float))
    np.testing.assert_array_equal(y[:, :, 0], np.cumsum(bits, axis=0) % 2)
