"""Symbols, a pause, a delimiter, and the symbols again: what copy and noiseless memorization share."""

from __future__ import annotations

import math

import numpy as np

from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._task import Batch, Chance, Task

BLANK = 0


def recall_task(symbols, recall, delimiter, recall_only, length, criterion):
    """Return a task with x of length + 2 recall steps: 0 is the blank, 1 ... symbols are told, symbols + 1 delimits.

    Parameters
    ----------
    symbols, recall : int
        Size of the alphabet; how many of it are shown and recalled.
    delimiter : int
        Step of the delimiter, from the first step of the recall (-1: the one before it).
    recall_only : bool
        Whether success asks for the recall only, or for the blanks before it too.
    """

    def generate(rng, size, length):
        steps = length + 2 * recall
        shown = rng.integers(1, symbols, (recall, size), endpoint=True)
        x = np.zeros((steps, size), np.int64)
        target = np.zeros((steps, size), np.int64)
        x[:recall] = shown
        x[steps - recall + delimiter] = symbols + 1
        target[-recall:] = shown
        return Batch(x, target, np.ones((steps, size), bool))

    def naive(batch):
        logits = np.full((*batch.mask.shape, symbols + 1), IMPOSSIBLE)
        logits[:-recall, :, BLANK] = 0
        logits[-recall:, :, 1:] = 0
        return logits

    def chance(length):
        return Chance(recall * math.log(symbols) / (length + 2 * recall), float(symbols) ** -recall)

    def correct(outputs, batch):
        first = -recall if recall_only else 0
        return (outputs[first:].argmax(axis=-1) == batch.target[first:]).all(axis=0)

    return Task("softmax", True, symbols + 2, symbols + 1, length, 1, generate, naive, chance, correct, criterion)
