"""The task of predicting what a stochastic grammar writes: whole strings, or an endless stream of them."""

from __future__ import annotations

import numpy as np

from rnnbench.tasks._task import Batch, Chance, Task


def string_task(automaton):
    """Return the task of predicting whole strings; its length is their number in a row."""

    def generate(rng, size, length):
        symbols, lengths = automaton.strings(rng, size, length)
        mask = np.arange(len(symbols) - 1)[:, None] < lengths - 1
        return Batch(np.where(mask, symbols[:-1], 0), symbols[1:], mask, lengths - 1)

    return _task(automaton, 1, generate, automaton.string_losses, automaton.string_success)


def stream_task(automaton, length):
    """Return the task of predicting a stream of strings; its length is the number of predictions."""

    def generate(rng, size, length):
        symbols = automaton.stream(rng, size, length + 1)
        return Batch(symbols[:-1], symbols[1:], np.ones((length, size), bool))

    return _task(automaton, length, generate, automaton.stream_losses, automaton.stream_success)


def _task(automaton, length, generate, losses, success):
    return Task(
        loss="softmax",
        symbols=True,
        inputs=len(automaton.alphabet),
        outputs=len(automaton.alphabet),
        length=length,
        shortest=1,
        generate=generate,
        naive=automaton.naive,
        chance=lambda length: Chance(losses(length)[0], success(length)),
        correct=automaton.correct,
        criterion="The symbols that may come next have the largest outputs, at every step.",
        alphabet=automaton.alphabet,
        least_loss=lambda length: losses(length)[1],
    )
