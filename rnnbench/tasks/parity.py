"""Parity: is the number of ones odd?

Each step has a bit, 0 or 1 with equal probability. In the variant running the parity of the bits so far is asked at
every step, in final that of all bits at the last step only. `length` is the number of bits; with lengths="uniform" each
row has a number of its own, uniform on 1 ... length, to train at many lengths and then test at longer ones.

Chance: a parity is 0 or 1 with equal probability whatever any part of its bits is, so ln 2 at each scored step. The
predictor that says "even" is right about the last of any bits with probability 1/2; about every one of L prefixes only
if all L bits are 0: 2^-L, on average over L = 1 ... T (1 - 2^-T)/T.

Options: `final`, `lengths` ("fixed" or "uniform").

Sources: Grosse, Lecture 7, Part 1: Recurrent Neural Nets, example 3 (running); Minsky and Papert, Perceptrons, 1969;
Schmidhuber, Hochreiter and Bengio, Evaluating Benchmark Problems by Random Guessing, in A Field Guide to Dynamical
Recurrent Networks, 2001 (final). No criterion of success for training is theirs.
"""

import math

import numpy as np

from rnnbench.tasks import _batches, _options
from rnnbench.tasks._answers import constant, right_signs
from rnnbench.tasks._task import Chance, Task

VARIANTS = {"running": {}, "final": {"final": True}}


def build(final=False, lengths="fixed"):
    """Build the task; see the module's docstring."""
    final = _options.flag("final", final)
    uniform = _options.one_of("lengths", lengths, ["fixed", "uniform"]) == "uniform"

    def generate(rng, size, length):
        rows = rng.integers(1, length, size, endpoint=True) if uniform else None
        bits = rng.integers(0, 2, (length, size), np.uint8)
        _batches.blank_after_end(bits, rows)
        odd = _batches.sums_so_far(bits) & 1  # right beyond 255 too
        x, parity = bits[..., None].astype(float), odd[..., None].astype(float)
        if final:  # zeros after a row's end leave its parity as it is
            return _batches.final(x, parity[-1], rows)
        return _batches.running(x, parity, rows)

    def chance(length):
        all_zero = (1 - 0.5**length) / length if uniform else 0.5**length
        return Chance(math.log(2), 0.5 if final else all_zero)

    return Task(
        loss="logistic",
        symbols=False,
        inputs=1,
        outputs=1,
        length=50,
        shortest=1,
        generate=generate,
        naive=constant(0),
        chance=chance,
        correct=right_signs,
        criterion="Every parity asked for is right, in every sequence of a test set.",
    )
