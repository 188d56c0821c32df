"""Sequence classification: is a text for, against or undecided?

Each of `length` words is "good", "bad", "not" or "and" with equal probability. "good" counts +1 and "bad" -1, with
the other sign after a "not" that no "good" or "bad" has used yet (two of them cancel each other); "and" means
nothing. The class is the sign of the sum, asked at the last step: 0 below zero, 1 at zero, 2 above zero.

Chance: after any number of "not", "good" and "bad" are equally likely, so a step adds -1, 0 or 1 with probability
1/4, 1/2, 1/4, independently of the others: the difference of two fair bits. The sum of T of them is 0 with
probability C(2T, T) 4^-T, and otherwise above or below zero with equal probability. The naive predictor gives these
three: the loss is their entropy, the success the largest of them.

Source: the task is this project's own; it is the scenario "many to one" of Graves, Supervised Sequence Labelling with
Recurrent Neural Networks, Springer 2012.
"""

import numpy as np
from scipy.special import entr, gammaln

from rnnbench.tasks._answers import right_class_at_end
from rnnbench.tasks._batches import final
from rnnbench.tasks._task import Chance, Task

VARIANTS = {"plain": {}}
WORDS = ("good", "bad", "not", "and")


def build():
    """Build the task; see the module's docstring."""
    return Task(
        loss="softmax",
        symbols=True,
        inputs=len(WORDS),
        outputs=3,
        length=20,
        shortest=1,
        generate=_generate,
        naive=lambda batch: np.broadcast_to(np.log(_probabilities(len(batch.x))), (*batch.mask.shape, 3)),
        chance=lambda length: Chance(float(entr(_probabilities(length)).sum()), float(_probabilities(length).max())),
        correct=right_class_at_end(),
        criterion="The class is right.",
        alphabet=WORDS,
    )


def _generate(rng, size, length):
    x = rng.integers(0, len(WORDS), (length, size))
    polar = x < 2
    negations = np.cumsum(x == 2, axis=0)
    used = np.zeros_like(x)  # by the last "good" or "bad" before the step
    used[1:] = np.maximum.accumulate(negations * polar, axis=0)[:-1]
    bad = (x + negations - used) % 2
    return final(x, np.sign((polar * (1 - 2 * bad)).sum(axis=0)) + 1)


def _probabilities(length):
    """Of a sum below, at and above zero."""
    zero = np.exp(gammaln(2 * length + 1) - 2 * gammaln(length + 1) - 2 * length * np.log(2))
    return np.array([(1 - zero) / 2, zero, (1 - zero) / 2])
