"""The neural Turing machine against a loop over rows, heads and slots; its addressing; its gradients."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers import addressing
from rnnbench.layers.learned_state import learned_state
from rnnbench.layers.neural_turing_machine import NeuralTuringMachine

T, B, I, O, N, M, H = 3, 3, 2, 2, 5, 3, 4
LENGTHS = np.array([3, 1, 0])


def make(controller="feed-forward", seed=0, dtype="float64", device="reference", **options):
    sizes = {"slots": N, "width": M, "hidden_size": H} | options
    if controller != "feed-forward":
        sizes["device"] = device
    return NeuralTuringMachine(I, O, controller=controller, dtype=dtype, seed=seed, **sizes)


def draw(*lead, dtype="float64", steps=T):
    return np.random.default_rng(1).normal(size=(*lead, steps, B, I)).astype(dtype)


# ---- one row, written out ----


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def softmax(a):
    return np.exp(a) / np.exp(a).sum()


def naive_address(p, memory, before, reach):
    key, strength, gate, gamma = p[:M], np.log1p(np.exp(p[M])), sigmoid(p[M + 1]), 1 + np.log1p(np.exp(p[M + 2]))
    shifts = softmax(p[M + 3 :])
    cosine = [key @ slot / (np.linalg.norm(key) * np.linalg.norm(slot)) for slot in memory]
    gated = gate * softmax(strength * np.array(cosine)) + (1 - gate) * before
    shifted = np.zeros(N)
    for i in range(N):
        for j in range(-reach, reach + 1):
            shifted[i] += gated[(i - j) % N] * shifts[j + reach]
    return shifted**gamma / (shifted**gamma).sum()


def naive(layer, x):
    """The outputs of one row of a machine with a feed-forward controller."""
    p, reads, writes = layer.parameters(), layer.read_heads, layer.write_heads
    memory, read = p["memory"].copy(), p["read"].copy()
    weights = [softmax(w) for w in p["weights"]]
    size, y = M + 4 + 2 * layer.shift, []
    for x_t in x:
        seen = np.concatenate([x_t, read.ravel()])
        h = np.tanh(p["controller.weight"] @ seen + p["controller.bias"])
        numbers = p["heads.weight"] @ h + p["heads.bias"]
        heads = [numbers[k * size : (k + 1) * size] for k in range(reads + writes)]
        weights = [naive_address(a, memory, w, layer.shift) for a, w in zip(heads, weights, strict=True)]
        rest = numbers[(reads + writes) * size :].reshape(writes, 2, M)
        for w, (erase, _) in zip(weights[reads:], rest, strict=True):
            memory = memory * (1 - np.outer(w, sigmoid(erase)))
        for w, (_, add) in zip(weights[reads:], rest, strict=True):
            memory = memory + np.outer(w, add)
        read = np.array([w @ memory for w in weights[:reads]])
        y.append(p["readout.weight"] @ np.concatenate([h, read.ravel()]) + p["readout.bias"])
    return np.array(y)


@pytest.mark.parametrize("options", [{}, {"read_heads": 2, "write_heads": 3, "shift": 2}, {"shift": 0}])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_each_row_is_the_machine_written_out(options, lengths):
    layer, x = randomise(make(**options), scale=1), draw()
    if lengths is not None:
        x[1:, 1], x[:, 2] = np.nan, np.nan
    y, _ = layer.forward(x, lengths=lengths)
    for b, length in enumerate([T] * B if lengths is None else lengths):
        if length:
            np.testing.assert_allclose(y[:length, b], naive(layer, x[:length, b]), rtol=1e-9)
        assert not y[length:, b].any()


@pytest.mark.parametrize("options", [{}, {"read_heads": 2, "write_heads": 2}])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(options, lengths):
    layer = randomise(make(**options), scale=1)
    check_gradients(layer, draw(), lengths=lengths)


@pytest.mark.parametrize(("controller", "device"), [("lstm", "reference"), ("lstm", "cpu"), ("skip", "reference")])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients_through_a_recurrent_controller_and_from_a_state(controller, device, lengths):
    layer = randomise(make(controller, hidden_size=2, slots=3, width=2, device=device), scale=1)
    x = draw(steps=3)
    check_gradients(layer, x, lengths=lengths)
    _, state = layer.forward(x)
    check_gradients(layer, x, state, lengths=lengths)


@pytest.mark.parametrize("controller", ["feed-forward", "lstm"])
def test_replicas(controller):
    check_replicas(lambda seed: make(controller, seed, "float32", "cpu"), draw(3, dtype="float32"), lengths=LENGTHS)


@pytest.mark.parametrize("controller", ["feed-forward", "lstm"])
def test_a_sequence_may_come_in_pieces(controller):
    layer, x = randomise(make(controller), scale=1), draw(steps=4)
    whole, end = layer.forward(x)
    first, state = layer.forward(x[:3])
    second, state = layer.forward(x[3:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12)
    np.testing.assert_allclose(state["memory"], end["memory"], rtol=1e-12)


def test_truncation_cuts_the_paths_between_pieces():
    layer, x = randomise(make("lstm"), scale=1), draw(steps=5)
    dy = np.random.default_rng(0).normal(size=(5, B, O))
    layer.forward(x)
    dx, _ = layer.backward(dy, truncate=2)
    whole = {key: grad.copy() for key, grad in layer.gradients().items()}
    layer.zero_grad()
    state, apart = None, []
    for piece in (slice(0, 2), slice(2, 4), slice(4, 5)):
        _, state = layer.forward(x[piece], state)
        apart.append(layer.backward(dy[piece])[0])
    np.testing.assert_allclose(dx, np.concatenate(apart), rtol=1e-9, atol=1e-13)
    for key, grad in layer.gradients().items():
        np.testing.assert_allclose(whole[key], grad, rtol=1e-9, atol=1e-13, err_msg=key)


def test_a_head_finds_a_slot_by_content_and_moves_on_from_it():
    memory = np.eye(N)[:, :N]
    p = np.zeros(N + 6)
    p[:N], p[N], p[N + 1] = memory[2], 50, 50  # the key of slot 2, sure of it, by content alone
    p[N + 2 :] = [50, 0, 0, 50]  # sharpened, one slot on
    weights, _ = addressing.address(p[None], memory, np.full((1, N), 1 / N))
    np.testing.assert_allclose(weights[0], np.eye(N)[3], atol=1e-10)
    p[N + 1] = -50  # by location alone
    weights, _ = addressing.address(p[None], memory, weights)
    np.testing.assert_allclose(weights[0], np.eye(N)[4], atol=1e-10)
    weights, _ = addressing.address(p[None], memory, weights)
    np.testing.assert_allclose(weights[0], np.eye(N)[0], atol=1e-10)  # the slots form a ring


def test_what_is_written_is_read():
    memory, _ = addressing.write(np.ones((N, M)), np.eye(N)[[1]], np.array([[1.0, 1, 0]]), np.array([[5.0, 0, 1]]))
    np.testing.assert_array_equal(memory[1], [5, 0, 2])
    np.testing.assert_array_equal(np.delete(memory, 1, axis=0), np.ones((N - 1, M)))


def test_numbers_stay_finite_where_heads_are_sure():
    layer = make(dtype="float32")
    for value in layer.parameters().values():
        value *= 100
    y, _ = layer.forward(draw(dtype="float32"))
    dx, _ = layer.backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all()
    assert all(np.isfinite(grad).all() for grad in layer.gradients().values())


@pytest.mark.parametrize("shape", [(0, B), (T, 0)])
@pytest.mark.parametrize("controller", ["feed-forward", "lstm"])
def test_nothing_to_run(shape, controller):
    layer = make(controller)
    y, state = layer.forward(np.zeros((*shape, I)))
    dx, _ = layer.backward(np.zeros_like(y))
    assert y.shape == (*shape, O) and dx.shape == (*shape, I) and state["memory"].shape == (shape[1], N * M)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="shift: got 3 with 5 slots, expected at most 2"):
        make(shift=3)
    with pytest.raises(ValueError, match="read_heads: got 0"):
        make(read_heads=0)
    with pytest.raises(ValueError, match="cell: got 'mlp'"):
        make("mlp")
    with pytest.raises(ValueError, match=r"options \['forget_bias'\]: expected none with a feed-forward controller"):
        make(forget_bias=1)
    layer = make()
    with pytest.raises(ValueError, match=r"state\['memory'\]: got shape \(3, 5, 3\), expected \(3, 15\)"):
        layer.forward(draw(), {"memory": np.zeros((B, N, M))})


@pytest.mark.parametrize("steps, lengths", [(2, [2, 0]), (0, [0, 0])])
def test_a_learned_start_of_a_controller_is_credited_with_rows_that_never_ran(steps, lengths):
    net = NeuralTuringMachine(2, 1, slots=3, width=2, hidden_size=3, controller=learned_state("elman"), dtype="float64")
    x, d = np.ones((steps, 2, 2)), np.array([[0.0, 0, 0], [1, 2, 3]])
    net.forward(x, lengths=np.array(lengths))
    net.backward(None, {"controller": {"h": d}})
    np.testing.assert_allclose(net.parts["controller"].grads["initial_h"], [1, 2, 3])
    net.forward(x, {"controller": {"h": np.zeros((2, 3))}}, lengths=np.array(lengths))
    net.zero_grad()
    _, dstate = net.backward(None, {"controller": {"h": d}})
    assert not net.parts["controller"].grads["initial_h"].any()
    np.testing.assert_allclose(dstate["controller"]["h"], d)


def test_what_is_left_out_of_a_controllers_state_is_credited_with_rows_that_never_ran():
    net = NeuralTuringMachine(2, 1, slots=3, width=2, hidden_size=3, controller=learned_state("lstm"), dtype="float64")
    net.forward(np.ones((2, 2, 2)), {"controller": {"h": np.zeros((2, 3))}}, lengths=np.array([2, 0]))
    _, dstate = net.backward(None, {"controller": {"c": np.array([[0.0, 0, 0], [1, 2, 3]])}})
    np.testing.assert_allclose(net.parts["controller"].grads["initial_c"], [1, 2, 3])
    assert not net.parts["controller"].grads["initial_h"].any()
    np.testing.assert_allclose(dstate["controller"]["c"][1], [1, 2, 3])
