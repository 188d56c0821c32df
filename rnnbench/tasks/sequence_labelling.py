"""Sequence labelling: a label for every word, which the last marker before it decides.

A word w means different things after different markers m, as a word's part of speech depends on what surrounds it:
with K `labels`, x_t is one of K words or of K markers, and the label is (w + m) mod K at a word, m at a marker m
itself. The first symbol is a marker, any other with probability 1/8; words and markers are uniform. `length` is T,
every step is scored, and a row is right if all its labels are.

Chance: the naive predictor knows the current symbol only. At a marker it knows the label; at a word all K are equally
likely: 7/8 of T - 1 steps on average cost ln K, so the loss is 7/8 (T - 1)/T ln K. A row is right with probability
(1/8 + 7/8/K)^(T - 1).

Source: the task is this project's own; sequence labelling is the scenario "many to many, aligned" of Graves,
Supervised Sequence Labelling with Recurrent Neural Networks, Springer 2012.
"""

import math

import numpy as np

from rnnbench.tasks import _options
from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._batches import running
from rnnbench.tasks._pairs import all_right
from rnnbench.tasks._task import Chance, Task

VARIANTS = {"plain": {}}
MARKERS = 1 / 8  # their share


def build(labels=4):
    """Build the task; see the module's docstring."""
    labels = _options.integer("labels", labels, 2)

    def generate(rng, size, length):
        number = rng.integers(0, labels, (length, size))
        marker = rng.random((length, size)) < MARKERS
        marker[0] = True
        last = np.maximum.accumulate(marker * np.arange(length)[:, None], axis=0)
        label = np.take_along_axis(number, last, axis=0) + number * ~marker
        return running(number + labels * marker, label % labels)

    def naive(batch):
        known = np.where(np.eye(labels), 0, IMPOSSIBLE)
        return np.concatenate([np.zeros((labels, labels)), known])[batch.x]

    def chance(length):
        words = 1 - MARKERS
        loss = words * (length - 1) / length * math.log(labels)
        return Chance(loss, (MARKERS + words / labels) ** (length - 1))

    return Task(
        loss="softmax",
        symbols=True,
        inputs=2 * labels,
        outputs=labels,
        length=30,
        shortest=1,
        generate=generate,
        naive=naive,
        chance=chance,
        correct=all_right,
        criterion="All labels of the row are right.",
    )
