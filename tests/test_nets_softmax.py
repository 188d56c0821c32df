"""Softmaxes for large vocabularies: distributions that add up to 1, estimates whose mean is what it should be."""

import numpy as np
import pytest
from net_checks import check_gradients, check_replicas, randomise
from scipy.special import expit, log_softmax, logsumexp

from rnnbench.layers.hierarchical_softmax import HierarchicalSoftmax
from rnnbench.layers.sampled_softmax import SampledSoftmax

T, B, H, V = 3, 4, 3, 11


def hierarchical(seed=0, dtype="float64", classes=None):
    return HierarchicalSoftmax(H, V, classes=classes, seed=seed, dtype=dtype)


def sampled(method="softmax", seed=0, dtype="float64", samples=6, distribution="log-uniform"):
    return SampledSoftmax(H, V, samples=samples, method=method, distribution=distribution, seed=seed, dtype=dtype)


def draw(*lead, dtype="float64"):
    rng = np.random.default_rng(1)
    return rng.normal(size=(*lead, T, B, H)).astype(dtype), rng.integers(0, V, (*lead, T, B))


# ---- two levels ----

CLASSES = [None, 1, V, np.array([2, 0, 1, 0, 2, 2, 0, 1, 1, 0, 2])]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_the_probabilities_of_all_words_add_up_to_1(classes):
    layer = randomise(hierarchical(classes=classes), scale=2)
    h, words = draw()
    logp = layer.log_probabilities(h)
    np.testing.assert_allclose(np.exp(logp).sum(axis=-1), 1, rtol=1e-12)
    for word in range(V):
        y, _ = layer.forward((h, np.full((T, B), word)))
        np.testing.assert_allclose(y, logp[..., word], rtol=1e-12)
    y, _ = layer.forward((h, words))
    np.testing.assert_allclose(y, np.take_along_axis(logp, words[..., None], axis=-1)[..., 0], rtol=1e-12)


def test_a_word_is_its_class_and_its_place_there():
    classes = CLASSES[-1]
    layer = randomise(hierarchical(classes=classes))
    h, words = draw()
    y, _ = layer.forward((h, words))
    p = layer.params
    for t, b in np.ndindex(T, B):
        of_class = log_softmax(p["class_weight"] @ h[t, b] + p["class_bias"])
        c = classes[words[t, b]]
        logits = {v: p["weight"][v] @ h[t, b] + p["bias"][v] for v in range(V) if classes[v] == c}
        expected = of_class[c] + logits[words[t, b]] - logsumexp(list(logits.values()))
        assert y[t, b] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_gradients_of_two_levels(classes):
    check_gradients(randomise(hierarchical(classes=classes)), draw())


def test_replicas_of_two_levels():
    check_replicas(lambda seed: hierarchical(seed, "float32"), draw(3, dtype="float32"))


def test_classes_are_cut_evenly():
    assert [len(members) for members in HierarchicalSoftmax(2, 100).members] == [10] * 10
    assert sorted(len(members) for members in hierarchical().members) == [2, 3, 3, 3]


# ---- drawn words ----


class Redrawn(SampledSoftmax):
    """Draws the same words at every call, and without a tape too."""

    def _forward(self, x, state, lengths, keep):
        self.random = [np.random.default_rng(3)]
        return super()._forward(x, state, lengths, True)


@pytest.mark.parametrize("method", ["softmax", "negative"])
def test_gradients_of_a_draw(method):
    layer = Redrawn(H, V, samples=6, method=method, dtype="float64")
    check_gradients(randomise(layer), draw())


@pytest.mark.parametrize("method", ["softmax", "negative"])
def test_replicas_of_a_draw(method):
    check_replicas(lambda seed: sampled(method, seed, "float32"), draw(3, dtype="float32"))


def many(layer, draws):
    """y, and dh and the gradient by the logits' biases of dy = 1, over many draws."""
    h, words = draw()
    found = []
    for _ in range(draws):
        layer.zero_grad()
        y, _ = layer.forward((h, words))
        (dh, _), _ = layer.backward(np.ones_like(y))
        found.append((y, dh))
    return [np.array(values) for values in zip(*found, strict=True)]


def assert_mean(values, expected):
    """Within 5 standard errors, number by number."""
    error = values.std(axis=0) / np.sqrt(len(values)) + 1e-12
    assert (np.abs(values.mean(axis=0) - expected) < 5 * error).all()


@pytest.mark.parametrize("distribution", ["log-uniform", "uniform", np.arange(1.0, V + 1)], ids=str)
def test_the_sum_of_the_softmax_and_its_gradient_are_right_on_average(distribution):
    layer = randomise(sampled(distribution=distribution))
    h, words = draw()
    logits = h @ layer.params["weight"].T + layer.params["bias"]
    of_word = np.take_along_axis(logits, words[..., None], axis=-1)[..., 0]
    y, dh = many(layer, 4000)
    z = np.exp(logsumexp(logits, axis=-1))
    assert_mean(np.exp(of_word - y), z)
    p = np.exp(log_softmax(logits, axis=-1))
    exact = layer.params["weight"][words] - p @ layer.params["weight"]
    assert_mean(np.exp(of_word - y)[..., None] * dh, z[..., None] * exact)
    assert (y.mean(axis=0) > of_word - np.log(z)).all()


def test_more_words_come_nearer_to_the_softmax():
    h, words = draw()
    off = []
    for samples in (5, 50, 5000):
        layer = randomise(sampled(samples=samples))
        exact, _ = layer.forward((h, words), tape=False)
        y, _ = many(layer, 40)
        off.append(np.abs(y.mean(axis=0) - exact).mean())
    assert off[0] > 3 * off[1] > 9 * off[2] and off[2] < 1e-2


def test_negative_sampling_is_right_on_average_and_at_rest_at_its_best():
    layer = randomise(sampled("negative"))
    h, words = draw()
    logits = h @ layer.params["weight"].T + layer.params["bias"]
    of_word = np.take_along_axis(logits, words[..., None], axis=-1)[..., 0]
    y, dh = many(layer, 4000)
    kq = layer.samples * layer.q
    assert_mean(y, np.log(expit(of_word)) + np.log(expit(-logits)) @ kq)
    pull = expit(-of_word)[..., None] * layer.params["weight"][words]
    assert_mean(dh, pull - (expit(logits) * kq) @ layer.params["weight"])
    # With s = ln P - ln K q, what the words of P pull and what q pushes away are equal, word by word.
    p = np.random.default_rng(0).dirichlet(np.ones(V))
    layer.params["weight"][...], layer.params["bias"][...] = 0, np.log(p) - np.log(kq)
    s = layer.params["bias"]
    np.testing.assert_allclose(p * expit(-s), kq * expit(s), rtol=1e-12)
    np.testing.assert_allclose(layer.log_probabilities(h), np.broadcast_to(np.log(p), (T, B, V)), rtol=1e-10)


@pytest.mark.parametrize("distribution", ["log-uniform", "uniform", np.arange(1.0, V + 1)], ids=str)
def test_words_are_drawn_from_q(distribution):
    layer = sampled(samples=20000, distribution=distribution)
    assert layer.q.sum() == pytest.approx(1, rel=1e-12)
    assert len(np.unique(layer.q)) == (1 if layer.q[0] == layer.q[1] else V)
    _, _, tape = layer.forward(draw(), tape=True)
    share = np.bincount(tape.saved[2][0], minlength=V) / 20000
    assert (np.abs(share - layer.q) < 5 * np.sqrt(layer.q / 20000)).all()


@pytest.mark.parametrize("method", ["softmax", "negative"])
def test_without_a_tape_it_is_exact(method):
    layer, (h, words) = randomise(sampled(method)), draw()
    y, _ = layer.forward((h, words), tape=False)
    logp = layer.log_probabilities(h)
    np.testing.assert_array_equal(y, np.take_along_axis(logp, words[..., None], axis=-1)[..., 0])
    np.testing.assert_allclose(np.exp(logp).sum(axis=-1), 1, rtol=1e-12)


def test_bad_arguments_are_refused():
    for options, told in (
        ({"classes": 12}, "classes: got 12 for 11 words"), ({"classes": np.zeros(3, int)}, "classes: got int64"),
        ({"classes": np.arange(V) * 2}, "classes: got no word of class 1"), ({"classes": 0}, "classes: got 0"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            hierarchical(**options)
    for options, told in (
        ({"samples": 0}, "samples"), ({"method": "nce"}, "method"), ({"distribution": "zipf"}, "distribution"),
        ({"distribution": np.zeros(V)}, r"distribution: got shape \(11,\)"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            sampled(**options)
    h, words = draw()
    for layer in (hierarchical(), sampled()):
        with pytest.raises(ValueError, match="words: got symbols from 11 to 11, expected 0 to 10"):
            layer.forward((h, np.full((T, B), V)))
        with pytest.raises(ValueError, match=r"words: got shape \(2, 4\), expected \(3, 4\)"):
            layer.forward((h, words[:2]))
        with pytest.raises(TypeError, match="words: got dtype float64"):
            layer.forward((h, words.astype(float)))
