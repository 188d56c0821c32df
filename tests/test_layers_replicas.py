"""Replicas: many layers in one call, each with the bits that it has alone."""

from dataclasses import replace

import numpy as np
import pytest

from rnnbench import Recurrent, cells

STEPS, ROWS, INPUTS, HIDDEN = 7, 5, 3, 20
SEEDS = (3, 1, 4)


def draw(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def run(layer, x, dy, dstate, **options):
    y, state = layer.forward(x, **options)
    dx, dinitial = layer.backward(dy, dstate)
    return {"y": y, "dx": dx} | {f"state {k}": v for k, v in state.items()} | layer.grads | {
        f"initial {k}": v for k, v in dinitial.items()
    }  # fmt: skip


CASES = {
    "plain": ("lstm", {}, {}),
    "two stages": ("gru", {}, {}),
    "lag": ("skip", {}, {}),
    "weight map": ("orthogonal", {}, {}),
    "two biases": ("lstm", {"bias": "torch"}, {}),
    "unit parameters": ("lstm_peephole", {}, {}),
    "lengths": ("lstm", {}, {"lengths": np.array([2, 7, 0, 5, 7])}),
    "reverse": ("gru", {}, {"lengths": np.array([2, 7, 0, 5, 7]), "reverse": True}),
    "last": ("lstm", {}, {"lengths": np.array([2, 7, 0, 5, 7]), "outputs": "last"}),
    "checkpoint": ("skip", {}, {"checkpoint": 2}),
    "checkpoint, last": ("lstm", {}, {"checkpoint": 2, "outputs": "last"}),
}


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("case", CASES)
def test_a_replica_has_the_bits_it_has_alone(case, device):
    cell, build, options = CASES[case]
    rng = np.random.default_rng(0)
    together = Recurrent(cell, INPUTS, HIDDEN, device=device, seed=list(SEEDS), **build)
    x = draw(rng, len(SEEDS), STEPS, ROWS, INPUTS)
    dy = draw(rng, *together.forward(x, tape=False, **options)[0].shape)
    dstate = {k: draw(rng, *v.shape) for k, v in together.forward(x, tape=False)[1].items()}
    all_of_them = run(together, x, dy, dstate, **options)
    for r, seed in enumerate(SEEDS):
        alone = Recurrent(cell, INPUTS, HIDDEN, device=device, seed=seed, **build)
        own = run(alone, x[r], dy[r], {k: v[r] for k, v in dstate.items()}, **options)
        assert own.keys() == all_of_them.keys()
        for key, value in own.items():
            np.testing.assert_array_equal(all_of_them[key][r], value, err_msg=f"{key} of replica {r}")


PLACES = {
    "views of one buffer": lambda a: np.concatenate([a.reshape(len(a), -1)] * 2, axis=1)[:, : a[0].size],
    "last replica first": lambda a: a[::-1].copy()[::-1],
    "gaps": lambda a: np.repeat(a.reshape(len(a), -1), 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", ["two biases", "unit parameters", "two stages", "weight map"])
def test_replicas_of_a_parameter_may_lie_anywhere(case, place):
    cell, build, _ = CASES[case]
    plain, other = (Recurrent(cell, INPUTS, HIDDEN, seed=list(SEEDS), **build) for _ in range(2))
    rng = np.random.default_rng(0)
    x, dy = draw(rng, len(SEEDS), STEPS, ROWS, INPUTS), draw(rng, len(SEEDS), STEPS, ROWS, HIDDEN)
    run(other, x, dy, None)  # what is planned for one place is not for another
    for layer in (plain, other):
        layer.zero_grad()
    for arrays in (other.params, other.grads):
        for key, value in arrays.items():
            arrays[key] = PLACES[place](value).reshape(value.shape)
    given = dict(other.grads)
    for _ in range(2):
        expected, got = run(plain, x, dy, None), run(other, x, dy, None)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)
    assert all(other.grads[key] is value for key, value in given.items())


def test_each_replica_may_have_its_own_recipe_and_learned_start():
    cell = cells.get("elman")
    cell = replace(cell, vectors=tuple(replace(vector, initial="learned") for vector in cell.vectors))
    gains = ({"name": "identity", "gain": 0.5}, {"name": "identity", "gain": 2.0})
    layer = Recurrent(cell, 2, 4, seed=[0, 0], init=list(gains))
    assert [layer.blocks["h", "h"][r, 0, 0] for r in range(2)] == [0.5, 2.0]
    layer.params["initial_h"][:] = [[1.0], [-1.0]]
    y, state = layer.forward(np.zeros((2, 0, 3, 2), np.float32))
    np.testing.assert_array_equal(state["h"][:, 0, 0], [1, -1])
    layer.backward(np.zeros_like(y), {"h": np.ones((2, 3, 4), np.float32)})
    np.testing.assert_array_equal(layer.grads["initial_h"], np.full((2, 4), 3.0))


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ({"seed": []}, "seed"),
        ({"seed": [0, -1]}, "seed"),
        ({"seed": [0, 1], "init": ["uniform"]}, "init: got 1 recipes, expected one for each of 2 replicas"),
    ],
)
def test_bad_replicas_are_refused(build, told):
    with pytest.raises(ValueError, match=told):
        Recurrent("elman", 2, 4, **build)


def test_the_input_must_have_the_replica_axis():
    layer = Recurrent("elman", 2, 4, seed=[0, 1])
    with pytest.raises(ValueError, match=r"x: got shape \(3, 5, 2\), expected \(2, any, any, 2\)"):
        layer.forward(np.zeros((3, 5, 2), np.float32))


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_frozen_replicas(device):
    layer = Recurrent("lstm", INPUTS, HIDDEN, device=device, seed=list(SEEDS))
    x = draw(np.random.default_rng(0), len(SEEDS), STEPS, ROWS, INPUTS)
    expected, _ = layer.forward(x, tape=False)
    with layer.frozen():
        np.testing.assert_array_equal(layer.forward(x, tape=False)[0], expected)
