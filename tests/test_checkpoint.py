"""Checkpointed BPTT: the same bits as plain BPTT, for every cell, with lengths, fed states and truncation."""

import numpy as np
import odd_cells
import pytest
from helpers import DEVICES, ENGINE_CASES, as_params, assert_same_bits, problem

from rnnbench import Recurrent
from rnnbench.kernels import checkpoint, cpu, reference


@pytest.mark.engine
@pytest.mark.parametrize("truncate", [None, 1, 7])
@pytest.mark.parametrize("driver", [cpu, reference], ids=["cpu", "reference"])
@pytest.mark.parametrize("case", as_params([c for c in ENGINE_CASES if not c.is_activation]))
def test_the_same_bits_as_plain(case, driver, truncate):
    steps, rows = 30, 70  # two steps to a chunk of the CPU driver
    lengths = np.random.default_rng(1).integers(0, steps + 1, rows)
    p = problem(
        case.build(), T=steps, B=rows, I=3, H=9, R=2, dtype=np.float32, lengths=lengths, feed=True, truncate=truncate
    )
    plain = p.both(driver)
    prepared = driver.prepare(p.layout, p.weights, p.x.dtype, 2)
    y, final, tape = checkpoint.forward(driver, p.layout, prepared, p.x, p.state, p.active, p.feed, 5, False)
    dx, dstate, grads = checkpoint.backward(tape, p.dy, p.dstate, truncate)
    results = {"y": y, "dx": dx} | {f"final {k}": v for k, v in final.items()}
    results |= {f"d state {k}": v for k, v in dstate.items()} | {f"d {k}": v for k, v in p.unmapped(grads).items()}
    assert len(tape.cuts) > 3
    assert results.keys() == plain.keys()
    for name, value in results.items():
        assert_same_bits(value + 0, plain[name] + 0, name)


@pytest.mark.parametrize("every", [20, 100])
def test_what_stages_share_has_the_same_bits(every):
    """With more steps than the way back takes at once."""
    x = np.random.default_rng(0).normal(size=(200, 64, 4)).astype(np.float32)
    results = []
    for checkpoint_every in (None, every):
        layer = Recurrent(odd_cells.shared_parameter(), 4, 64)
        y, _ = layer.forward(x, checkpoint=checkpoint_every)
        layer.backward(np.cos(y))
        results.append(layer.grads)
    for name, value in results[0].items():
        assert_same_bits(results[1][name], value, name)


@pytest.mark.parametrize("lengths", [None, [0, 40, 17]])
@pytest.mark.parametrize("outputs", ["all", "last"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_layer(device, outputs, lengths):
    rng = np.random.default_rng(0)
    layer = Recurrent("lstm", 4, 6, device=device)
    x = rng.normal(size=(40, 3, 4)).astype(np.float32)
    results = []
    for every in (None, 1, 9, 100):
        layer.zero_grad()
        y, state = layer.forward(x, lengths=lengths, outputs=outputs, checkpoint=every)
        dx, dstate = layer.backward(np.cos(y), {"c": np.sin(state["c"])}, need_dx=every != 9)
        assert (dx is None) == (every == 9)
        results.append({"y": y, **state, "dh": dstate["h"], "dc": dstate["c"]})
        results[-1] |= {key: value.copy() for key, value in layer.grads.items()}
    for other in results[1:]:
        for name, value in results[0].items():
            assert_same_bits(other[name] + 0, value + 0, name)


def test_no_steps():
    layer = Recurrent("gru", 2, 3)
    y, state = layer.forward(np.zeros((0, 4, 2), np.float32), checkpoint=3)
    dx, dstate = layer.backward(y, {"h": np.ones((4, 3), np.float32)})
    assert dx.shape == (0, 4, 2) and (dstate["h"] == 1).all() and not state["h"].any()


@pytest.mark.parametrize("every", [0, -1, 2.0, True, "3"])
def test_a_bad_checkpoint_is_refused(every):
    layer = Recurrent("elman", 2, 3, device="reference")
    with pytest.raises(ValueError, match=r"checkpoint: got .* expected an integer >= 1"):
        layer.forward(np.zeros((2, 1, 2), np.float32), checkpoint=every)
    with pytest.raises(ValueError, match=r"checkpoint: got .* expected an integer >= 1"):
        layer.forward(np.zeros((2, 1, 2), np.float32), checkpoint=every, tape=False)
