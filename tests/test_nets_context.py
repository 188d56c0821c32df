"""Vector to sequence: each way in against a recurrent layer given the same by hand, and the gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers.vector_to_sequence import VectorToSequence

T, B, C, I, H = 4, 3, 2, 2, 3
LENGTHS = np.array([4, 2, 0])


def draw(*lead, dtype="float64", inputs=I):
    rng = np.random.default_rng(1)
    shapes = (*lead, B, C), (*lead, T, B, inputs)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def make(context, cell="lstm", seed=0, dtype="float64", inputs=I, device="reference"):
    return VectorToSequence(C, inputs, H, context=context, cell=cell, dtype=dtype, device=device, seed=seed)


@pytest.mark.parametrize("context", ["input", "state", "both"])
@pytest.mark.parametrize("cell", ["lstm", "delayed", "clockwork"])
def test_it_is_the_layer_with_the_context_put_in_by_hand(context, cell):
    layer = make(context, cell)
    vector, x = draw()
    y, final = layer.forward((vector, x), lengths=LENGTHS)
    state = {}
    for name, part in layer.parts.items():
        if name != "recurrent":
            flat = vector @ part.params["weight"].T + part.params["bias"]
            lag = part.output_size // H
            state[name.removeprefix("initial_")] = flat if lag == 1 else np.stack(np.split(flat, lag, axis=1))
    if context != "state":
        x = np.concatenate([x, np.stack([vector] * T)], axis=-1)
    assert bool(state) == (context != "input")
    expected, expected_final = layer.parts["recurrent"].forward(x, state, lengths=LENGTHS)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert all(np.allclose(final[k], v, rtol=1e-12) for k, v in expected_final.items())


@pytest.mark.parametrize("context", ["input", "state", "both"])
@pytest.mark.parametrize(("cell", "device"), [("lstm", "cpu"), ("skip", "reference")])
def test_gradients(context, cell, device):
    layer = randomise(make(context, cell, device=device))
    check_gradients(layer, draw(), lengths=LENGTHS)


@pytest.mark.parametrize("context", ["state", "both"])
def test_gradients_without_other_inputs(context):
    check_gradients(randomise(make(context, inputs=0)), draw(inputs=0))


def test_a_state_that_is_given_goes_before_the_context():
    layer = make("both")
    vector, x = draw()
    state = {"c": np.ones((B, H))}
    y, _ = layer.forward((vector, x), state)
    assert np.abs(y - layer.forward((vector, x))[0]).max() > 1e-3
    check_gradients(layer, (vector, x), state)
    whole, final = layer.forward((vector, x))
    first, carried = layer.forward((vector, np.ascontiguousarray(x[:2])))
    second, carried = layer.forward((vector, np.ascontiguousarray(x[2:])), carried)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    np.testing.assert_array_equal(carried["c"], final["c"])


@pytest.mark.parametrize("context", ["input", "both"])
def test_replicas(context):
    check_replicas(lambda seed: make(context, seed=seed, dtype="float32", device="cpu"), draw(3, dtype="float32"))


@pytest.mark.parametrize("cell", ["lstm", "delayed"])
@pytest.mark.parametrize(("steps", "rows"), [(0, 3), (4, 0)])
def test_nothing_to_run(cell, steps, rows):
    layer = make("both", cell)
    y, _ = layer.forward((np.zeros((rows, C)), np.zeros((steps, rows, I))))
    (dcontext, dx), _ = layer.backward(y)
    assert dcontext.shape == (rows, C) and dx.shape == (steps, rows, I)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="context: got 'output', expected one of 'input', 'state', 'both'"):
        make("output")
    vector, x = draw()
    with pytest.raises(ValueError, match="inputs: got 3 rows, expected 2 as in context"):
        make("both").forward((vector[:2], x))
    with pytest.raises(ValueError, match=r"context: got shape \(4, 3, 2\), expected \(any, 2\)"):
        make("both").forward((x, x))
