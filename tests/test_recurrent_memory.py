"""What a layer is given stays the user's: any memory layout is taken, nothing is changed or kept by reference."""

import numpy as np
import pytest
from helpers import DEVICES, random_state, randomise

from rnnbench import Recurrent

T, B, I, H = 5, 4, 3, 6


@pytest.fixture(params=DEVICES)
def layer(request):
    return randomise(Recurrent("skip", I, H, dtype="float64", device=request.param))


def arguments(layer):
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=(T, B, I)),
        "state": random_state(layer, B),
        "lengths": np.array([3, 5, 0, 4]),
        "feed": {"h": (rng.normal(size=(T, B, H)), rng.random((T, B)) < 0.3)},
        "dy": rng.normal(size=(T, B, H)),
        "dstate": random_state(layer, B, seed=5),
    }


def leaves(value):
    """All arrays of nested dicts and tuples."""
    if isinstance(value, np.ndarray):
        return [value]
    return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]


def mapped(value, change):
    """Nested dicts and tuples with every array changed."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(part, change) for key, part in value.items()}
    return tuple(mapped(part, change) for part in value)


def run(layer, given, between=lambda: None, **options):
    layer.zero_grad()
    use = ("x", "state", "lengths", "feed")
    y, final = layer.forward(**{key: given[key] for key in use if key in given}, **options)
    results = [y.copy(), *(v.copy() for v in final.values())]
    between()
    dx, dstate = layer.backward(given["dy"], given["dstate"])
    return [*results, dx, *dstate.values(), *(g.copy() for g in layer.grads.values())]


def strided(a):
    """The same values, every second element of a larger array, axes running backwards."""
    big = np.empty([2 * n for n in a.shape], a.dtype)
    view = big[tuple(slice(None, None, -2) for _ in a.shape)]
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def unaligned(a):
    """The same values at an odd address."""
    buffer = np.empty(a.nbytes + 1, np.uint8)[1:]
    view = buffer.view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


@pytest.mark.parametrize("change", [strided, read_only, unaligned, np.asfortranarray], ids=lambda f: f.__name__)
@pytest.mark.parametrize("ragged", [True, False])
def test_any_memory_layout_is_taken_and_left_as_it_was(layer, change, ragged):
    given = arguments(layer)
    if not ragged:
        del given["lengths"]
    changed = mapped(given, change)
    for got, expected in zip(run(layer, changed), run(layer, given), strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(leaves(changed), leaves(given), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ragged", [True, False, "sorted"])
@pytest.mark.parametrize("which", ["x", "state", "feed", "lengths", "y and final state", "params"])
def test_what_changes_after_forward_does_not_reach_backward(layer, which, ragged):
    given = arguments(layer)
    if ragged == "sorted":  # no copy is made to put them in order
        given["lengths"] = np.array([5, 4, 3, 0])
    elif not ragged:
        del given["lengths"]
    expected = run(layer, given)
    original = {key: value.copy() for key, value in layer.params.items()}

    def spoil():
        touched = layer.params if which == "params" else given.get(which, {})
        for array in leaves(touched):
            array[...] = ~array if array.dtype == bool else 3

    if which == "y and final state":
        y, final = layer.forward(**{k: given[k] for k in ("x", "state", "lengths", "feed") if k in given})
        for array in [y, *final.values()]:
            array[...] = 3
        layer.zero_grad()
        dx, dstate = layer.backward(given["dy"], given["dstate"])
        got = [*expected[:2], dx, *dstate.values(), *layer.grads.values()]
    else:
        got = run(layer, given, spoil)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for key, value in original.items():
        layer.params[key][...] = value


@pytest.mark.parametrize("lengths", [None, [3, 5, 0, 4], [5, 4, 3, 0]], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_results_share_no_memory_with_arguments_or_each_other(layer, lengths, reverse):
    given = arguments(layer)
    y, final = layer.forward(given["x"], given["state"], lengths=lengths, reverse=reverse)
    dx, dstate = layer.backward(given["dy"], given["dstate"])
    results = [y, dx, *final.values(), *dstate.values()]
    everything = [*results, *leaves(given), *layer.params.values(), *layer.grads.values()]
    for i, result in enumerate(results):
        for j, other in enumerate(everything):
            assert i == j or not np.shares_memory(result, other), f"results {i} and {j}"
        assert result.flags.writeable and result.flags.c_contiguous


def test_a_layer_of_no_steps_returns_copies(layer):
    start = random_state(layer, B)
    _, final = layer.forward(np.zeros((0, B, I)), start)
    assert not np.shares_memory(final["h"], start["h"])
    _, dstate = layer.backward(None, start)
    assert not np.shares_memory(dstate["h"], start["h"])
