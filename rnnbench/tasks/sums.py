"""Sum: add up the inputs.

Each step has a number, normal with mean 0 and variance 1. In the variant running the sum so far is asked for at every
step, in final that of all numbers at the last step only. `length` is how many there are. A linear unit with all weights
1 solves it.

Chance: the naive predictor says 0, the mean. A sum of t numbers has variance t, so the loss is T for the last of T
sums and (T + 1)/2 on average over t = 1 ... T. A sequence is right if the error at its last step is below the
tolerance e: erf(e/sqrt(2 T)).

Options: `final`, `tolerance`.

Source: Grosse, Lecture 7, Part 1: Recurrent Neural Nets, example 1. It gives neither a distribution of the inputs nor a
criterion of success; those are ours.
"""

import math

from rnnbench.tasks import _batches, _options
from rnnbench.tasks._answers import constant, near_at_end
from rnnbench.tasks._task import Chance, Task

VARIANTS = {"running": {}, "final": {"final": True}}


def build(final=False, tolerance=0.04):
    """Build the task; see the module's docstring."""
    final = _options.flag("final", final)
    tolerance = _options.number("tolerance", tolerance, least=1e-9)

    def generate(rng, size, length):
        x = rng.standard_normal((length, size, 1))
        if final:
            return _batches.final(x, x.sum(axis=0))
        return _batches.running(x, _batches.sums_so_far(x))

    def chance(length):
        return Chance(float(length) if final else (length + 1) / 2, math.erf(tolerance / math.sqrt(2 * length)))

    return Task(
        loss="squared",
        symbols=False,
        inputs=1,
        outputs=1,
        length=20,
        shortest=1,
        generate=generate,
        naive=constant(0),
        chance=chance,
        correct=near_at_end(tolerance),
        criterion="The error at the last step is below the tolerance in every sequence of a test set.",
    )
