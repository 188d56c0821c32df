"""What the contract offers beyond the textbook cells, shown on the small cells of odd_cells.py."""

import gradients
import numpy as np
import odd_cells
import pytest
from helpers import DEVICES, assert_close, problem, random_state, randomise

from rnnbench import Recurrent, cells
from rnnbench.kernels import reference

MAKERS = {make.__name__: make for make in odd_cells.ALL}


def layer_for(cell, device="reference", I=2, H=3, dtype="float64", **options):
    return randomise(Recurrent(cell, I, H, dtype=dtype, device=device, **options))


def central(layer, value, run, h=1e-6):
    """The gradient of ``run()`` by an array that is edited in place."""
    gradient = np.zeros_like(value)
    for at in np.ndindex(value.shape):
        kept = value[at]
        value[at] = kept + h
        above = run()
        value[at] = kept - h
        below = run()
        value[at] = kept
        gradient[at] = (above - below) / (2 * h)
    return gradient


DIFFERENTIABLE = [name for name in MAKERS if name != "clock"]  # a clock takes no gradient, by declaration


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@pytest.mark.parametrize("options", [{}, {"feed": True}, {"I": 0}], ids=str)
def test_the_gradient_of_every_odd_cell(name, options):
    found = gradients.errors(gradients.check_problem(MAKERS[name](), **options))
    assert found and all(error < 1e-10 for error in found.values()), found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_through_the_layer(name, device):
    layer = layer_for(MAKERS[name](), device)
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(5, 3, 2)), rng.normal(size=(5, 3, layer.output_size))
    lengths, dstate = [3, 5, 1], random_state(layer, 3)

    def loss():
        y, final = layer.forward(x, lengths=lengths, tape=False)
        return (y * dy).sum() + sum((final[k] * dstate[k]).sum() for k in final)

    layer.forward(x, lengths=lengths)
    dx, _ = layer.backward(dy, dstate)
    for key, value in layer.params.items():
        assert_close(layer.grads[key], central(layer, value, loss), 1e-7, key)
        assert not value.size or np.any(layer.grads[key]), f"{key}: the check would pass on zeros"
    assert_close(dx, central(layer, x, loss), 1e-7, "dx")


def test_a_weight_map_gives_the_matrix_that_is_used():
    layer = layer_for(odd_cells.antisymmetric())
    w = layer.params["weight_hh"]
    used = w - w.T - odd_cells.GAMMA * np.eye(3)
    plain = layer_for("elman")
    for key in plain.params:
        plain.params[key][...] = layer.params[key] if key != "weight_hh" else used
    x = np.random.default_rng(0).normal(size=(4, 2, 2))
    assert_close(layer.forward(x)[0], plain.forward(x)[0], 1e-14, "y")
    dy = np.random.default_rng(1).normal(size=(4, 2, 3))
    layer.backward(dy)
    plain.backward(dy)
    of_used = plain.grads["weight_hh"]
    assert_close(layer.grads["weight_hh"], of_used - of_used.T, 1e-14, "the gradient by the free matrix")
    assert_close(layer.grads["weight_ih"], plain.grads["weight_ih"], 1e-14, "a matrix that the map leaves alone")


def test_a_weight_map_sees_a_copy_and_the_gradient_is_by_the_old_weights():
    layer = layer_for(odd_cells.squared_weights())
    x, dy = np.ones((3, 1, 2)), np.ones((3, 1, 3))
    layer.forward(x)
    layer.backward(dy)
    expected = layer.grads["weight_hh"].copy()
    layer.zero_grad()
    layer.forward(x)
    layer.params["weight_hh"][...] = 7
    layer.backward(dy)
    np.testing.assert_array_equal(layer.grads["weight_hh"], expected)


@pytest.mark.parametrize("device", DEVICES)
def test_a_learned_start_is_used_unless_a_state_is_given(device):
    layer = layer_for(odd_cells.learned_start(), device)
    x, dy = np.ones((2, 3, 2)), np.ones((2, 3, 3))
    start = np.broadcast_to(layer.params["initial_h"], (3, 3)).copy()
    y, _ = layer.forward(x)
    _, dstate = layer.backward(dy)
    assert_close(layer.grads["initial_h"], dstate["h"].sum(axis=0), 1e-14, "summed over the rows")
    layer.zero_grad()
    given, _ = layer.forward(x, {"h": start})
    layer.backward(dy)
    np.testing.assert_array_equal(given, y)
    assert not layer.grads["initial_h"].any(), "the parameter was not in use"
    constant, _ = layer.forward(x, {"c": np.full((3, 3), -1.5)})
    np.testing.assert_array_equal(constant, y)


def test_a_learned_start_of_a_lagged_state_fills_its_whole_past():
    layer = layer_for(odd_cells.learned_lagged())
    start = np.broadcast_to(layer.params["initial_h"], (3, 2, 3)).copy()
    x = np.ones((4, 2, 2))
    np.testing.assert_array_equal(layer.forward(x)[0], layer.forward(x, {"h": start})[0])
    layer.backward(np.ones((4, 2, 3)))
    layer.zero_grad()
    layer.forward(x)
    _, dstate = layer.backward(np.ones((4, 2, 3)))
    assert_close(layer.grads["initial_h"], dstate["h"].sum(axis=(0, 1)), 1e-14)


def test_no_gradient_enters_or_leaves_a_clock():
    for make in (odd_cells.clock, odd_cells.late_clock):
        p = problem(make(), T=5, B=2, I=2, H=3)
        results = p.both(reference)
        assert not results["d state phase"].any()
        assert results["dx"].any()
        without = problem(make(), T=5, B=2, I=2, H=3)
        without.dstate["phase"][...] = 0
        for name, value in without.both(reference).items():
            np.testing.assert_array_equal(value, results[name], err_msg=f"{name} depends on the phase's dstate")


@pytest.mark.parametrize("device", DEVICES)
def test_a_clock_is_a_constant_to_the_gradient(device):
    layer = layer_for(odd_cells.clock(), device)
    x = np.random.default_rng(0).normal(size=(5, 2, 2))
    dy = np.random.default_rng(1).normal(size=(5, 2, 3))
    y, _ = layer.forward(x)
    dx, dstate = layer.backward(dy)
    assert not dstate["phase"].any()
    grads = {key: value.copy() for key, value in layer.grads.items()}

    # By hand: the same layer with the phase as a given sequence.
    before = np.concatenate([np.zeros((1, 2, 3)), y[:-1]])
    phase = 1 + np.cumsum(1 - before**2, axis=0)
    factor = np.where(phase < 2.5, 1.0, 0.5) / (1 + np.exp(-phase))
    dh, by_hand = np.zeros((2, 3)), np.zeros((3, 3))
    for t in reversed(range(5)):
        v = y[t] / factor[t]
        da = (dy[t] + dh) * factor[t] * (1 - v**2)
        by_hand += da.T @ before[t]
        assert_close(dx[t], da @ layer.params["weight_ih"], 1e-13, f"dx at {t}")
        dh = da @ layer.params["weight_hh"]
    assert_close(grads["weight_hh"], by_hand, 1e-13, "weight_hh")


@pytest.mark.parametrize("device", DEVICES)
def test_a_clock_counts(device):
    layer = layer_for(odd_cells.clock(), device)
    for value in layer.params.values():
        value[...] = 0
    _, final = layer.forward(np.zeros((4, 1, 2)))
    np.testing.assert_array_equal(final["phase"], np.full((1, 3), 5.0))


def test_unit_parameters_start_where_the_cell_says_and_fixed_ones_take_no_gradient():
    for trained in (True, False):
        layer = Recurrent("leaky", 2, 3, device="reference", alpha=0.25, trained=trained)
        np.testing.assert_array_equal(layer.params["alpha"], np.full(3, 0.25, np.float32))
        x = np.ones((3, 2, 2), np.float32)
        layer.forward(x)
        layer.backward(np.ones((3, 2, 3), np.float32))
        assert layer.grads["alpha"].any() == trained
    assert np.all(Recurrent(odd_cells.gateless(), 2, 3, device="reference").params["peep"] == 1)


@pytest.mark.parametrize("name", ["unbiased", "no_bias_at_all"])
def test_gates_without_a_bias(name):
    layer = Recurrent(MAKERS[name](), 2, 3, device="reference")
    rows = {"unbiased": 3, "no_bias_at_all": 0}[name]
    assert layer.params["bias"].shape == (rows,)
    y, _ = layer.forward(np.ones((2, 2, 2), np.float32))
    layer.backward(np.ones_like(y))
    with pytest.raises(ValueError):
        layer.gate_bias("h")


def test_teacher_forcing_cuts_the_gradient_and_adds_up_from_single_steps():
    layer = layer_for("jordan", output_size=2)
    rng = np.random.default_rng(0)
    x, target, dy = rng.normal(size=(5, 3, 2)), rng.normal(size=(5, 3, 2)), rng.normal(size=(5, 3, 2))
    y, _ = layer.forward(x, feed={"y": (target, np.ones(5, bool))})
    dx, dstate = layer.backward(dy)
    whole = {key: value.copy() for key, value in layer.grads.items()}
    assert not dstate["y"].any(), "the given start was replaced by what was fed"
    layer.zero_grad()
    for t in range(5):
        one, _ = layer.forward(x[t : t + 1], {"y": target[t]})
        assert_close(one[0], y[t], 1e-14, f"y at {t}")
        assert_close(layer.backward(dy[t : t + 1])[0][0], dx[t], 1e-14, f"dx at {t}")
    for key in whole:
        assert_close(layer.grads[key], whole[key], 1e-13, key)


def test_a_fed_position_blocks_exactly_its_own_path():
    layer = layer_for("jordan", output_size=2)
    x, target = np.ones((4, 2, 2)), np.full((4, 2, 2), 0.3)
    mask = np.zeros((4, 2), bool)
    mask[2, 1] = True
    layer.forward(x, feed={"y": (target, mask)})
    dy = np.zeros((4, 2, 2))
    dy[3] = 1  # the loss looks at the last step only
    dx, dstate = layer.backward(dy)
    assert not dx[:2, 1].any() and dx[2:, 1].any(), "row 1 is cut before step 2"
    assert dx[:, 0].any(axis=1).all(), "row 0 is not"
    assert dstate["y"][0].any() and not dstate["y"][1].any()


@pytest.mark.parametrize("cell", cells.names())
def test_feeding_what_would_be_read_anyway_changes_values_nowhere(cell):
    layer = layer_for(cell)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3, 2))
    y, final = layer.forward(x)
    if layer.cell.output not in layer.layout.states:
        pytest.skip("the output is no state")
    width = layer.output_size
    before = np.concatenate([np.zeros((1, 3, width)), y[:-1]])
    fed, fed_final = layer.forward(x, feed={layer.cell.output: (before, rng.random((5, 3)) < 0.5)})
    assert_close(fed, y, 1e-13, "y")
    for name in final:
        assert_close(fed_final[name], final[name], 1e-13, name)


def test_a_fed_value_stays_in_the_past_of_a_lagged_state():
    layer = layer_for("skip", delay=3, activation="linear", bias=False)
    for value in layer.params.values():
        value[...] = 0
    layer.params["weight_h@3"][...] = np.eye(3)  # h_t = h_(t-3)
    fed = np.zeros((6, 1, 3))
    fed[2] = [1, 2, 3]  # what step 2 reads as h_1
    y, final = layer.forward(np.zeros((6, 1, 2)), feed={"h": (fed, np.arange(6) == 2)})
    np.testing.assert_array_equal(y[4, 0], [1, 2, 3])
    assert not y[[0, 1, 2, 3, 5]].any()
    np.testing.assert_array_equal(final["h"][:, 0], y[3:, 0])


@pytest.mark.parametrize("delay", [2, 3, 4])
def test_a_delay_reaches_exactly_so_far(delay):
    layer = layer_for("skip", delay=delay, activation="linear", bias=False)
    layer.params["weight_hh"][...] = 0
    layer.params["weight_ih"][...] = np.eye(3, 2)
    layer.params[f"weight_h@{delay}"][...] = 2 * np.eye(3)
    x = np.zeros((2 * delay + 1, 1, 2))
    x[0] = 1
    y, _ = layer.forward(x)
    np.testing.assert_array_equal(y[:, 0, 0], [2.0 ** (t // delay) * (t % delay == 0) for t in range(2 * delay + 1)])
