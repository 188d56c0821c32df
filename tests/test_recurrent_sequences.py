"""Ragged batches, reversal, chunks, truncation, teacher forcing: each equals what one would do by hand."""

import numpy as np
import pytest
from helpers import CASES, DEVICES, assert_close, random_state, randomise

from rnnbench import Recurrent, cells

B, I, H = 4, 3, 5
NAMES = cells.names()
# one step less than the delay, one step more, and no step at all
LAGGED = [c for c in CASES if c.cell in ("skip", "delayed") and dict(c.options).get("delay")]


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


def make(cell, device="reference", dtype="float64", **options):
    return randomise(Recurrent(cell, I, H, dtype=dtype, device=device, **options))


def data(layer, T, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(T, B, I)), rng.normal(size=(T, B, layer.output_size))


def run(layer, x, dy, state, dstate, truncate=None, **options):
    """Everything one forward and backward pass return, by name; the gradients are this pass's own."""
    layer.zero_grad()
    y, final = layer.forward(x, state, **options)
    dx, dinitial = layer.backward(dy, dstate, truncate=truncate)
    named = {"y": y, "dx": dx} | {f"final {k}": v for k, v in final.items()}
    return (
        named | {f"dstate {k}": v for k, v in dinitial.items()} | {f"d {k}": v.copy() for k, v in layer.grads.items()}
    )


def assert_all_close(got, expected, tolerance=1e-12):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert_close(got[key], value, tolerance, key)


def rows_of(state, row):
    return {key: np.ascontiguousarray(value[..., row : row + 1, :]) for key, value in state.items()}


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[2, 6, 0, 5], [6, 5, 2, 0], [2, 3, 0, 1]], ids=str)
def test_a_ragged_batch_is_its_rows_one_by_one(name, reverse, lengths, device):
    layer = make(name, device)
    x, dy = data(layer, max(lengths))
    state, dstate = random_state(layer, B), random_state(layer, B, seed=4)
    for row, length in enumerate(lengths):
        x[length:, row] = np.nan  # never read
        dy[length:, row] = np.nan
    whole = run(layer, x, dy, state, dstate, lengths=lengths, reverse=reverse)
    total = dict.fromkeys(layer.grads, 0.0)
    for row, length in enumerate(lengths):
        cut = (a[:length, row : row + 1] for a in (x, dy))
        one = run(layer, *cut, rows_of(state, row), rows_of(dstate, row), reverse=reverse)
        for key in ("y", "dx"):
            assert_close(whole[key][:length, row : row + 1], one[key], 1e-12, f"{key} of row {row}")
            assert not whole[key][length:, row].any(), f"{key} is 0 in the padding"
        for key in [k for k in one if k.startswith(("final", "dstate"))]:
            assert_close(whole[key][..., row : row + 1, :], one[key], 1e-12, f"{key} of row {row}")
        for key in total:
            total[key] = total[key] + one[f"d {key}"]
    for key, value in total.items():
        assert_close(whole[f"d {key}"], value, 1e-12, key)


@pytest.mark.parametrize("lengths", [[4, 1, 3, 0], [4, 3, 1, 0]], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_in_the_padding_of_a_feed_is_never_read(lengths, reverse, device):
    layer = make("lstm", device)
    x, dy = data(layer, 4)
    lengths = np.array(lengths)
    fed = np.ones((4, B, H))
    fed[np.arange(4)[:, None] >= lengths] = np.nan
    feed = {"h": (fed, np.ones(4, bool))}
    results = run(layer, x, dy, None, None, lengths=lengths, reverse=reverse, feed=feed)
    assert all(np.isfinite(v).all() for v in results.values())


def test_nan_in_the_input_comes_out_and_raises_nothing(device):
    layer = make("lstm", device)
    x, dy = data(layer, 5)
    clean, _ = layer.forward(x)
    x[2, 1, 0] = np.nan
    with np.errstate(all="raise"):
        y, final = layer.forward(x)
        dx, _ = layer.backward(dy)
    assert np.isnan(y[2:, 1]).all() and np.isnan(final["h"][1]).all() and np.isnan(final["c"][1]).all()
    others = [0, 2, 3]
    np.testing.assert_array_equal(y[:, others], clean[:, others])
    np.testing.assert_array_equal(y[:2], clean[:2])
    assert np.isnan(dx[:, 1]).any() and np.isfinite(dx[:, others]).all()


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("name", NAMES)
def test_huge_inputs_raise_nothing(name, value, device):
    layer = make(name, device)
    x, dy = data(layer, 3)
    x[1] = value
    layer.forward(x)
    layer.backward(dy)


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
def test_lengths_in_any_order_and_of_any_integer_type(name, device):
    layer = make(name, device)
    x, dy = data(layer, 5)
    lengths = [5, 1, 3, 3]
    results = run(layer, x, dy, None, None, lengths=lengths)
    for kind in (np.int8, np.uint64, np.int32, tuple):
        given = kind(lengths) if kind is tuple else np.array(lengths, kind)
        again = run(layer, x, dy, None, None, lengths=given)
        assert all(np.array_equal(again[k], v) for k, v in results.items())
    order = np.array([2, 0, 3, 1])
    shuffled = run(layer, x[:, order], dy[:, order], None, None, lengths=np.array(lengths)[order])
    assert_close(shuffled["y"], results["y"][:, order], 1e-13)
    assert_close(shuffled["dx"], results["dx"][:, order], 1e-13)
    for key in [k for k in results if k.startswith("final")]:
        assert_close(shuffled[key], results[key][..., order, :], 1e-13, key)


def test_full_lengths_are_no_lengths(device):
    layer = make("gru", device)
    x, dy = data(layer, 5)
    assert_all_close(run(layer, x, dy, None, None, lengths=[5] * B), run(layer, x, dy, None, None), 1e-15)


def flip(values, lengths):
    """Reverse each row within its own length."""
    out = np.zeros_like(values)
    for row, length in enumerate(lengths):
        out[:length, row] = values[:length, row][::-1]
    return out


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lengths", [None, [2, 6, 0, 5]], ids=str)
def test_reverse_is_flipping_by_hand(name, lengths, device):
    layer = make(name, device)
    x, dy = data(layer, 6)
    state, dstate = random_state(layer, B), random_state(layer, B, seed=4)
    fed, mask = data(layer, 6, seed=9)[1], np.random.default_rng(3).random((6, B)) < 0.4
    own = [6] * B if lengths is None else lengths
    feeds = [{}, {}]
    if layer.cell.output in layer.layout.states:
        feeds = [{layer.cell.output: (v, m)} for v, m in ((fed, mask), (flip(fed, own), flip(mask, own)))]
    backwards = run(layer, x, dy, state, dstate, lengths=lengths, reverse=True, feed=feeds[0])
    by_hand = run(layer, flip(x, own), flip(dy, own), state, dstate, lengths=lengths, feed=feeds[1])
    for key in ("y", "dx"):
        by_hand[key] = flip(by_hand[key], own)
    assert_all_close(backwards, by_hand, 1e-15)


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 6, 0, 5]], ids=str)
def test_the_last_output_is_each_rows_own(name, reverse, lengths, device):
    layer = make(name, device)
    x, _ = data(layer, 6)
    y, _ = layer.forward(x, lengths=lengths, reverse=reverse)
    own = [6] * B if lengths is None else lengths
    expected = np.zeros((B, layer.output_size))
    dy_last = np.random.default_rng(5).normal(size=expected.shape)
    dy = np.zeros(y.shape)
    for row, length in enumerate(own):
        if length:
            at = 0 if reverse else length - 1
            expected[row] = y[at, row]
            dy[at, row] = dy_last[row]
    results = run(layer, x, dy, None, None, lengths=lengths, reverse=reverse)
    last = run(layer, x, dy_last, None, None, lengths=lengths, reverse=reverse, outputs="last")
    np.testing.assert_array_equal(last.pop("y"), expected)
    del results["y"]
    assert_all_close(last, results, 1e-15)


@pytest.mark.engine
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunks", [(3, 4), (1,) * 7, (0, 7), (6, 0, 1)], ids=str)
def test_carrying_the_state_over_chunks_is_one_run(name, chunks, device):
    layer = make(name, device)
    x, _ = data(layer, 7)
    fed, mask = data(layer, 7, seed=9)[1], np.arange(7) % 3 == 2
    can_feed = layer.cell.output in layer.layout.states
    y, final = layer.forward(x, feed={layer.cell.output: (fed, mask)} if can_feed else None)
    state, parts, start = None, [], 0
    for steps in chunks:
        at = slice(start, start + steps)
        feed = {layer.cell.output: (fed[at], mask[at])} if can_feed else None
        part, state = layer.forward(x[at], state, feed=feed)
        parts.append(part)
        start += steps
    assert_close(np.concatenate(parts), y, 1e-14, "y")
    for key in final:
        assert_close(state[key], final[key], 1e-14, key)


@pytest.mark.parametrize("case", LAGGED, ids=str)
@pytest.mark.parametrize("split", range(8))
def test_a_lagged_state_carries_over_any_split(case, split):
    layer = make(case.cell, **dict(case.options))
    x, dy = data(layer, 7)
    state, dstate = random_state(layer, B), random_state(layer, B, seed=4)
    whole = run(layer, x, dy, state, dstate)
    layer.zero_grad()
    y1, middle, one = layer.forward(x[:split], state, tape=True)
    y2, final, two = layer.forward(x[split:], middle, tape=True)
    dx2, dmiddle = layer.backward(dy[split:], dstate, tape=two)
    dx1, dinitial = layer.backward(dy[:split], dmiddle, tape=one)
    assert_close(np.concatenate([y1, y2]), whole["y"], 1e-14)
    assert_close(np.concatenate([dx1, dx2]), whole["dx"], 1e-13)
    assert_close(final["h"], whole["final h"], 1e-14)
    assert_close(dinitial["h"], whole["dstate h"], 1e-13)
    for key, value in layer.grads.items():
        assert_close(value, whole[f"d {key}"], 1e-12, key)


@pytest.mark.engine
@pytest.mark.parametrize("name", [*NAMES, "skip-delay=3"])
@pytest.mark.parametrize("k", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("lengths", [None, [2, 7, 0, 6]], ids=str)
def test_truncation_is_going_back_chunk_by_chunk(name, k, lengths, device):
    cell, _, delay = name.partition("-delay=")
    layer = make(cell, device, **({"delay": int(delay)} if delay else {}))
    x, dy = data(layer, 7)
    state, dstate = random_state(layer, B), random_state(layer, B, seed=4)
    got = run(layer, x, dy, state, dstate, truncate=k, lengths=lengths)

    layer.zero_grad()
    carried, passes = state, []
    own = np.full(B, 7) if lengths is None else np.array(lengths)
    for start in range(0, 7, k):
        rest = np.clip(own - start, 0, min(k, 7 - start))
        part, carried, tape = layer.forward(x[start : start + k], carried, lengths=rest, tape=True)
        passes.append((start, part, tape))
    by_hand = {"y": np.concatenate([part for _, part, _ in passes])} | {f"final {k}": v for k, v in carried.items()}
    dx, dinitial = [], None
    for start, _, tape in passes:
        # Rows that end in this chunk, or would have ended in it with no step left, take dstate here.
        ends = (own > start) & (own <= start + k) | ((own == 0) & (start == 0))
        here = {key: np.where(ends[:, None], value, 0) for key, value in dstate.items()}
        part, back = layer.backward(dy[start : start + k], here, tape=tape)
        dx.append(part)
        dinitial = back if dinitial is None else dinitial
    by_hand |= {"dx": np.concatenate(dx)} | {f"dstate {k}": v for k, v in dinitial.items()}
    by_hand |= {f"d {k}": v.copy() for k, v in layer.grads.items()}
    assert_all_close(got, by_hand, 1e-12)


def test_truncation_changes_the_gradient_and_a_long_one_does_not(device):
    layer = make("lstm", device)
    x, dy = data(layer, 7)
    full = run(layer, x, dy, None, None)
    assert_all_close(run(layer, x, dy, None, None, truncate=7), full, 1e-15)
    short = run(layer, x, dy, None, None, truncate=3)
    assert np.abs(short["d weight_hh"] - full["d weight_hh"]).max() > 1e-3
    np.testing.assert_array_equal(short["y"], full["y"])
