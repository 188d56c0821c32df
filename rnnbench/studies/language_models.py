"""Language models of two levels, words and characters: counted, with a window, recurrent; what each knows of a verb.

Rows as in ``learning``, and

=====  ================================================================================================================
kind   columns, beside ``replica``
=====  ================================================================================================================
end    of counts also seen: the part of all possible n-grams that the text holds; unknown: the part of fresh text whose
       words it does not hold; unknown_expected: what that is on average
verb   gap, loss: nats for which verb it is, given that it is one, by how many fillers stand before it (up to 8)
=====  ================================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import log_softmax

from rnnbench import tasks
from rnnbench.layers import Network
from rnnbench.layers.ngram import NGram
from rnnbench.layers.window import WindowModel
from rnnbench.studies.learning import learn, naive
from rnnbench.studies.sizes import units
from rnnbench.studies.softmaxes import learn_words
from rnnbench.studies.words import Words, of_text
from rnnbench.tasks import Task

WORDS = Words(subjects=140, fillers=150, verbs=9)
MANY_WORDS = Words(subjects=950, fillers=1000, verbs=49)
LENGTH, BATCH, EMBEDDING = 50, 20, 16


def task_of(level: str) -> Task:
    """Return the task of predicting "words" or "characters"."""
    return WORDS.task(LENGTH) if level == "words" else tasks.get("characters")


def text_of(level: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a text of so many words or characters."""
    return WORDS.text(rng, size) if level == "words" else task_of(level).batch(rng, 1, size).x[:, 0]


def count(setting: Mapping, rng: np.random.Generator) -> list[dict]:
    """Count n-grams (n is `order`) of `seeds` texts of `text` symbols of a `level`."""
    level, order, task = setting["level"], setting["order"], task_of(setting["level"])
    rows = [naive(task, LENGTH)]
    for r in range(setting["seeds"]):
        text, test = (text_of(level, rng, size) for size in (setting["text"], 5000))
        model = NGram(order, task.outputs, smoothing="backoff").fit([text])
        row = {"kind": "end", "replica": r, "outcome": "training", "parameters": sum(model.sizes)}
        row |= {"loss": -model.log_probability([test]) / len(test), "seen": model.sizes[-1] / task.outputs**order}
        row |= {"unknown": float((~np.isin(test, text)).mean())}
        if level == "words":
            row["unknown_expected"] = float(WORDS.shares @ (1 - WORDS.shares) ** len(text))
            at = np.flatnonzero(WORDS.is_verb(test))
            logp = [np.log(model.probabilities(test[t - min(order - 1, t) : t])) for t in at]
            rows += _by_gap(r, test, at, np.stack(logp))
        rows.append(row)
    return rows


def train(setting: Mapping, rng: np.random.Generator) -> list[dict]:
    """Train on windows of one text of `text` symbols; fresh text is what it is judged by."""
    level, task = setting["level"], task_of(setting["level"])
    text, test = (text_of(level, one, size) for one, size in zip(rng.spawn(2), (setting["text"], 10_000), strict=True))

    def verbs(trainer, _):
        network = trainer.network
        x = np.repeat(test[None, :, None], network.copies, axis=0)
        y, _ = network.forward(x[:, :-1], tape=False)
        at = np.flatnonzero(WORDS.is_verb(test))
        return [row for r in range(network.copies) for row in _by_gap(r, test, at, y[r, at - 1, 0].astype(float))]

    return learn(
        _builder(setting, task), of_text(task, text), rng, seeds=setting["seeds"], steps=setting["steps"],
        rate=setting["rate"], batch_size=BATCH, length=LENGTH, test=200, judged=task,
        also=verbs if level == "words" else None,
    )  # fmt: skip


def softmax(setting: Mapping, rng: np.random.Generator) -> list[dict]:
    """Train with one `readout` on the larger vocabulary."""
    options = {"samples": 64, "distribution": MANY_WORDS.shares} if setting["readout"] == "sampled" else {}
    return learn_words(
        MANY_WORDS, setting["readout"], rng, seeds=setting["seeds"], steps=setting["steps"], **options
    )  # fmt: skip


def _by_gap(replica, test, at, logits):
    verbs = logits[:, 1 : WORDS.verbs + 1]
    losses = -log_softmax(verbs, axis=-1)[np.arange(len(at)), test[at] - 1]
    gaps = WORDS.gaps(test)[at]
    return [
        {"kind": "verb", "replica": replica, "gap": gap, "loss": float(losses[gaps == gap].mean())}
        for gap in range(9)
        if (gaps == gap).any()
    ]


def _builder(setting, task) -> Callable:
    """The window network, or a recurrent one with as many parameters."""
    symbols, window, hidden = task.outputs, setting["window"], setting["hidden"]
    if setting["model"] == "window":
        return lambda seed: WindowModel(symbols, window, EMBEDDING, hidden, seed=seed)
    size = EMBEDDING + hidden * (window * EMBEDDING + 1) + symbols * (hidden + 1)
    width = units(setting["cell"], EMBEDDING, symbols, size)
    return lambda seed: Network.build(setting["cell"], symbols, symbols, width, embedding=EMBEDDING, seed=seed)
