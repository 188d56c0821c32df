"""What the experiments on sequences share: languages and stories with known answers, descent, probes."""

import numpy as np
import pytest
from scipy.stats import entropy

from rnnbench import tasks
from rnnbench.layers import Dense, Network
from rnnbench.layers.decoder import Decoder
from rnnbench.layers.encoder_decoder import Encoder, EncoderDecoder
from rnnbench.runner import scratch
from rnnbench.runner.claims import holds
from rnnbench.studies import descent as descents
from rnnbench.studies import facts, misses, pairs, writing
from rnnbench.studies.context import parameters
from rnnbench.studies.descent import Descent
from rnnbench.studies.learning import learn, network_for
from rnnbench.studies.pairs import source_gradients
from rnnbench.studies.replicas import alone
from rnnbench.studies.words import Words, of_text
from rnnbench.training.losses import loss as loss_of

SMALL = Words(subjects=6, fillers=5, verbs=2, more=0.5)


def read(text, words):
    """A sentence's parts, by a plain loop over whole sentences."""
    sentence = []
    for word in text.tolist():
        sentence.append(word)
        if word == 0:
            yield sentence
            sentence = []


def test_the_language_says_what_it_promises():
    rng = np.random.default_rng(0)
    text = SMALL.text(rng, 40_000)
    sentences = list(read(text, SMALL))
    for subject, *fillers, verb, end in sentences:
        assert 2 < subject < 9 and verb == 1 + (subject - 3) % 2 and end == 0 and all(word >= 9 for word in fillers)
    counts = np.bincount(text, minlength=SMALL.vocabulary) / len(text)
    np.testing.assert_allclose(counts, SMALL.shares, atol=0.01)
    np.testing.assert_allclose(np.mean([len(one) for one in sentences]), 3 + SMALL.mean_fillers, rtol=0.02)


def test_the_language_has_the_entropy_it_promises():
    rng = np.random.default_rng(1)
    of_subject = {2 + k: (1 / k) / sum(1 / j for j in range(1, 7)) for k in range(1, 7)}
    of_filler = {8 + k: (1 / k) / sum(1 / j for j in range(1, 6)) for k in range(1, 6)}
    cost = words = 0
    for subject, *fillers, _, _ in read(SMALL.text(rng, 100_000), SMALL):
        cost -= np.log(of_subject[subject]) + np.log(0.5)
        cost -= sum(np.log(of_filler[one] * 0.5) for one in fillers)
        words += 3 + len(fillers)
    task = SMALL.task(10)
    np.testing.assert_allclose(cost / words, task.least_loss(10), rtol=0.01)
    batch = task.batch(rng, 4000)
    value, _ = loss_of("softmax", task.naive(batch), batch.target, batch.mask, mean="positions")
    np.testing.assert_allclose(value, task.chance(10).loss, rtol=0.01)
    more = task.chance(10).loss - task.least_loss(10)
    np.testing.assert_allclose(more * 4, entropy(SMALL.of_verbs))


def test_gaps_are_counted():
    text = np.array([3, 9, 10, 1, 0, 4, 2, 0])
    verbs = SMALL.is_verb(text)
    assert SMALL.gaps(text)[verbs].tolist() == [2, 0]


def test_windows_of_a_text():
    text = SMALL.text(np.random.default_rng(0), 60)
    batch = of_text(SMALL.task(5), text).batch(np.random.default_rng(1), 30, 5)
    windows = {tuple(text[i : i + 6]) for i in range(55)}
    assert {(*x, y[-1]) for x, y in zip(batch.x.T, batch.target.T, strict=True)} <= windows


@pytest.mark.parametrize("needed", [1, 2])
def test_stories_have_their_answers(needed):
    story, question, answers = facts.stories(np.random.default_rng(needed), 200, needed)
    persons, places = range(facts.PERSONS), range(facts.PERSONS, facts.PERSONS + facts.PLACES)
    for row, answer in enumerate(answers):
        where, taken = {}, {}
        for fact in story[:, row]:
            words = np.flatnonzero(fact).tolist()
            assert len(words) == 3
            [who] = [word for word in words if word in persons]
            what = words[1]
            (where if what in places else taken)[who if what in places else what] = what if what in places else who
        [asked] = np.flatnonzero(question[row])
        assert where[taken[asked] if needed == 2 else asked] == facts.PERSONS + answer
        assert (asked in persons) == (needed == 1)


def test_smoothing_is_that_of_the_loop():
    seen = {}

    def keep(trainer, _):
        seen["losses"], seen["rows"] = trainer.history.loss, writing.smoothed(trainer, points=4)
        return []

    task = tasks.get("characters")
    build = network_for(task, "elman", 4)
    learn(build, task, np.random.default_rng(0), seeds=2, steps=9, rate=0.1, length=20, window=5, test=1, also=keep)
    for r in range(2):
        smooth, found = 5 * np.log(20), {}
        for step, loss in enumerate(seen["losses"][:, r], 1):
            smooth = found[step] = 0.999 * smooth + 0.001 * 5 * loss
        rows = [row for row in seen["rows"] if row["kind"] == "smooth" and row["replica"] == r]
        assert len(rows) == 4 and rows[-1]["step"] == 9
        np.testing.assert_allclose([row["loss"] for row in rows], [found[row["step"]] for row in rows])


def test_what_the_grammar_writes_is_grammatical():
    task = tasks.get("characters")
    x = task.batch(np.random.default_rng(0), 5, 400).x
    for row in x.T:
        right, whole = writing.grammatical("".join(task.alphabet[s] for s in row))
        assert right == whole > 3
    for text in ("the cat sit. ", "the cats sits. ", "the cat by the sits. ", "thecat sits. "):
        assert writing.grammatical(text) == (0, 1)
    assert writing.grammatical("the cows below the hill by the lawn slide. the do") == (1, 1)


def test_a_replica_alone_gives_the_same():
    network = Network.build("gru", 3, 2, 4, embedding="one_hot", seed=[1, 2, 3])
    x = np.random.default_rng(0).integers(0, 3, (5, 6))
    one = alone(network, 1, lambda seed: Network.build("gru", 3, 2, 4, embedding="one_hot", seed=seed))
    np.testing.assert_array_equal(one.forward(x)[0], network.forward(np.stack([x] * 3))[0][1])


def descent(spoil=None):
    network = Dense(3, 2, seed=[1, 2])

    def gradient(step, rng):
        x = np.repeat(rng.normal(size=(1, 4, 3)), 2, axis=0).astype(np.float32)
        if step == spoil:
            x[0] = np.nan
        y, _ = network.forward(x)
        value, dy = loss_of("squared", y, np.zeros_like(y), replicas=True)
        network.backward(dy)
        return value

    return Descent(network, gradient, np.random.default_rng(5), rate=0.05)


def test_descent_goes_on_from_a_checkpoint(tmp_path):
    straight, first, second = descent(), descent(), descent()
    rows = straight.run(8)
    first.run(3)
    first.save(tmp_path / "kept")
    second.load(tmp_path / "kept")
    assert second.run(8) == rows
    np.testing.assert_array_equal(second.flat.values, straight.flat.values)
    assert straight.history.loss[-1].max() < straight.history.loss[0].min()


def test_a_replica_that_diverges_stops_alone():
    spoilt, whole = descent(spoil=4), descent()
    spoilt.run(8)
    whole.run(8)
    assert [row["outcome"] for row in spoilt.ends()] == ["diverged", "training"]
    assert spoilt.ends()[0]["stopped"] == 5
    assert np.isfinite(spoilt.flat.values).all()
    np.testing.assert_array_equal(spoilt.flat.values[1], whole.flat.values[1])


@pytest.mark.parametrize("attention", [None, "dot"])
def test_source_gradients_are_those_of_the_log_probability(attention):
    encoder = Encoder(6, 3, 4, dtype="float64")
    network = EncoderDecoder(encoder, Decoder(6, 3, 4, attention=attention, dtype="float64"), eos=5)
    source, target = np.array([[2], [0], [4]]), np.array([[1], [3]])
    found = source_gradients(network, source, target, place=1)
    table, gradient = encoder.parameters()["embedding.weight"], np.zeros((3, 3))

    def logp():
        y, _ = network.forward((source, target))
        return y[1, 0, 3] - np.log(np.exp(y[1, 0]).sum())

    for s, symbol in enumerate(source[:, 0]):
        for k in range(3):
            before, ends = table[symbol, k], []
            for step in (1e-6, -1e-6):
                table[symbol, k] = before + step
                ends.append(logp())
            table[symbol, k] = before
            gradient[s, k] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(found, np.linalg.norm(gradient, axis=1), rtol=1e-6)


def test_ways_to_tell_a_vector_are_counted():
    cell, bits, hidden = 4 * 3 * 3, 4 * 3 * 8, 3  # of an LSTM
    assert parameters("lstm", 3, "input") == cell + bits + 4 * 3 + hidden + 1
    assert parameters("lstm", 3, "both") - parameters("lstm", 3, "input") == 2 * (8 * 3 + 3)


def test_misses_are_told_only_where_there_are_any():
    good, bad = (holds(name, "It is.", "derived", [name == "good"], note="Seen.") for name in ("good", "bad"))
    found = misses.told([good, bad], {"good": "Why.", "bad": "Why."})
    assert [claim.note for claim in found] == ["Seen.", "Seen. Why."]
    with pytest.raises(KeyError, match="worse"):
        misses.told([good], {"worse": "Why."})


def test_a_translation_that_was_interrupted_is_tested_on_the_same_sentences(tmp_path, monkeypatch):
    task = tasks.get("memorization")

    def learned():
        def build(seed):
            encoder, decoder = Encoder(task.inputs, 3, 4, seed=seed), Decoder(task.inputs, 3, 4, seed=seed)
            return EncoderDecoder(encoder, decoder, eos=task.inputs - 1)

        options = {"seeds": 2, "steps": 20, "rate": 0.01, "length": 3, "test": 50}
        return pairs.learn_pairs(build, {"plain": task}, np.random.default_rng(0), **options)

    whole, save = learned(), Descent.save
    monkeypatch.setattr(descents, "SAVE_AFTER", 0.0)

    def save_and_stop(descent, path):
        save(descent, path)
        if descent.history.steps == 11:
            raise KeyboardInterrupt

    monkeypatch.setattr(Descent, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt), scratch.lent(tmp_path / "kept"):
        learned()
    with scratch.lent(tmp_path / "kept"):
        assert learned() == whole
