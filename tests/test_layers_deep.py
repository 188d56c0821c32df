"""Deep and bidirectional networks: against the layers by hand, gradients, replicas."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers import MLP, Bidirectional, Dense, Recurrent, Skip, Stack, ThreeBlocks

T, B, I, H, O = 4, 3, 2, 3, 2
LENGTHS = np.array([4, 2, 0])


def draw(*shape, dtype="float64", seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def reversed_rows(x, lengths):
    """Each row the other way round within its length, row by row."""
    out = np.zeros_like(x)
    for row, length in enumerate(lengths):
        out[:length, row] = x[:length, row][::-1]
    return out


SHARED = {"dtype": "float64", "device": "reference"}
MAKES = {
    "concat": lambda **o: Bidirectional("lstm", I, H, **o),
    "sum, last": lambda **o: Bidirectional("gru", I, H, merge="sum", outputs="last", **o),
    "stack": lambda **o: Stack("lstm", I, H, layers=3, **o),
    "both ways, last": lambda **o: Stack("elman", I, H, bidirectional=True, outputs="last", **o),
    "skip": lambda **o: Skip.stacked("gru", I, H, layers=3, **o),
    "skip both ways": lambda **o: Skip.stacked("elman", I, H, bidirectional=True, **o),
    "blocks": lambda **o: ThreeBlocks(I, H, O, **o),
    "deep blocks with a shortcut": lambda **o: ThreeBlocks(I, H, O, depth=3, width=2, shortcut=True, **o),
}


@pytest.mark.parametrize("case", MAKES)
def test_gradients(case):
    layer = randomise(MAKES[case](**SHARED))
    state = layer.forward(draw(T, B, I), tape=False)[1]
    state = {name: _random(value) for name, value in state.items()}
    check_gradients(layer, draw(T, B, I), state, lengths=LENGTHS)
    check_gradients(layer, draw(T, B, I))


def _random(value):
    return {k: _random(v) for k, v in value.items()} if isinstance(value, dict) else draw(*value.shape)


@pytest.mark.parametrize("case", MAKES)
def test_a_replica_has_the_bits_it_has_alone(case):
    check_replicas(lambda seed: MAKES[case](seed=seed), draw(3, T, B, I, dtype="float32"), lengths=LENGTHS)


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_the_backward_layer_reads_each_row_from_its_own_end(merge):
    layer, x = Bidirectional("lstm", I, H, merge=merge, **SHARED), draw(T, B, I)
    x[np.arange(T)[:, None] >= LENGTHS] = np.nan
    y, final = layer.forward(x, lengths=LENGTHS)
    ahead, _ = layer.parts["forward"].forward(x, lengths=LENGTHS)
    back, _ = layer.parts["backward"].forward(reversed_rows(x, LENGTHS), lengths=LENGTHS)
    back = reversed_rows(back, LENGTHS)
    expected = np.concatenate([ahead, back], axis=-1) if merge == "concat" else ahead + back
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert list(final) == ["forward", "backward"] and y.shape[-1] == layer.output_size
    last = Bidirectional("lstm", I, H, merge=merge, outputs="last", **SHARED)
    ends = np.concatenate if merge == "concat" else lambda pair, axis: pair[0] + pair[1]
    expected = ends([final["forward"]["h"], final["backward"]["h"]], axis=-1)
    np.testing.assert_allclose(last.forward(x, lengths=LENGTHS)[0][:2], expected[:2], rtol=1e-12)


def test_a_stack_feeds_each_layer_with_the_one_below():
    stack, x = Stack("lstm", I, H, layers=3, dropout=0.5, outputs="last", **SHARED), draw(T, B, I)
    assert list(stack.parts) == ["layer1", "dropout1", "layer2", "dropout2", "layer3"]
    assert "layer3.weight_hh" in stack.parameters() and stack.parameters()["layer2.weight_ih"].shape == (4 * H, H)
    h = x
    for n in (1, 2, 3):
        h, _ = stack.parts[f"layer{n}"].parts["layer"].forward(h)
    np.testing.assert_array_equal(stack.forward(x, tape=False)[0], h[-1])
    dropped, _ = stack.forward(x)
    assert np.abs(dropped - h[-1]).max() > 1e-3


def test_all_layers_of_skip_see_x_and_are_seen():
    layer, x = Skip.stacked("gru", I, H, layers=3, **SHARED), draw(T, B, I)
    hs = []
    for part in layer.parts.values():
        hs.append(part.forward(np.concatenate([x, *hs[-1:]], axis=-1))[0])
    np.testing.assert_array_equal(layer.forward(x)[0], np.concatenate(hs, axis=-1))
    dropped = Skip.stacked("gru", I, H, layers=3, dropout=0.5, **SHARED)
    assert len(dropped.generators()) == 2 and dropped.forward(x)[0].shape == (T, B, 3 * H)


def test_three_blocks_by_hand():
    net, x = randomise(ThreeBlocks(I, H, O, depth=2, width=5, shortcut=True, **SHARED)), draw(T, B, I)
    p, h, ys = net.parameters(), np.zeros((B, H)), []
    for t in range(T):
        below = np.tanh(x[t] @ p["input.0.weight"].T + p["input.0.bias"])
        z = np.tanh(below @ p["hidden.weight_ih"].T + h @ p["hidden.weight_hh"][:H].T + p["hidden.bias"][:H])
        h = np.tanh(z @ p["hidden.weight_z1@0"].T + h @ p["hidden.weight_hh"][H:].T + p["hidden.bias"][H:])
        above = np.tanh(h @ p["output.0.weight"].T + p["output.0.bias"])
        ys.append(above @ p["output.1.weight"].T + p["output.1.bias"])
    np.testing.assert_allclose(net.forward(x)[0], ys, rtol=1e-12)


def test_an_mlp_is_its_dense_layers():
    mlp = MLP(I, 4, 3, O, activation="relu", output_activation="sigmoid", dtype="float64")
    assert [part.activation for part in mlp.parts.values()] == ["relu", "relu", "sigmoid"]
    assert (mlp.input_size, mlp.output_size) == (I, O)
    with pytest.raises(ValueError, match=r"sizes: got \(3,\), expected two widths at least"):
        MLP(3)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Stack("lstm", I, H, layers=0), "layers: got 0, expected an integer >= 1"),
        (lambda: Stack("lstm", I, H, bidirectional=1), "bidirectional: got 1, expected one of True, False"),
        (lambda: Stack("lstm", I, H, layers=1, dropout=2), r"rate: got 2, expected a number in \[0, 1\)"),
        (lambda: Skip.stacked("lstm", I, H, dropout=None), r"rate: got None, expected a number in \[0, 1\)"),
        (lambda: Stack("lstm", I, H, outputs="first"), "outputs: got 'first', expected one of 'all', 'last'"),
        (lambda: Bidirectional("lstm", I, H, merge="mean"), "merge: got 'mean', expected one of 'concat', 'sum'"),
        (lambda: ThreeBlocks(I, H, O, depth=1), "depth: got 1, expected an integer >= 2"),
        (lambda: Skip(), "parts: got none"),
        (
            lambda: Skip(a=Dense(I, 5), b=Recurrent("gru", 5, H)),
            "part 'b' takes 5 numbers, but x has 2 and part 'a' gives 5, expected their sum",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_a_part_of_skip_that_answers_once_is_refused():
    layer = Skip.stacked("gru", I, H, outputs="last", dtype="float64", device="reference")
    with pytest.raises(ValueError, match=r"part 'layer1': gives \(3, 3\) for x of .*, expected one y at each step"):
        layer.forward(draw(4, 3, I))


@pytest.mark.parametrize("case", ["concat", "skip"])
def test_a_refused_backward_leaves_everything_as_it_was(case):
    layer = MAKES[case](**SHARED)
    y, final = layer.forward(draw(T, B, I))
    name = next(iter(final))
    with pytest.raises(ValueError, match=rf"dstate\['{name}'\]\['h'\]: got shape \(1, 1\)"):
        layer.backward(np.ones_like(y), {name: {"h": draw(1, 1)}})
    assert not any(grad.any() for grad in layer.gradients().values())
    layer.backward(np.ones_like(y))
