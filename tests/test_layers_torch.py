"""Stacks, bidirectional layers and embeddings against PyTorch's, with its weights."""

import numpy as np
import pytest
from helpers import assert_close

from rnnbench.layers import Embedding, Stack

torch = pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
pytestmark = pytest.mark.peers

T, B, I, H = 7, 5, 4, 6
KINDS = {"LSTM": "lstm", "GRU": "gru_reset_after", "RNN": "elman"}


@pytest.mark.parametrize("lengths", [None, [7, 5, 3, 2, 1]])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_is_pytorchs(kind, both, lengths):
    torch.manual_seed(3)
    module = getattr(torch.nn, kind)(I, H, num_layers=2, bidirectional=both, dtype=torch.float64)
    stack = Stack(KINDS[kind], I, H, layers=2, bidirectional=both, dtype="float64", bias="torch")
    ends = {"forward.": "", "backward.": "_reverse"} if both else {"": ""}
    names = {
        f"layer{n + 1}.{own}{key}": f"{key}_l{n}{end}"
        for n in (0, 1)
        for own, end in ends.items()
        for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    assert stack.parameters().keys() == names.keys()
    for ours, theirs in names.items():
        stack.parameters()[ours][...] = getattr(module, theirs).detach().numpy()

    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, stack.output_size))
    given = torch.from_numpy(x).requires_grad_()
    if lengths is None:
        expected, _ = module(given)
    else:
        packed, _ = module(torch.nn.utils.rnn.pack_padded_sequence(given, lengths))
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, total_length=T)
    (expected * torch.from_numpy(dy)).sum().backward()

    y, _ = stack.forward(x, lengths=lengths)
    dx, _ = stack.backward(dy)
    assert_close(y, expected.detach().numpy(), 1e-12, "y")
    assert_close(dx, given.grad.numpy(), 1e-12, "dx")
    for ours, theirs in names.items():
        assert_close(stack.gradients()[ours], getattr(module, theirs).grad.numpy(), 1e-12, ours)


def test_an_embedding_is_pytorchs():
    module, layer = torch.nn.Embedding(9, 4, dtype=torch.float64), Embedding(9, 4, dtype="float64")
    layer.params["weight"][...] = module.weight.detach().numpy()
    rng = np.random.default_rng(0)
    x, dy = rng.integers(9, size=(T, B)), rng.normal(size=(T, B, 4))
    expected = module(torch.from_numpy(x))
    (expected * torch.from_numpy(dy)).sum().backward()
    y, _ = layer.forward(x)
    layer.backward(dy)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    assert_close(layer.grads["weight"], module.weight.grad.numpy(), 1e-12, "weight")
