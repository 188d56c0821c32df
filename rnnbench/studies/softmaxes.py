"""Language models trained with a softmax in full, in two levels or of drawn words, judged by the exact loss."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from rnnbench.layers import Dense, Embedding, Layer, Network, Recurrent
from rnnbench.layers.hierarchical_softmax import HierarchicalSoftmax
from rnnbench.layers.sampled_softmax import SampledSoftmax
from rnnbench.runner.record import short
from rnnbench.studies.descent import Descent
from rnnbench.studies.learning import DIGITS
from rnnbench.training.losses import loss as loss_of

HEADS = {"full": Dense, "hierarchical": HierarchicalSoftmax, "sampled": SampledSoftmax}
EMBEDDING, HIDDEN, LENGTH, BATCH, RATE = 16, 32, 20, 20, 0.01


class WordModel(Layer):
    """An LSTM and a softmax of one of the three kinds.

    Parameters
    ----------
    vocabulary : int
    head : "full", "hierarchical" or "sampled"
    seed : list of int or numpy.random.Generator
        One for each replica.
    **options
        Of the softmax.
    """

    takes_symbols = True

    def __init__(self, vocabulary, head, seed, **options):
        super().__init__(replicas=len(seed))
        body = Network(
            embedding=Embedding(vocabulary, EMBEDDING, seed=seed),
            hidden=Recurrent("lstm", EMBEDDING, HIDDEN, seed=seed),
        )
        self.parts = {"body": body, "head": HEADS[head](HIDDEN, vocabulary, seed=seed, **options)}

    def learn(self, words: np.ndarray) -> np.ndarray:
        """Add up the gradient of the mean loss of words (R, T + 1, B) from the second on; return that loss, (R,).

        With drawn words that is their own loss, not the exact one.
        """
        body, head = self.parts["body"], self.parts["head"]
        h, _ = body.forward(words[:, :-1])
        after = np.ascontiguousarray(words[:, 1:])
        if isinstance(head, Dense):
            z, _ = head.forward(h)
            loss, dz = loss_of("softmax", z, after, mean="positions", replicas=True)
            dh, _ = head.backward(dz)
        else:
            y, _ = head.forward((h, after))
            loss = -y.mean(axis=(1, 2))
            (dh, _), _ = head.backward(np.full_like(y, -1 / after[0].size))
        body.backward(dh, need_dx=False)
        return loss

    def loss(self, words: np.ndarray) -> np.ndarray:
        """Return the exact mean loss, (R,)."""
        h, _ = self.parts["body"].forward(words[:, :-1], tape=False)
        head = self.parts["head"]
        if isinstance(head, Dense):
            logp = log_softmax(head.forward(h, tape=False)[0], axis=-1)
        else:
            logp = head.log_probabilities(h)
        return -np.take_along_axis(logp, words[:, 1:, :, None], axis=-1).mean(axis=(1, 2, 3), dtype=float)


def learn_words(language, head: str, rng: np.random.Generator, *, seeds: int, steps: int, **options) -> list[dict]:
    """Train replicas side by side on endless text; rows "curve", "look" (exact losses), "end" and "naive"."""
    task, data = language.task(LENGTH), rng.spawn(1)[0]
    network = WordModel(task.inputs, head, rng.spawn(seeds), **options)
    fresh = _rows(language, rng, 50, seeds)
    descent = Descent(network, lambda step, own: network.learn(_rows(language, own, BATCH, seeds)), data, rate=RATE)

    def look(step):
        return [{"kind": "look", "replica": r, "step": step, "loss": x} for r, x in enumerate(network.loss(fresh))]

    rows = descent.run(steps, look, looks=10) + descent.ends(loss=network.loss(fresh))
    known = {"loss": task.chance(LENGTH).loss, "least_loss": task.least_loss(LENGTH)}
    return [*rows, short({"kind": "naive"} | known, DIGITS)]


def _rows(language, rng, count, replicas):
    """Rows of running text, (R, LENGTH + 1, count), the same for all replicas."""
    text = language.text(rng, count * (LENGTH + 1)).reshape(count, -1).T
    return np.repeat(text[None], replicas, axis=0)
