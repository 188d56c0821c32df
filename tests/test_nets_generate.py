"""Generation against whole prefixes read anew, exhaustive search, and the distributions it should draw from."""

from itertools import product

import numpy as np
import pytest
from net_checks import randomise
from scipy.special import log_softmax, softmax

from rnnbench import Recurrent
from rnnbench.layers import generate
from rnnbench.layers.chain import Chain
from rnnbench.layers.dense import Dense
from rnnbench.layers.embedding import Embedding
from rnnbench.layers.encoder_decoder import Decoder, Encoder, EncoderDecoder
from rnnbench.layers.window import WindowModel

V = 4
REAL = {"dtype": "float64"}


def recurrent_model():
    recurrent = Recurrent("gru", 3, 5, device="reference", **REAL)
    parts = {"embedding": Embedding(V, 3, **REAL), "hidden": recurrent, "readout": Dense(5, V, **REAL)}
    return randomise(Chain(**parts), scale=1.5)


def window_model():
    return randomise(WindowModel(V, 2, 3, 5, **REAL), scale=1.5)


def chain_of(logits):
    """The language model that sees the last symbol only."""
    layer = Embedding(*np.shape(logits), **REAL)
    layer.params["weight"][...] = logits
    return layer


def log_probability(layer, text, after):
    """ln P of the symbols of a text but the first ones, read at once."""
    logp = log_softmax(layer.forward(np.array(text)[:, None], tape=False)[0][:, 0], axis=-1)
    return sum(logp[t, symbol] for t, symbol in enumerate(text[1:]) if t + 1 >= after)


PROMPT = np.array([[0, 3], [2, 1]])


@pytest.mark.parametrize("make", [recurrent_model, window_model])
def test_greedy_takes_the_best_symbol_after_the_whole_prefix(make):
    layer = make()
    out = generate.greedy(layer, PROMPT, 6)
    text = PROMPT
    for t in range(6):
        best = layer.forward(text, tape=False)[0][-1].argmax(axis=-1)
        np.testing.assert_array_equal(out.symbols[t], best)
        text = np.concatenate([text, best[None]])
    assert out.lengths.tolist() == [6, 6]
    expected = [log_probability(layer, row, 2) for row in text.T]
    np.testing.assert_allclose(out.log_probability, expected, rtol=1e-12)


@pytest.mark.parametrize("make", [recurrent_model, window_model])
@pytest.mark.parametrize("stop", [None, 1])
def test_a_wide_beam_finds_the_best_sequences_there_are(make, stop):
    layer, steps = make(), 3
    out = generate.beam(layer, PROMPT, steps, 64, stop=stop)
    for b in range(2):
        found = {}
        for text in product(range(V), repeat=steps):
            end = text.index(stop) + 1 if stop in text else steps
            found[text[:end]] = log_probability(layer, [*PROMPT[:, b], *text[:end]], 2)
        best = sorted(found.values(), reverse=True)
        np.testing.assert_allclose(out.log_probability[b, : len(best)], best, rtol=1e-11)
        assert np.isneginf(out.log_probability[b, len(best) :]).all()
        for w in range(len(best)):
            text = tuple(out.symbols[: out.lengths[b, w], b, w])
            assert found[text] == pytest.approx(out.log_probability[b, w], rel=1e-11)
            assert (out.symbols[out.lengths[b, w] :, b, w] == stop).all()


def test_a_beam_sees_further_than_greedy():
    # After 0, symbol 1 looks best but leads to a coin toss; 2 leads to a sure thing.
    layer = chain_of(np.log([[0.01, 0.5, 0.49], [0.4, 0.3, 0.3], [0.01, 0.01, 0.98]]))
    prompt = np.array([[0]])
    assert generate.greedy(layer, prompt, 2).symbols[:, 0].tolist() == [1, 0]
    out = generate.beam(layer, prompt, 2, 2)
    assert out.symbols[:, 0, 0].tolist() == [2, 2]
    assert np.exp(out.log_probability[0]) == pytest.approx([0.49 * 0.98, 0.5 * 0.4])
    narrow = generate.beam(layer, prompt, 2, 1)
    assert narrow.symbols[:, 0, 0].tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("top_k", [None, 2])
def test_symbols_are_drawn_as_often_as_they_should(temperature, top_k):
    logits = np.array([0.3, 1.0, -0.5, 0.0])
    rows = 20000
    layer = chain_of(np.tile(logits, (V, 1)))
    prompt = np.zeros((1, rows), int)
    out = generate.sample(layer, prompt, 1, 0, temperature=temperature, top_k=top_k)
    expected = softmax(np.where(logits >= 0.3, logits, -np.inf) / temperature if top_k else logits / temperature)
    share = np.bincount(out.symbols[0], minlength=V) / rows
    assert (np.abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / rows)).all()
    np.testing.assert_allclose(out.log_probability, log_softmax(logits)[out.symbols[0]], rtol=1e-12)


def test_the_ends_of_temperature_and_top_k_are_greedy():
    layer = recurrent_model()
    expected = generate.greedy(layer, PROMPT, 8).symbols
    for options in ({"temperature": 1e-4}, {"top_k": 1}, {"temperature": 100.0, "top_k": 1}):
        np.testing.assert_array_equal(generate.sample(layer, PROMPT, 8, 5, **options).symbols, expected)
    np.testing.assert_array_equal(generate.beam(layer, PROMPT, 8, 1).symbols[..., 0], expected)


def test_the_seed_decides_what_is_drawn():
    layer = recurrent_model()
    first, again, other = (generate.sample(layer, PROMPT, 20, seed).symbols for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("write", [generate.greedy, lambda *a, **k: generate.sample(*a, 0, **k)])
def test_a_row_ends_at_its_stop(write):
    always = {0: 1, 1: 2, 2: 3, 3: 0}
    logits = np.full((V, V), -50.0)
    for symbol, after in always.items():
        logits[symbol, after] = 50
    out = write(chain_of(logits), np.array([[0, 2, 3]]), 10, stop=3)
    assert out.symbols.T.tolist() == [[1, 2, 3, 3], [3, 3, 3, 3], [0, 1, 2, 3]]
    assert out.lengths.tolist() == [3, 1, 4]
    assert np.abs(out.log_probability).max() < 1e-20


def test_an_encoder_decoder_writes():
    shared = {"dtype": "float64", "device": "reference"}
    network = EncoderDecoder(Encoder(V, 2, 3, **shared), Decoder(V, 2, 3, attention="dot", **shared))
    randomise(network, scale=2)
    source, lengths = np.array([[1, 2, 0], [3, 0, 0], [2, 0, 0]]), np.array([3, 1, 0])
    state, start = network.encode(source, lengths=lengths), np.zeros((1, 3), int)
    for out in (
        generate.greedy(network.decoder, start, 5, state=state, stop=0),
        generate.sample(network.decoder, start, 5, 3, state=state, stop=0),
    ):
        logits, _ = network.forward((source, out.symbols), lengths=(lengths, out.lengths))
        logp = np.take_along_axis(log_softmax(logits, axis=-1), out.symbols[..., None], axis=-1)[..., 0]
        there = np.arange(len(out.symbols))[:, None] < out.lengths
        np.testing.assert_allclose(out.log_probability, (logp * there).sum(axis=0), rtol=1e-11)
    found = generate.beam(network.decoder, start, 5, 3, state=state, stop=0)
    best = found.symbols[..., 0]
    logits, _ = network.forward((source, best), lengths=(lengths, found.lengths[:, 0]))
    logp = np.take_along_axis(log_softmax(logits, axis=-1), best[..., None], axis=-1)[..., 0]
    there = np.arange(len(best))[:, None] < found.lengths[:, 0]
    np.testing.assert_allclose(found.log_probability[:, 0], (logp * there).sum(axis=0), rtol=1e-11)


def test_weights_are_packed_once_and_writable_again(monkeypatch):
    layer, packed = recurrent_model(), []
    frozen = Recurrent.frozen
    monkeypatch.setattr(Recurrent, "frozen", lambda self: packed.append(self) or frozen(self))
    generate.greedy(layer, PROMPT, 5)
    assert packed == [layer.parts["hidden"]]
    assert all(value.flags.writeable for value in layer.parameters().values())


def test_nothing_to_write_and_nobody_to_write_for():
    layer = recurrent_model()
    for rows, steps in ((2, 0), (0, 3)):
        prompt = np.zeros((1, rows), int)
        for stop in (None, 1):
            out = generate.greedy(layer, prompt, steps, stop=stop)
            assert out.symbols.shape[1] == rows and out.symbols.size == 0 and out.lengths.shape == (rows,)
            assert generate.beam(layer, prompt, steps, 2, stop=stop).lengths.shape == (rows, 2)


def test_bad_arguments_are_refused():
    layer = recurrent_model()
    for temperature in (0, -1.0, np.inf, np.nan, True):
        with pytest.raises(ValueError, match="temperature: got"):
            generate.sample(layer, PROMPT, 2, 0, temperature=temperature)
    with pytest.raises(ValueError, match="top_k: got 0"):
        generate.sample(layer, PROMPT, 2, 0, top_k=0)
    with pytest.raises(ValueError, match="width: got 0"):
        generate.beam(layer, PROMPT, 2, 0)
    with pytest.raises(ValueError, match="steps: got -1"):
        generate.greedy(layer, PROMPT, -1)
    for write in (generate.greedy, lambda *given, **options: generate.beam(*given, 2, **options)):
        with pytest.raises(ValueError, match=f"stop: got {V}, expected a symbol that the layer writes, 0 to {V - 1}"):
            write(layer, PROMPT, 1, stop=V)
    with pytest.raises(ValueError, match=r"prompt: got int64 of shape \(0, 2\)"):
        generate.greedy(layer, PROMPT[:0], 1)
    with pytest.raises(ValueError, match="prompt: got float64"):
        generate.greedy(layer, PROMPT.astype(float), 1)
    with pytest.raises(ValueError, match="layer: got 2 replicas"):
        generate.greedy(Embedding(V, V, seed=[0, 1]), PROMPT, 1)
    layer.parts["readout"].params["bias"][0] = np.nan
    with pytest.raises(ValueError, match="logits are NaN or infinite"):
        generate.greedy(layer, PROMPT, 1)


def test_beams_without_a_sequence_hold_nothing_after_their_end():
    layer = chain_of([[0.0, 1.0], [1.0, 0.0]])
    out = generate.beam(layer, np.zeros((1, 1), int), 2, 4, stop=0)  # wider than there are sequences
    assert out.lengths[0].tolist() == [2, 1, 2, 1]
    assert (out.symbols[1:, 0, [1, 3]] == 0).all()
    assert np.isneginf(out.log_probability[0, 3])
