"""Grammars: entropies derived anew, what is drawn, what no predictor beats; texts of the user's own."""

import math
from collections import Counter
from itertools import pairwise

import naive_tasks_language as oracles
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rnnbench import tasks
from rnnbench.tasks import _reber, _sentences

AUTOMATA = {
    "reber": (_reber.plain(), oracles.reber_next, 6, 8),
    "embedded_reber": (_reber.embedded(), oracles.embedded_next, 7, 12),
    "characters": (_sentences.automaton(), None, 10, 29.25),
}


@pytest.mark.parametrize("name", AUTOMATA)
def test_entropy_and_length(name):
    automaton, _, bits, length = AUTOMATA[name]
    assert_allclose((automaton.entropy, automaton.mean_length), (bits, length), rtol=1e-12)


def coins_of_reber():
    """Coins tossed in a Reber string on average, step by step through the arrows of the oracle's own table."""
    arrows = oracles.REBER.split()
    at, coins = {"0": 1.0}, 0.0
    for _ in range(400):
        following = Counter()
        for state, probability in at.items():
            leaving = [arrow for arrow in arrows if arrow[0] == state]
            coins += probability * math.log2(len(leaving)) if leaving else 0
            for arrow in leaving:
                following[arrow[2]] += probability / len(leaving)
        at = following
    return coins


def test_six_and_seven_bits_derived_anew():
    assert_allclose(coins_of_reber(), 6, rtol=1e-12)
    assert_allclose(tasks.get("reber").least_loss(1), 6 * math.log(2) / 7, rtol=1e-12)
    assert_allclose(tasks.get("embedded_reber").least_loss(1), 7 * math.log(2) / 11, rtol=1e-12)
    assert_allclose(tasks.get("continual_reber").least_loss(20_000), 7 * math.log(2) / 12, rtol=1e-3)
    assert_allclose(tasks.get("characters").least_loss(20_000), 10 * math.log(2) / 29.25, rtol=1e-3)


@pytest.mark.parametrize("name", ["reber", "embedded_reber", "continual_reber", "characters"])
@pytest.mark.parametrize("length", [1, 3, 40])
def test_least_loss_is_that_of_the_true_law(name, length):
    task = tasks.get(name)
    batch = task.batch(np.random.default_rng(1), 300, length)
    ends = [len(batch.x)] * 300 if batch.lengths is None else batch.lengths
    options = {"source": "grammar"} if name == "characters" else {}
    sums = []
    for row, end in enumerate(ends):
        answers = getattr(oracles, name)(batch.x[:end, row].tolist(), **options)
        sums.append(sum(math.log(len(choices)) for choices in answers.values()))
    sums, counts = np.array(sums), batch.mask.sum(axis=0)
    loss = sums.sum() / counts.sum()
    error = np.sqrt(np.mean((sums - loss * counts) ** 2) / len(sums)) / counts.mean()
    assert_allclose(task.least_loss(length), loss, rtol=1e-9, atol=5 * error)
    assert task.least_loss(length) <= task.chance(length).loss


def drawn(name, size):
    automaton = AUTOMATA[name][0]
    symbols, lengths = automaton.strings(np.random.default_rng(2), size, 1)
    return Counter(
        "".join(automaton.alphabet[s] for s in symbols[:n, row]) for row, n in zip(range(size), lengths, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "text", "coins"),
    [
        ("reber", "BTXSE", 3),
        ("reber", "BPVVE", 3),
        ("reber", "BTSXSE", 4),
        ("reber", "BTXXVVE", 5),
        ("embedded_reber", "BTBPVVETE", 4),
        ("embedded_reber", "BPBTXSEPE", 4),
        ("embedded_reber", "BPBTXSETE", None),
        ("characters", "the cat sits. ", 6),
        ("characters", "the ducks below the lawn slide. ", 10),
        ("characters", "the ducks below the lawn slides. ", None),
    ],
)
def test_strings_come_as_often_as_their_coins_say(name, text, coins):
    expected = 0 if coins is None else 2.0**-coins
    share = drawn(name, 50_000)[text] / 50_000
    assert_allclose(share, expected, atol=5 * math.sqrt(expected * (1 - expected) / 50_000))


@pytest.mark.parametrize("name", ["reber", "embedded_reber"])
def test_every_beginning_of_a_stream_is_as_frequent_as_its_coins_say(name):
    automaton, follow, _, _ = AUTOMATA[name]
    drawn, counts = np.unique(automaton.stream(np.random.default_rng(7), 400_000, 8), axis=1, return_counts=True)
    expected = np.ones(len(counts))
    for column, symbols in enumerate(drawn.T):
        text = ""
        for symbol in symbols:
            expected[column] /= len(follow(text))
            text += automaton.alphabet[symbol]
            text = text if follow(text) else ""
    assert_allclose(expected.sum(), 1)
    error = np.sqrt(expected * (1 - expected) / 400_000)
    assert (np.abs(counts / 400_000 - expected) <= 5 * error).all()


def test_rows_of_strings_hold_as_many_as_asked():
    batch = tasks.get("reber").batch(np.random.default_rng(3), 200, 7)
    assert ((batch.x == 0).sum(axis=0) - (np.arange(len(batch.x))[:, None] >= batch.lengths).sum(axis=0) == 7).all()
    assert (batch.target[batch.lengths - 1, np.arange(200)] == 6).all()


@pytest.mark.parametrize("name", AUTOMATA)
def test_memoryless_shares(name):
    automaton = AUTOMATA[name][0]
    stream = automaton.stream(np.random.default_rng(4), 100, 5000)[1000:]
    pairs = np.zeros(automaton.memoryless.shape)
    np.add.at(pairs, (stream[:-1], stream[1:]), 1)
    counts = pairs.sum(axis=1, keepdims=True)
    p = automaton.memoryless
    assert_allclose(p.sum(axis=1), 1, rtol=1e-10)
    error = np.sqrt(p * (1 - p) / counts)
    assert (np.abs(pairs / counts - p) <= 8 * error + 1e-9).all()  # neighbours are not independent: 8, not 5
    assert ((p == 0) == (pairs == 0)).all()


TEXT = "once upon a midnight dreary é🙂\n" * 3 + "é"


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_file_of_the_users_own(text_file):
    task = tasks.get("characters", text=str(text_file))
    assert task.alphabet == tuple(sorted(set(TEXT))) and task.longest == len(TEXT) - 1
    batch = task.batch(np.random.default_rng(0), 500, 20)
    for row in range(500):
        read, said = ("".join(task.alphabet[s] for s in a[:, row]) for a in (batch.x, batch.target))
        assert read + said[-1] in TEXT and read[1:] == said[:-1]
    whole = task.batch(np.random.default_rng(0), 1, len(TEXT) - 1)
    assert "".join(task.alphabet[s] for s in whole.x[:, 0]) == TEXT[:-1]
    assert task.batch(np.random.default_rng(0), 1).x.shape == (50, 1)
    starts = task.batch(np.random.default_rng(0), 2000, len(TEXT) - 2)
    assert len(np.unique(starts.x, axis=1).T) == 2  # the first window and the last


@pytest.mark.parametrize("length", [1, 2, 30])
def test_chance_of_a_file(text_file, length):
    task = tasks.get("characters", text=text_file)
    follow = {a: Counter(TEXT[n + 1] for n in range(len(TEXT) - 1) if TEXT[n] == a) for a in TEXT}
    costs, hits = [], []
    for start in range(len(TEXT) - length):
        window = TEXT[start : start + length + 1]
        pairs = list(pairwise(window))
        costs.append(-sum(math.log(follow[a][b] / follow[a].total()) for a, b in pairs))
        best = {a: min(c for c in follow[a] if follow[a][c] == max(follow[a].values())) for a, _ in pairs}
        hits.append(all(best[a] == b for a, b in pairs))
    chance = task.chance(length)
    assert_allclose((chance.loss, chance.success), (np.mean(costs) / length, np.mean(hits)), rtol=1e-10)


@pytest.mark.parametrize("content", [None, b"", b"x", b"\xff\xfe\xff"])
def test_bad_files_are_refused(tmp_path, content):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"text: got .*text\.txt.* expected the path of a UTF-8 text file"):
        tasks.get("characters", text=str(path))
    with pytest.raises(ValueError, match="text: got"):
        tasks.get("characters", text=str(tmp_path))


def test_hello():
    task = tasks.get("characters", "hello")
    batch = task.batch(np.random.default_rng(0), 2)
    assert task.alphabet == ("e", "h", "l", "o")
    assert "".join(task.alphabet[s] for s in batch.x[:, 0]) == "hell"
    assert "".join(task.alphabet[s] for s in batch.target[:, 0]) == "ello"
    assert_allclose(task.chance(4).loss, 2 * math.log(2) / 4)


@pytest.mark.parametrize("kinds", [1, 2, 4])
def test_dyck_words_are_uniform(kinds):
    batch = tasks.get("dyck", kinds=kinds).batch(np.random.default_rng(5), 40_000, 3)
    words = Counter("".join("()"[int(s >= kinds)] for s in row) for row in batch.x.T)
    assert words.keys() == {"((()))", "(()())", "(())()", "()(())", "()()()"}
    for count in words.values():
        assert_allclose(count / 40_000, 1 / 5, atol=5 * math.sqrt(0.2 * 0.8 / 40_000))
    opened = batch.x[batch.x < kinds]
    shares = np.bincount(opened, minlength=kinds) / len(opened)
    assert_allclose(shares, 1 / kinds, atol=5 / math.sqrt(len(opened)))


@pytest.mark.parametrize("name", ["anbn", "anbncn"])
def test_blocks_are_uniform_from_the_least_to_the_length(name):
    n = (tasks.get(name, least=3).batch(np.random.default_rng(6), 20_000, 7).x == 1).sum(axis=0)
    shares = np.bincount(n, minlength=8) / 20_000
    assert_allclose(shares[:3], 0)
    assert_allclose(shares[3:], 1 / 5, atol=5 * math.sqrt(0.2 * 0.8 / 20_000))
    assert ((tasks.get(name, least=100).batch(np.random.default_rng(6), 5, 100).x == 1).sum(axis=0) == 100).all()
