"""Compare sums: which of two inputs has the larger sum?

Each step has two numbers, normal with mean 0 and variance 1. In the variant running the question is asked of the sums
so far at every step (1: the first is larger), in final at the last step only. `length` is the number of steps. A linear
unit with weights 1, -1 and 1, read out by a logistic unit of weight 5, solves it but for its doubts near 0.

Chance: by symmetry the answer is 1 with probability 1/2 at every step: ln 2. The predictor that always says 0 is right
about the last step with probability 1/2. Right about all T of them it is if the difference of the sums, a random walk
with symmetric continuous steps, is never above 0: that has probability C(2T, T)/4^T, whatever the distribution of the
steps (Sparre Andersen, On the fluctuations of sums of random variables, Mathematica Scandinavica 1953).

Options: `final`.

Source: Grosse, Lecture 7, Part 1: Recurrent Neural Nets, example 2. It gives neither a distribution of the inputs nor a
criterion of success; those are ours.
"""

import math

from rnnbench.tasks import _batches, _options
from rnnbench.tasks._answers import constant, right_signs
from rnnbench.tasks._task import Chance, Task

VARIANTS = {"running": {}, "final": {"final": True}}


def build(final=False):
    """Build the task; see the module's docstring."""
    final = _options.flag("final", final)

    def generate(rng, size, length):
        x = rng.standard_normal((length, size, 2))
        larger = (_batches.sums_so_far(x[..., :1] - x[..., 1:]) > 0).astype(float)
        return _batches.final(x, larger[-1]) if final else _batches.running(x, larger)

    def chance(length):
        return Chance(math.log(2), 0.5 if final else math.comb(2 * length, length) / 4**length)

    return Task(
        loss="logistic",
        symbols=False,
        inputs=2,
        outputs=1,
        length=20,
        shortest=1,
        generate=generate,
        naive=constant(0),
        chance=chance,
        correct=right_signs,
        criterion="Every answer asked for is right, in every sequence of a test set.",
    )
