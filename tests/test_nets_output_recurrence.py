"""Output recurrence: what is fed, that steps under teacher forcing are apart, and the gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench import Recurrent
from rnnbench.layers.output_recurrence import OutputRecurrence

T, B, I, H, O = 5, 4, 2, 3, 2
LENGTHS = np.array([5, 2, 0, 3])
CELLS = ["jordan", "output_hidden"]


def make(cell="jordan", epsilon=1.0, seed=0, dtype="float64", device="reference", **options):
    return OutputRecurrence(I, H, O, cell=cell, epsilon=epsilon, seed=seed, dtype=dtype, device=device, **options)


def draw(*lead, dtype="float64"):
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=(*lead, T, B, size)).astype(dtype) for size in (I, O))


def fed_by_hand(layer, x, target, mask, state, lengths, dy, dstate):
    """The recurrent layer alone, with `feed`."""
    recurrent = layer.parts["recurrent"]
    before = np.concatenate([np.zeros_like(target[:1]), target[:-1]])
    y, final = recurrent.forward(x, state, lengths=lengths, feed={"y": (before, mask)})
    dx, dinitial = recurrent.backward(dy, dstate)
    grads = {key: grad.copy() for key, grad in recurrent.grads.items()}
    recurrent.zero_grad()
    return y, final, dx, dinitial, grads


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_teacher_forcing_feeds_the_targets(cell, lengths, device):
    layer, rng = make(cell, device=device), np.random.default_rng(3)
    x, target = draw()
    state, dy = {"y": rng.normal(size=(B, O))}, rng.normal(size=(T, B, O))
    dstate = {"y": rng.normal(size=(B, O))}
    mask = np.ones((T, B), bool)
    mask[0] = False
    expected = fed_by_hand(layer, x, target, mask, state, lengths, dy, dstate)
    y, final = layer.forward((x, target), state, lengths=lengths)
    (dx, dtarget), dinitial = layer.backward(dy, dstate)
    assert dtarget is None
    if device == "cpu":
        np.testing.assert_array_equal(y, expected[0])
    assert layer.gradients().keys() == {f"recurrent.{key}" for key in expected[4]}
    found, known = (y, dx, *layer.gradients().values()), (expected[0], expected[2], *expected[4].values())
    for got, wanted in zip(found, known, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-13)
    for got, wanted in ((final, expected[1]), (dinitial, expected[3])):
        assert got.keys() == wanted.keys()
        for key in got:
            np.testing.assert_allclose(got[key], wanted[key], rtol=1e-11, atol=1e-13)


def test_the_gradient_under_teacher_forcing_is_the_sum_of_those_of_single_steps():
    layer = make()
    x, target = draw()
    before = np.concatenate([np.zeros((1, B, O)), target[:-1]])
    dy = np.random.default_rng(2).normal(size=(T, B, O))
    layer.forward((x, target))
    layer.backward(dy)
    whole = {key: grad.copy() for key, grad in layer.gradients().items()}
    layer.zero_grad()
    for t in range(T):
        layer.forward(x[t : t + 1], {"y": before[t]})
        layer.backward(dy[t : t + 1])
    for key, grad in layer.gradients().items():
        np.testing.assert_allclose(whole[key], grad, rtol=1e-12, atol=1e-14)
    layer.zero_grad()
    layer.forward(x)
    layer.backward(dy)
    assert any(np.abs(whole[key] - grad).max() > 1e-3 for key, grad in layer.gradients().items())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_the_ends_of_scheduled_sampling(cell, device):
    x, target = draw()
    outcomes = {}
    for name, epsilon, data in (("one", 1, (x, target)), ("zero", 0, (x, target)), ("free", 0.5, x)):
        layer = make(cell, epsilon, device=device)
        y, _ = layer.forward(data, lengths=LENGTHS)
        dx, _ = layer.backward(np.ones_like(y))
        outcomes[name] = [y, dx if name == "free" else dx[0], *layer.gradients().values()]
    forced = make(cell, 0.5, device=device)
    forced.epsilon = 1.0
    y, _ = forced.forward((x, target), lengths=LENGTHS)
    dx, _ = forced.backward(np.ones_like(y))
    for one, again in zip(outcomes["one"], [y, dx[0], *forced.gradients().values()], strict=True):
        np.testing.assert_array_equal(one, again)
    for zero, free in zip(outcomes["zero"], outcomes["free"], strict=True):
        np.testing.assert_array_equal(zero, free)
    assert np.abs(outcomes["one"][0] - outcomes["free"][0]).max() > 1e-2


def test_scheduled_sampling_feeds_the_share_it_should():
    layer = OutputRecurrence(1, 1, 1, epsilon=0.3, dtype="float64", device="reference", activation="linear")
    p = layer.parts["recurrent"].params
    for value in p.values():
        value[...] = 0
    layer.parts["recurrent"].blocks["h", "y"][...] = 1  # y_t is what it read, so targets of 1 mark what was fed
    layer.parts["recurrent"].blocks["y", "h@0"][...] = 1
    layer.parts["recurrent"].blocks["h", "x"][...] = -1
    steps, rows = 2, 4000
    y, _ = layer.forward((np.zeros((steps, rows, 1)), np.ones((steps, rows, 1))))
    assert not y[0].any() and abs(y[1].mean() - 0.3) < 4 * np.sqrt(0.21 / rows)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(cell, lengths):
    x, target = draw()
    rng = np.random.default_rng(4)
    state = {"y": rng.normal(size=(B, O))} | ({"h": rng.normal(size=(B, H))} if cell == "output_hidden" else {})
    check_gradients(randomise(make(cell)), (x, target), state, lengths=lengths, constant=("dx.1",))
    check_gradients(randomise(make(cell)), x, state, lengths=lengths)


def test_gradients_of_a_draw():
    class Still(OutputRecurrence):
        def _forward(self, *args):
            self.random = [np.random.default_rng(11)]
            return super()._forward(*args)

    layer = randomise(Still(I, H, O, epsilon=0.5, dtype="float64", device="reference"))
    check_gradients(layer, draw(), constant=("dx.1",))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("epsilon", [0, 1])
def test_replicas(cell, epsilon):
    def make_one(seed):
        return make(cell, epsilon, seed, "float32", "cpu")

    check_replicas(make_one, draw(3, dtype="float32"), lengths=LENGTHS)


def test_padding_is_never_read():
    layer = make(device="cpu")
    x, target = draw()
    y, _ = layer.forward((x, target), lengths=LENGTHS)
    for values in (x, target):
        for b, length in enumerate(LENGTHS):
            values[length:, b] = np.nan
    np.testing.assert_array_equal(layer.forward((x, target), lengths=LENGTHS)[0], y)
    assert not y[2:, 1].any()


def test_it_runs_as_many_steps_at_once_as_there_are(monkeypatch):
    seen = []
    plain = Recurrent.forward
    monkeypatch.setattr(Recurrent, "forward", lambda self, x, *a, **k: seen.append(x.shape) or plain(self, x, *a, **k))
    make().forward(draw(), lengths=LENGTHS)
    make("output_hidden").forward(draw(), lengths=LENGTHS)
    assert seen == [(1, LENGTHS.sum(), I), (T, B, I)]


def test_bad_arguments_are_refused():
    for epsilon in (-0.1, 1.1, "half", True, np.nan):
        with pytest.raises(ValueError, match=r"epsilon: got .*, expected a number from 0 to 1"):
            make(epsilon=epsilon)
    with pytest.raises(ValueError, match="expected 0 or 1 with replicas"):
        make(epsilon=0.5, seed=[0, 1])
    with pytest.raises(ValueError, match="cell: got 'lstm'"):
        make("lstm")
    x, target = draw()
    with pytest.raises(ValueError, match=r"target: got shape \(4, 4, 2\), expected \(5, 4, 2\)"):
        make().forward((x, target[1:]))
    with pytest.raises(ValueError, match="dstate: got"):
        layer = make()
        layer.forward((x, target))
        layer.backward(None, {"h": np.zeros((B, H))})
