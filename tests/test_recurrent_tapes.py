"""Tapes and gradients of a layer: accumulation, several tapes, their misuse, inference, frozen weights."""

from contextlib import ExitStack

import numpy as np
import odd_cells
import pytest
from helpers import DEVICES, assert_close, random_state
from small_layer import B, H, data, make

from rnnbench import cells


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


def copied(grads):
    return {key: value.copy() for key, value in grads.items()}


def assert_equal_dicts(got, expected):
    assert got.keys() == expected.keys()
    for key in expected:
        np.testing.assert_array_equal(got[key], expected[key], err_msg=str(key))


def test_gradients_accumulate_until_they_are_zeroed(device):
    layer = make(device=device)
    x, dy = data(layer)
    layer.forward(x)
    layer.backward(dy)
    once = copied(layer.grads)
    layer.forward(x)
    layer.backward(dy)
    for key, value in once.items():
        assert_close(layer.grads[key], 2 * value, 1e-14, key)
    views = dict(layer.grads)
    layer.zero_grad()
    assert all(layer.grads[key] is view and not view.any() for key, view in views.items())


def test_a_gradient_of_none_is_zero(device):
    layer = make(device=device)
    x, dy = data(layer)
    _, final = layer.forward(x)
    results = []
    for gradient in (None, np.zeros_like(dy)):
        layer.zero_grad()
        layer.forward(x)
        results.append((*layer.backward(gradient, final), copied(layer.grads)))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert_equal_dicts(results[0][1], results[1][1])
    assert_equal_dicts(results[0][2], results[1][2])
    assert results[0][0].any()
    layer.forward(x, outputs="last")
    assert not layer.backward(None)[0].any()


def test_some_of_the_states_may_be_given(device):
    layer = make(device=device)
    x, _ = data(layer)
    c = random_state(layer, B)["c"]
    both, _ = layer.forward(x, {"h": np.zeros((B, H)), "c": c})
    np.testing.assert_array_equal(layer.forward(x, {"c": c})[0], both)
    np.testing.assert_array_equal(layer.forward(x, {})[0], layer.forward(x)[0])
    one = layer.backward(None, {"c": c})[0]
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(None, {"c": c, "h": np.zeros((B, H))})[0], one)


def test_several_tapes_in_any_order(device):
    layer = make(device=device)
    inputs = [data(layer, steps, seed=steps) for steps in (2, 5, 3)]
    alone = []
    for x, dy in inputs:
        layer.zero_grad()
        layer.forward(x)
        alone.append((layer.backward(dy)[0], copied(layer.grads)))
    layer.zero_grad()
    tapes = [layer.forward(x, tape=True)[2] for x, _ in inputs]
    for i in (1, 2, 0):
        np.testing.assert_array_equal(layer.backward(inputs[i][1], tape=tapes[i])[0], alone[i][0])
    for key in layer.grads:
        assert_close(layer.grads[key], sum(grads[key] for _, grads in alone), 1e-14, key)


def test_backward_needs_a_tape_that_was_not_used():
    layer = make()
    x, dy = data(layer)
    with pytest.raises(RuntimeError, match="no tape, expected a forward pass first"):
        layer.backward(dy)
    layer.forward(x)
    layer.backward(dy)
    with pytest.raises(RuntimeError, match="backward"):
        layer.backward(dy)
    _, _, tape = layer.forward(x, tape=True)
    with pytest.raises(RuntimeError, match="no tape"):
        layer.backward(dy)
    layer.backward(dy, tape=tape)
    with pytest.raises(RuntimeError, match="this tape was used before"):
        layer.backward(dy, tape=tape)
    layer.forward(x, tape=False)
    with pytest.raises(RuntimeError, match=r"no tape.*not with tape=False"):
        layer.backward(dy)


def test_a_forward_without_tape_forgets_the_tape_before():
    layer = make()
    x, dy = data(layer)
    layer.forward(x)
    layer.forward(x, tape=False)
    with pytest.raises(RuntimeError, match="no tape"):
        layer.backward(dy)


def test_a_tape_goes_back_through_its_own_layer_only():
    layer, other = make(), make("lstm", H=H)
    x, dy = data(layer)
    _, _, tape = layer.forward(x, tape=True)
    with pytest.raises((ValueError, RuntimeError), match="tape"):
        other.backward(dy, tape=tape)


def test_a_wrong_gradient_does_not_use_the_tape_up():
    layer = make()
    x, dy = data(layer)
    layer.forward(x)
    for wrong in ({"dy": dy[1:]}, {"dy": dy, "dstate": {"k": dy[0]}}, {"dy": dy, "truncate": 0}):
        with pytest.raises(ValueError):
            layer.backward(**wrong)
    assert not any(g.any() for g in layer.grads.values())
    assert layer.backward(dy)[0].any()


def test_inference_gives_the_same_bits_as_training(device):
    layer = make(device=device)
    x, _ = data(layer)
    y, final = layer.forward(x, tape=False)
    trained, trained_final, _ = layer.forward(x, tape=True)
    np.testing.assert_array_equal(y, trained)
    assert_equal_dicts(final, trained_final)


@pytest.mark.parametrize("name", [*cells.names(), odd_cells.antisymmetric])
def test_frozen_gives_the_same_and_makes_the_parameters_read_only(name, device):
    layer = make(name if isinstance(name, str) else name(), device)
    x, dy = data(layer)
    y, _ = layer.forward(x)
    dx, _ = layer.backward(dy)
    grads = copied(layer.grads)
    layer.zero_grad()
    with layer.frozen() as same:
        assert same is layer
        for value in layer.params.values():
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0
        for _ in range(2):
            np.testing.assert_array_equal(layer.forward(x)[0], y)
        np.testing.assert_array_equal(layer.backward(dy)[0], dx)
    assert_equal_dicts(layer.grads, grads)
    for value in layer.params.values():
        value[...] = 0
    assert not np.array_equal(layer.forward(x)[0], y), "the new weights are in use again"


def test_frozen_ends_with_an_exception_and_keeps_what_was_read_only():
    layer = make()
    layer.params["bias"].flags.writeable = False
    with pytest.raises(ZeroDivisionError), layer.frozen():
        raise ZeroDivisionError
    assert not layer.params["bias"].flags.writeable
    layer.params["weight_hh"][...] = 0
    x, _ = data(layer)
    assert np.isfinite(layer.forward(x)[0]).all()


def test_frozen_within_frozen():
    layer = make()
    x, _ = data(layer)
    y, _ = layer.forward(x)
    with layer.frozen():
        with layer.frozen():
            np.testing.assert_array_equal(layer.forward(x)[0], y)
        assert not layer.params["bias"].flags.writeable
        np.testing.assert_array_equal(layer.forward(x)[0], y)
    layer.params["bias"][...] = 0


def test_frozen_blocks_nest():
    layer = make()
    x, _ = data(layer)
    with layer.frozen():
        with layer.frozen():
            pass
        assert layer._frozen is not None
        assert not layer.params["weight_hh"].flags.writeable
        layer.forward(x)
    assert layer._frozen is None and layer.params["weight_hh"].flags.writeable


def test_frozen_blocks_may_end_in_any_order():
    """As they do in threads that write text with one network: the last to go must not leave old weights behind."""
    layer = make()
    x, _ = data(layer)
    first, second = ExitStack(), ExitStack()
    first.enter_context(layer.frozen())
    second.enter_context(layer.frozen())
    first.close()
    assert not layer.params["bias"].flags.writeable
    before, _ = layer.forward(x)
    second.close()
    layer.params["bias"][...] += 1
    assert (layer.forward(x)[0] != before).all()


def test_frozen_layers_may_share_parameters():
    one, other = make(), make()
    other.params["bias"] = one.params["bias"]
    first, second = ExitStack(), ExitStack()
    first.enter_context(one.frozen())
    second.enter_context(other.frozen())
    first.close()
    second.close()
    one.params["bias"][...] = 0
