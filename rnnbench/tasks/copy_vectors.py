"""Copying vectors: say again a sequence of random binary vectors.

A row shows n vectors of `bits` bits, then a delimiter on a channel of its own, then n blank steps, at which the target
is the vectors in their order: 2n + 1 steps, n of them scored. n is uniform from 1 to `length`, or `length` itself where
`vary` is False (to test at one length).

Chance: the naive predictor says 1/2 for every bit: `bits` ln 2 a step. n vectors are all right with probability 2^(-n
bits); of rows of varying length that is the mean over n.

Options: `bits`, `vary`.

Source: Graves, Wayne and Danihelka, Neural Turing Machines, arXiv 1410.5401 (2014), section 4.1 (8 bits, 1 to 20
vectors). They give bits wrong per sequence; that all are right is ours.
"""

import math

import numpy as np

from rnnbench.tasks import _options
from rnnbench.tasks._answers import right_signs
from rnnbench.tasks._task import Batch, Chance, Task

VARIANTS = {"ntm": {}}


def build(bits=8, vary=True):
    """Build the task; see the module's docstring."""
    bits = _options.integer("bits", bits, 1)
    vary = _options.flag("vary", vary)

    def generate(rng, size, length):
        counts = rng.integers(1, length, size, endpoint=True) if vary else np.full(size, length)
        shown = rng.integers(0, 2, (counts.max(), size, bits)).astype(np.int8)
        step = np.arange(2 * counts.max() + 1)[:, None]
        x = np.zeros((len(step), size, bits + 1))
        x[: len(shown), :, :bits] = shown * (step[: len(shown)] < counts)[..., None]
        x[..., bits] = step == counts
        mask = (step > counts) & (step <= 2 * counts)
        place = np.clip(step - counts - 1, 0, len(shown) - 1)
        vectors = shown.reshape(-1, bits)  # rows of bits are taken faster than bits
        target = np.take(vectors, place * size + np.arange(size), axis=0) * mask[..., None]
        return Batch(x, target.astype(float), mask, 2 * counts + 1)

    def chance(length):
        counts = np.arange(1 if vary else length, length + 1)
        return Chance(bits * math.log(2), float((0.5 ** (bits * counts)).mean()))

    return Task(
        loss="logistic",
        symbols=False,
        inputs=bits + 1,
        outputs=bits,
        length=20,
        shortest=1,
        generate=generate,
        naive=lambda batch: np.zeros(batch.target.shape),
        chance=chance,
        correct=right_signs,
        criterion="All bits of a sequence are right (the paper counts wrong bits).",
    )
