"""A layer as its user sees it: shapes, precision, parameters, their names and views, seeds."""

import numpy as np
import pytest
from helpers import CASES, DEVICES, as_params, assert_close, random_state
from small_layer import B, H, I, data, make

from rnnbench import Recurrent, cells


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


def assert_equal_dicts(got, expected):
    assert got.keys() == expected.keys()
    for key in expected:
        np.testing.assert_array_equal(got[key], expected[key], err_msg=str(key))


@pytest.mark.parametrize("case", as_params(CASES))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_dtypes(case, dtype):
    layer = Recurrent(case.cell, I, H, dtype=dtype, device="reference", **dict(case.options))
    x, dy = data(layer)
    y, final = layer.forward(x)
    dx, dstate = layer.backward(dy)
    assert y.shape == dy.shape and dx.shape == x.shape
    assert list(final) == list(dstate) == list(layer.layout.states)
    for name, value in final.items():
        lag, width = layer.layout.lags[name], layer.layout.widths[name]
        assert value.shape == dstate[name].shape == ((B, width) if lag == 1 else (lag, B, width))
    arrays = [y, dx, *final.values(), *dstate.values(), *layer.params.values(), *layer.grads.values()]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}
    assert {k: v.shape for k, v in layer.grads.items()} == {k: v.shape for k, v in layer.params.items()}
    if layer.cell.output in final:
        final_y = final[layer.cell.output]
        np.testing.assert_array_equal(y[-1], final_y if final_y.ndim == 2 else final_y[-1])


@pytest.mark.engine
@pytest.mark.parametrize("name", cells.names())
@pytest.mark.parametrize("sizes", [(0, 2, 3, 4), (3, 0, 3, 4), (0, 0, 0, 1), (3, 2, 0, 4), (2, 1, 1, 1)], ids=str)
def test_empty_and_tiny_sizes(name, sizes, device):
    steps, rows, inputs, units = sizes
    layer = make(name, device, inputs, units)
    x, dy = data(layer, steps, rows)
    start = random_state(layer, rows)
    y, final = layer.forward(x, start)
    assert y.shape == (steps, rows, layer.output_size)
    dx, dstate = layer.backward(dy, final)
    assert dx.shape == x.shape
    if steps == 0:
        assert_equal_dicts(final, start)
        assert_equal_dicts(dstate, start)
        assert not any(g.any() for g in layer.grads.values())
    if rows == 0:
        assert not any(g.any() for g in layer.grads.values())
    last, _ = layer.forward(x, start, outputs="last")
    assert last.shape == (rows, layer.output_size)
    if steps == 0:
        assert not last.any()


def test_the_same_seed_gives_the_same_parameters():
    for init in ("uniform", "orthogonal", {"name": "gaussian", "gain": 2.0}):
        one, two = (Recurrent("gru", 3, 4, seed=7, init=init) for _ in range(2))
        assert_equal_dicts(one.params, two.params)
        other = Recurrent("gru", 3, 4, seed=8, init=init)
        assert not np.array_equal(one.params["weight_hh"], other.params["weight_hh"])
    generator = Recurrent("gru", 3, 4, seed=np.random.default_rng(7))
    assert_equal_dicts(generator.params, Recurrent("gru", 3, 4, seed=7).params)


def test_float32_parameters_are_the_rounded_float64_ones():
    wide, narrow = (Recurrent("lstm", 3, 4, dtype=d, seed=1) for d in ("float64", np.float32))
    assert_equal_dicts(narrow.params, {k: v.astype(np.float32) for k, v in wide.params.items()})


def test_a_shared_generator_gives_different_layers():
    rng = np.random.default_rng(0)
    one, two = (Recurrent("elman", 3, 4, seed=rng) for _ in range(2))
    assert not np.array_equal(one.params["weight_hh"], two.params["weight_hh"])


def test_blocks_and_gate_biases_are_views_in_gate_order():
    layer = Recurrent("lstm", 3, 4, device="reference")
    for number, gate in enumerate("ifgo"):
        layer.blocks[gate, "x"][...] = number
        layer.blocks[gate, "h"][...] = 10 + number
        layer.gate_bias(gate)[...] = 20 + number
    np.testing.assert_array_equal(layer.params["weight_ih"], np.repeat(np.arange(4.0), 4)[:, None] * np.ones(3))
    np.testing.assert_array_equal(layer.params["weight_hh"][:, 0], 10 + np.repeat(np.arange(4), 4))
    np.testing.assert_array_equal(layer.params["bias"], 20 + np.repeat(np.arange(4), 4))
    torch_like = Recurrent("gru_reset_after", 3, 4, device="reference", bias="torch")
    torch_like.gate_bias("n_h", "bias_hh")[...] = 5
    np.testing.assert_array_equal(torch_like.params["bias_hh"][8:], np.full(4, 5))
    assert torch_like.params["bias_ih"].max() < 5


@pytest.mark.parametrize("name", cells.names())
def test_every_block_is_a_view_of_its_own(name):
    layer = Recurrent(name, 3, 4, device="reference")
    for number, block in enumerate(layer.blocks.values()):
        block[...] = number
    for number, block in enumerate(layer.blocks.values()):
        assert np.all(block == number)


def test_edited_parameters_are_used_by_the_next_forward(device):
    layer = make(device=device)
    x, _ = data(layer)
    before, _ = layer.forward(x)
    layer.blocks["f", "h"][...] += 1
    after, _ = layer.forward(x)
    assert not np.array_equal(before[1:], after[1:])
    np.testing.assert_array_equal(before[0], after[0])  # h starts at 0


@pytest.mark.parametrize("bias", [True, "torch"])
@pytest.mark.parametrize("cell", ["lstm", "antisymmetric"])  # without and with a weight map
def test_arrays_that_drivers_take_copies_of_may_be_edited_too(cell, bias):
    """In Fortran's order: what was copied for one call must not be taken for the next, nor gradients stay in a copy."""
    layer, plain = (Recurrent(cell, 5, 8, bias=bias, seed=0) for _ in range(2))
    for arrays in (layer.params, layer.grads):
        arrays["weight_hh"] = np.asfortranarray(arrays["weight_hh"])
    x = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
    for factor in (1, 0.5):
        for one in (layer, plain):
            one.params["weight_hh"] *= factor
            y, _ = one.forward(x)
            one.backward(y)
        np.testing.assert_array_equal(layer.forward(x)[0], y)
        np.testing.assert_equal(layer.grads, plain.grads)


def test_replaced_parameters_of_any_memory_order_are_used(device):
    layer = make(device=device)
    x, _ = data(layer)
    before, _ = layer.forward(x)
    layer.params["weight_hh"] = np.asfortranarray(layer.params["weight_hh"])
    np.testing.assert_array_equal(layer.forward(x)[0], before)


def test_two_biases_add_up_and_get_the_same_gradient(device):
    layer = make(device=device, bias="torch")
    one = make(device=device)
    for key in ("weight_ih", "weight_hh"):
        one.params[key][...] = layer.params[key]
    one.params["bias"][...] = layer.params["bias_ih"] + layer.params["bias_hh"]
    x, dy = data(layer)
    assert_close(layer.forward(x)[0], one.forward(x)[0], 1e-14)
    layer.backward(dy)
    one.backward(dy)
    for key in ("bias_ih", "bias_hh"):
        assert_close(layer.grads[key], one.grads["bias"], 1e-13, key)


def test_without_a_bias_is_with_a_bias_of_zero(device):
    layer, zero = make(device=device, bias=False), make(device=device)
    for key in layer.params:
        zero.params[key][...] = layer.params[key]
    zero.params["bias"][...] = 0
    x, dy = data(layer)
    np.testing.assert_array_equal(layer.forward(x)[0], zero.forward(x)[0])
    layer.backward(dy)
    zero.backward(dy)
    assert "bias" not in layer.grads
    np.testing.assert_array_equal(layer.grads["weight_hh"], zero.grads["weight_hh"])


def test_repr_names_what_it_is():
    assert repr(make("gru")) == "Recurrent('gru', 3, 6, dtype='float64', device='reference')"


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float64", 1e-12)])
def test_the_default_device_is_the_cpu_engine(dtype, tolerance):
    cpu, reference = (Recurrent("lstm", I, H, dtype=dtype, **d) for d in ({}, {"device": "reference"}))
    assert cpu.device == "cpu"
    x, _ = data(cpu)
    assert_close(cpu.forward(x)[0], reference.forward(x)[0], tolerance)
