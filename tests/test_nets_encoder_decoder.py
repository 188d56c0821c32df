"""Encoder and decoder against a loop over single sequences; sharing; gradients through the whole."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.layers.dense import Dense
from rnnbench.layers.encoder_decoder import Decoder, Encoder, EncoderDecoder, Languages, ended

S, T, B, V, W, E, H = 4, 3, 3, 5, 4, 2, 3
LENGTHS = np.array([4, 2, 1]), np.array([1, 3, 2])
ATTENTION = [None, "dot", "additive"]


def make(attention=None, cell="lstm", seed=0, dtype="float64", device="reference", reverse=False):
    shared = {"dtype": dtype, "device": device, "seed": seed, "cell": cell}
    encoder = Encoder(V, E, H, reverse=reverse, **shared)
    return EncoderDecoder(encoder, Decoder(W, E, H, attention=attention, **shared), eos=1)


def draw(*lead):
    rng = np.random.default_rng(1)
    return rng.integers(0, V, (*lead, S, B)), rng.integers(0, W, (*lead, T, B))


def elman(p, prefix, e, h):
    key = f"{prefix}recurrent."
    return np.tanh(p[key + "weight_ih"] @ e + p[key + "weight_hh"] @ h + p[key + "bias"])


def naive(network, source, target, reverse):
    """The logits of one row."""
    p, h, memory = network.parameters(), np.zeros(H), []
    for symbol in source[::-1] if reverse else source:
        h = elman(p, "encoder.", p["encoder.embedding.weight"][symbol], h)
        memory.append(h)
    logits = []
    for symbol in [network.eos, *target[:-1]]:
        h = elman(p, "decoder.", p["decoder.embedding.weight"][symbol], h)
        out = h
        if network.decoder.attends:
            a = np.exp([h @ m for m in memory])
            c = sum(weight * m for weight, m in zip(a / a.sum(), memory, strict=True))
            out = np.tanh(p["decoder.combine.weight"] @ np.concatenate([c, h]) + p["decoder.combine.bias"])
        logits.append(p["decoder.readout.weight"] @ out + p["decoder.readout.bias"])
    return np.array(logits)


@pytest.mark.parametrize("attention", [None, "dot"])
@pytest.mark.parametrize("reverse", [False, True])
def test_each_row_is_read_and_written_alone(attention, reverse):
    network = randomise(make(attention, "elman", reverse=reverse))
    source, target = draw()
    y, _ = network.forward((source, target), lengths=LENGTHS)
    for b, (n, m) in enumerate(zip(*LENGTHS, strict=True)):
        expected = naive(network, source[:n, b], target[:m, b], reverse)
        np.testing.assert_allclose(y[:m, b], expected, rtol=1e-11, atol=1e-13)
    other = source.copy(), target.copy()
    other[0][2:, 1], other[1][1:, 0] = 0, 0
    again, _ = network.forward(other, lengths=LENGTHS)
    np.testing.assert_array_equal(again[0], y[0])
    np.testing.assert_array_equal(again[:, 1:], y[:, 1:])


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize(("cell", "lengths", "device"), [("lstm", None, "cpu"), ("gru", LENGTHS, "reference")])
def test_gradients(attention, cell, lengths, device):
    check_gradients(randomise(make(attention, cell, device=device)), draw(), lengths=lengths)


@pytest.mark.parametrize("attention", ATTENTION)
def test_replicas(attention):
    check_replicas(lambda seed: make(attention, seed=seed, dtype="float32", device="cpu"), draw(3), lengths=LENGTHS)


@pytest.mark.parametrize("attention", ATTENTION)
def test_the_decoder_goes_on_from_what_was_encoded(attention):
    network = randomise(make(attention))
    source, target = draw()
    y, _ = network.forward((source, target), lengths=(LENGTHS[0], None))
    state = network.encode(source, lengths=LENGTHS[0])
    symbol = np.full((1, B), network.eos)
    for t in range(T):
        logits, state = network.decoder.forward(symbol, state, tape=False)
        np.testing.assert_allclose(logits[0], y[t], rtol=1e-12)
        symbol = target[t : t + 1]


def test_the_gradient_by_what_the_decoder_is_conditioned_on():
    decoder = randomise(Decoder(W, E, H, attention="dot", dtype="float64", device="reference"))
    rng = np.random.default_rng(0)
    state = {"recurrent": {k: rng.normal(size=(B, H)) for k in "hc"}, "memory": rng.normal(size=(S, B, H))}
    check_gradients(decoder, draw()[1], state)
    state["memory"][2:, 1] = 0
    state["lengths"] = np.array([[4], [2], [3]])
    state["memory"][3:, 2] = 0
    check_gradients(decoder, draw()[1], state)


def test_attention_has_a_short_gradient_path():
    """From a target symbol to the first source symbol: through all the steps, or through the memory."""
    source, target = np.array([0] + [1] * 59)[:, None], np.zeros((1, 1), np.int64)
    reach = {}
    for attention in (None, "dot"):
        network = make(attention, "elman")
        for part in ("encoder", "decoder"):
            network.parameters()[f"{part}.recurrent.weight_hh"][...] = 0.3 * np.eye(H)
        y, _ = network.forward((source, target))
        network.backward(np.ones_like(y) * np.arange(W))
        reach[attention] = np.abs(network.gradients()["encoder.embedding.weight"][0]).max()
    assert reach[None] < 1e-25 < 1e-6 < reach["dot"]


def test_pairs_of_languages_share_their_parts():
    def encoder(seed):
        return Encoder(V, E, H, dtype="float64", device="reference", seed=seed)

    def decoder(seed):
        return Decoder(W, E, H, dtype="float64", device="reference", seed=seed)

    languages = Languages({"en": encoder(0), "de": encoder(1)}, {"en": decoder(2), "fr": decoder(3)})
    parts = [*languages.parts.values()]
    assert len(languages.parameters()) == sum(len(part.parameters()) for part in parts)
    assert {path.split(".")[0] for path in languages.parameters()} == {*languages.parts}
    first, second = languages.pair("en", "fr"), languages.pair("de", "fr")
    assert first.decoder is second.decoder and first.encoder is not second.encoder
    source, target = draw()
    added = {}
    for network in (first, second):
        network.zero_grad()
        y, _ = network.forward((source, target))
        network.backward(np.ones_like(y))
        added[network] = {id(grad): grad.copy() for grad in network.gradients().values()}
    languages.zero_grad()
    for network in (first, second):
        y, _ = network.forward((source, target))
        network.backward(np.ones_like(y))
    for path, grad in languages.gradients().items():
        expected = sum(one.get(id(grad), 0) for one in added.values())
        np.testing.assert_allclose(grad, expected, rtol=1e-12, atol=1e-14)
        assert np.any(expected) == (path.startswith(("encoder_", "decoder_fr")))
    with pytest.raises(ValueError, match="pair: got"):
        languages.pair("fr", "en")
    with pytest.raises(TypeError, match="several networks"):
        languages.forward((source, target))


def test_ended_puts_eos_behind_each_row():
    x, lengths = ended(np.array([[2, 3], [4, 5]]), np.array([1, 2]), 9)
    np.testing.assert_array_equal(x, [[2, 3], [9, 5], [9, 9]])
    np.testing.assert_array_equal(lengths, [2, 3])
    x, lengths = ended(np.array([[2, 3]]), None, 0)
    assert x.tolist() == [[2, 3], [0, 0]] and lengths.tolist() == [2, 2]


def test_a_cell_without_a_past_is_refused():
    stage = Stage(lambda a, reads, p: a, makes=("h",), gates=(Gate("h", ("x",)),))
    with pytest.raises(ValueError, match="encoder: its cell 'now' keeps no state"):
        make(cell=Cell((Vector("h"),), (stage,), output="h", name="now"))


def test_parts_that_do_not_fit_are_refused():
    encoder = Encoder(V, E, H)
    with pytest.raises(ValueError, match="encoder ends with states h of 3, c of 3, but decoder starts from h of 3"):
        EncoderDecoder(encoder, Decoder(W, E, H, cell="gru"))
    with pytest.raises(ValueError, match="h of 3, c of 3, but decoder starts from h of 4, c of 4"):
        EncoderDecoder(encoder, Decoder(W, E, 4))
    with pytest.raises(ValueError, match="encoder gives a memory of 3, but decoder takes 7"):
        EncoderDecoder(encoder, Decoder(W, E, H, attention="additive", memory_size=7))
    with pytest.raises(ValueError, match="dtype"):
        EncoderDecoder(encoder, Decoder(W, E, H, dtype="float64"))
    with pytest.raises(ValueError, match="expected a recurrent layer 'recurrent' among them"):
        EncoderDecoder(Dense(3, 3), Decoder(W, E, H))
    with pytest.raises(TypeError, match="decoder: got Dense"):
        EncoderDecoder(encoder, Dense(3, 3))
    with pytest.raises(ValueError, match="eos: got 4"):
        EncoderDecoder(encoder, Decoder(W, E, H), eos=4)
    with pytest.raises(ValueError, match="memory_size: got 3, expected None"):
        Decoder(W, E, H, memory_size=3)


def test_bad_input_is_refused():
    network = make("dot")
    source, target = draw()
    with pytest.raises(ValueError, match="target: got symbols from 0 to 4, expected 0 to 3"):
        network.forward((source, source))
    with pytest.raises(ValueError, match="target: got 2 rows, expected 3 as in source"):
        network.forward((source, target[:, :2]))
    with pytest.raises(TypeError, match="source: got dtype float64"):
        network.forward((source.astype(float), target))
    with pytest.raises(TypeError, match="lengths: got ndarray, expected a pair"):
        network.forward((source, target), lengths=LENGTHS[0])
    with pytest.raises(ValueError, match="state: got one"):
        network.forward((source, target), {})
    with pytest.raises(ValueError, match="state: got no 'memory'"):
        network.decoder.forward(target)
