"""Counted n-grams against counting by hand, and as distributions."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbench.layers.ngram import NGram

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12).map(lambda s: np.array(s, np.int64)), max_size=4)


def counted(sequences, n):
    """{(context, word): count} by a loop."""
    found = Counter()
    for sequence in sequences:
        padded = [4] * (n - 1) + sequence.tolist()
        found.update(tuple(padded[i : i + n]) for i in range(len(sequence)))
    return found


@given(TEXTS, st.integers(1, 3), st.sampled_from([0.1, 1.0]))
def test_add_k_is_the_ratio_of_counts(sequences, order, k):
    model = NGram(order, 4, k=k).fit(sequences)
    counts = counted(sequences, order)
    assert model.sizes[-1] == len(counts)
    for context in [(), (1,), (2, 3), (0, 1, 2)]:
        padded = ((4,) * order + context)[len(context) + 1 :]
        total = sum(count for window, count in counts.items() if window[:-1] == padded)
        for word in range(4):
            expected = (counts[(*padded, word)] + k) / (total + 4 * k)
            assert model.prob(word, np.array(context, np.int64)) == pytest.approx(expected, rel=1e-12)


def backed_off(sequences, order, discount, context, word):
    """P(word | context) by recursion, word by word."""
    if order == 0:
        return 1 / 4
    counts, context = counted(sequences, order), context[len(context) - order + 1 :]
    after = {w: counts[(*context, w)] for w in range(4) if counts[(*context, w)]}
    shorter = [backed_off(sequences, order - 1, discount, context[1:], w) for w in range(4)]
    total = sum(after.values())
    if not after:
        return shorter[word]
    if len(after) == 4:
        return after[word] / total
    if word in after:
        return (after[word] - discount) / total
    return shorter[word] * discount * len(after) / total / sum(shorter[w] for w in range(4) if w not in after)


@given(TEXTS, st.integers(1, 3), st.sampled_from([0.25, 0.75]))
def test_backoff_is_the_recursion(sequences, order, discount):
    model = NGram(order, 4, smoothing="backoff", discount=discount).fit(sequences)
    for context in [(), (1,), (2, 3)]:
        p = model.probabilities(np.array(context, np.int64))
        padded = (4,) * order + context
        expected = [backed_off(sequences, order, discount, padded, word) for word in range(4)]
        np.testing.assert_allclose(p, expected, rtol=1e-10)
        assert p.min() > 0 and p.sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("smoothing", ["add-k", "backoff"])
def test_perplexity_is_that_of_the_words_one_by_one(smoothing):
    rng = np.random.default_rng(0)
    model = NGram(3, 5, smoothing=smoothing).fit([rng.integers(0, 5, 200), rng.integers(0, 2, 50)])
    texts = [rng.integers(0, 5, 40), np.zeros(0, np.int64), rng.integers(0, 3, 7)]
    log = sum(np.log(model.prob(text[t], text[:t])) for text in texts for t in range(len(text)))
    assert model.log_probability(texts) == pytest.approx(log, rel=1e-12)
    assert model.perplexity(texts) == pytest.approx(np.exp(-log / 47), rel=1e-12)
    assert np.isnan(model.perplexity([]))


def test_a_bigram_learns_a_chain_and_its_start():
    text = np.tile([0, 1, 2], 2000)
    model = NGram(2, 3, k=0.01).fit([text])
    assert model.perplexity([text]) == pytest.approx(1, abs=1e-3)
    assert model.sizes == [3, 4]  # the start's, and three transitions
    assert NGram(1, 3).fit([text]).perplexity([text]) == pytest.approx(3, rel=1e-6)


def test_bad_arguments_are_refused():
    for options, told in (
        ({"order": 0}, "order"), ({"vocabulary": 0}, "vocabulary"), ({"k": 0}, "k: got 0"),
        ({"discount": 1}, "discount"), ({"smoothing": "none"}, "smoothing"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            NGram(**({"order": 2, "vocabulary": 3} | options))
    model = NGram(2, 3)
    with pytest.raises(ValueError, match="got words from 0 to 3, expected 0 to 2"):
        model.fit([np.array([0, 3])])
    for ask in (lambda given: model.fit([given]), model.probabilities):
        with pytest.raises(TypeError, match="got a masked array, expected an array without a mask"):
            ask(np.ma.zeros(3, np.int64))
    with pytest.raises(TypeError, match="expected a 1-D NumPy array of integers"):
        model.fit([np.array([0.5])])
    with pytest.raises(TypeError, match=r"sequences\[0\]: got int64, expected a 1-D NumPy array of integers"):
        model.perplexity(np.array([0, 1]))
    with pytest.raises(ValueError, match="word: got 3"):
        model.prob(3, np.array([0]))
