"""A layer and the PyTorch module with its weights: same outputs, states, gradients; weights cross over exactly."""

import numpy as np
import pytest
from helpers import DEVICES, assert_close, randomise

from rnnbench import Recurrent
from rnnbench.layers.learned_state import learned_state

torch = pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
pytestmark = pytest.mark.peers

T, B, I, H = 7, 5, 4, 6
# T, B, I, H: one of each; units beyond a vector and rows beyond a tile, with a rest; a wide input; a single step.
SIZES = [(1, 1, 1, 1), (12, 19, 9, 37), (3, 2, 70, 5), (1, 33, 16, 32)]
KINDS = {
    "RNN tanh": ("RNN", {"nonlinearity": "tanh"}, "elman"),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}, "elman"),
    "GRU": ("GRU", {}, "gru_reset_after"),
    "LSTM": ("LSTM", {}, "lstm"),
}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def module_for(kind, dtype="float64", bias=True, I=I, H=H, **more):
    name, options, _ = KINDS[kind]
    torch.manual_seed(3)
    return getattr(torch.nn, name)(I, H, dtype=getattr(torch, dtype), bias=bias, **options, **more)


def torch_state(kind, state):
    tensors = {k: torch.from_numpy(v)[None].requires_grad_() for k, v in state.items()}
    return tensors, ((tensors["h"], tensors["c"]) if kind == "LSTM" else tensors["h"])


def assert_agree(kind, module, layer, dtype, sizes=(T, B, I, H)):
    """Run both forward and back from the same numbers and compare everything."""
    T, B, I, H = sizes
    rng = np.random.default_rng(1)
    names = ("h", "c") if kind == "LSTM" else ("h",)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    x, dy = normal(T, B, I), normal(T, B, H)
    state, dstate = ({k: normal(B, H) for k in names} for _ in range(2))

    inputs = torch.from_numpy(x).requires_grad_()
    starts, given = torch_state(kind, state)
    outputs, last = module(inputs, given)
    last = dict(zip(names, last if kind == "LSTM" else (last,), strict=True))
    loss = (outputs * torch.from_numpy(dy)).sum()
    loss = loss + sum((last[k][0] * torch.from_numpy(dstate[k])).sum() for k in names)
    loss.backward()

    y, final = layer.forward(x, state)
    layer.zero_grad()
    dx, dinitial = layer.backward(dy, dstate)
    tolerance = TOLERANCE[dtype]
    assert y.dtype == dx.dtype == np.dtype(dtype)
    assert_close(y, outputs.detach().numpy(), tolerance, "y")
    assert_close(dx, inputs.grad.numpy(), tolerance, "dx")
    for k in names:
        assert_close(final[k], last[k][0].detach().numpy(), tolerance, f"final {k}")
        assert_close(dinitial[k], starts[k].grad[0].numpy(), tolerance, f"dstate {k}")
    return {k: getattr(module, f"{k}_l0").grad.numpy() for k in layer.grads if k != "bias"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", KINDS)
def test_from_torch(kind, dtype, bias, device):
    module = module_for(kind, dtype, bias)
    layer = Recurrent.from_torch(module, device=device)
    assert layer.cell.name == KINDS[kind][2] and layer.dtype == dtype and layer.device == device
    assert layer.bias == ("torch" if bias else False)
    expected = {name.removesuffix("_l0"): p.detach().numpy() for name, p in module.named_parameters()}
    assert layer.params.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(layer.params[key], value)
    for key, value in assert_agree(kind, module, layer, dtype).items():
        assert_close(layer.grads[key], value, TOLERANCE[dtype], key)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", KINDS)
def test_from_torch_at_other_sizes(kind, dtype, sizes):
    _, _, inputs, units = sizes
    module = module_for(kind, dtype, I=inputs, H=units)
    layer = Recurrent.from_torch(module)
    for key, value in assert_agree(kind, module, layer, dtype, sizes).items():
        assert_close(layer.grads[key], value, TOLERANCE[dtype], key)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sizes", [(T, B, I, H), *SIZES], ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_an_irnn_is_a_relu_network_that_starts_as_the_identity(dtype, sizes, device):
    _, _, inputs, units = sizes
    layer = Recurrent("irnn", inputs, units, dtype=dtype, device=device, bias="torch")
    module = module_for("RNN relu", dtype, I=inputs, H=units)
    with torch.no_grad():
        for key, value in layer.params.items():
            getattr(module, f"{key}_l0").copy_(torch.from_numpy(value))
    np.testing.assert_array_equal(module.weight_hh_l0.detach().numpy(), np.eye(units))
    for key, value in assert_agree("RNN relu", module, layer, dtype, sizes).items():
        assert_close(layer.grads[key], value, TOLERANCE[dtype], key)


@pytest.mark.parametrize("bias", [True, False, "torch"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", KINDS)
def test_to_torch(kind, dtype, bias):
    _, options, cell = KINDS[kind]
    options = {"activation": options["nonlinearity"]} if options else {}
    layer = randomise(Recurrent(cell, I, H, dtype=dtype, device="reference", bias=bias, **options))
    module = layer.to_torch()
    grads = assert_agree(kind, module, layer, dtype)
    for key, value in grads.items():
        assert_close(layer.grads[key], value, TOLERANCE[dtype], key)
        np.testing.assert_array_equal(getattr(module, f"{key}_l0").detach().numpy(), layer.params[key])
    if bias is True:
        both = module.bias_ih_l0.grad.numpy(), module.bias_hh_l0.grad.numpy()
        for gate in layer.layout.bias_rows:
            at = 1 if gate == "n_h" else 0
            rows = layer.layout.torch_bias_rows("h" if at else "x")[gate]
            own = layer.grads["bias"][slice(*layer.layout.bias_rows[gate])]
            assert_close(own, both[at][slice(*rows)], TOLERANCE[dtype], gate)


@pytest.mark.parametrize("bias", [False, "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_exact(kind, bias):
    module = module_for(kind, "float32", bias=bool(bias))
    layer = Recurrent.from_torch(module, device="reference")
    again = layer.to_torch()
    assert type(again) is type(module) and again.state_dict().keys() == module.state_dict().keys()
    assert getattr(again, "nonlinearity", None) == getattr(module, "nonlinearity", None)
    for key, value in module.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


def test_weights_are_copies():
    module = module_for("LSTM")
    layer = Recurrent.from_torch(module, device="reference")
    back = layer.to_torch()
    before = layer.params["weight_hh"].copy()
    with torch.no_grad():
        module.weight_hh_l0.zero_()
        back.weight_hh_l0.zero_()
    np.testing.assert_array_equal(layer.params["weight_hh"], before)
    with layer.frozen():
        layer.to_torch()


def test_ragged_and_reversed_batches_are_pytorchs_packed_sequences():
    layer = Recurrent.from_torch(module_for("LSTM"), device="reference")
    module = torch.nn.LSTM(I, H, dtype=torch.float64, bidirectional=True)
    other = randomise(Recurrent("lstm", I, H, dtype="float64", device="reference", bias="torch"))
    with torch.no_grad():
        for key in layer.params:
            getattr(module, f"{key}_l0").copy_(torch.from_numpy(layer.params[key]))
            getattr(module, f"{key}_l0_reverse").copy_(torch.from_numpy(other.params[key]))
    lengths = [3, 7, 1, 5, 5]
    x = np.random.default_rng(0).normal(size=(T, B, I))
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, enforce_sorted=False)
    outputs, (h, c) = module(packed)
    outputs = torch.nn.utils.rnn.pad_packed_sequence(outputs, total_length=T)[0].detach().numpy()
    for direction, one in enumerate((layer, other)):
        y, final = one.forward(x, lengths=lengths, reverse=bool(direction))
        assert_close(y, outputs[..., direction * H : (direction + 1) * H], 1e-12, "y")
        assert_close(final["h"], h[direction].detach().numpy(), 1e-12, "h")
        assert_close(final["c"], c[direction].detach().numpy(), 1e-12, "c")


def test_uniform_is_pytorchs_initialisation():
    module = module_for("LSTM", I=40, H=100)
    layer = Recurrent("lstm", 40, 100, dtype="float64", device="reference", bias="torch")
    for key, value in layer.params.items():
        theirs = getattr(module, f"{key}_l0").detach().numpy()
        assert abs(value.std() / theirs.std() - 1) < 0.1, key
        assert abs(np.abs(value).max() / np.abs(theirs).max() - 1) < 0.05, key


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: module_for("LSTM", num_layers=2), ValueError, "module.num_layers: got 2, expected 1"),
        (lambda: module_for("GRU", bidirectional=True), ValueError, "module.bidirectional: got True, expected False"),
        (lambda: module_for("LSTM", proj_size=3), ValueError, "module.proj_size: got 3, expected 0"),
        (lambda: torch.nn.Linear(2, 3), TypeError, "module: got Linear, expected torch.nn.RNN, GRU or LSTM"),
        (lambda: torch.nn.LSTMCell(2, 3), TypeError, "module: got LSTMCell"),
        (lambda: None, TypeError, "module: got NoneType"),
        (lambda: module_for("LSTM", "bfloat16"), ValueError, "dtype: got 'bfloat16', expected one of"),
    ],
)
def test_from_torch_refuses(make, error, message):
    with pytest.raises(error, match=message):
        Recurrent.from_torch(make(), device="reference")


@pytest.mark.parametrize(
    "cell, options",
    [("gru", {}), ("jordan", {}), ("elman", {"activation": "sigmoid"}), ("leaky", {}), ("skip", {})],
)
def test_to_torch_refuses(cell, options):
    with pytest.raises(ValueError, match=f"to_torch: cell '{cell}'.*expected one of"):
        Recurrent(cell, I, H, device="reference", **options).to_torch()


def test_to_torch_refuses_a_learned_start():
    with pytest.raises(ValueError, match=r"to_torch: got learned initial states \['h', 'c'\], expected none"):
        Recurrent(learned_state("lstm"), I, H, device="reference").to_torch()
