"""Lookahead: say now the symbol that comes `ahead` steps later.

y_t = x_{t + ahead} for random symbols, scored at every step but the last `ahead` ones. Nothing of the past tells the
future: a network that reads forward only stays at chance, whatever its size; the backward half of a bidirectional one
only has to keep `ahead` symbols. `length` is T. A row is right if all its scored symbols are.

Chance: symbols are independent and uniform, so the naive predictor gives all of `symbols` (4) the same probability:
the loss is ln 4. Its T - ahead guesses are all right with probability 4^-(T - ahead).

Source: Schuster and Paliwal, Bidirectional Recurrent Neural Networks, IEEE Transactions on Signal Processing 1997,
for the network; the task is the plainest case of what it is for.
"""

import math

import numpy as np

from rnnbench.tasks import _options
from rnnbench.tasks._answers import constant
from rnnbench.tasks._pairs import all_right
from rnnbench.tasks._task import Batch, Chance, Task

VARIANTS = {"plain": {}}


def build(ahead=3, symbols=4):
    """Build the task; see the module's docstring."""
    ahead = _options.integer("ahead", ahead, 1)
    symbols = _options.integer("symbols", symbols, 2)

    def generate(rng, size, length):
        x = rng.integers(0, symbols, (length, size))
        target = np.zeros_like(x)
        target[:-ahead] = x[ahead:]
        mask = np.zeros(x.shape, bool)
        mask[:-ahead] = True
        return Batch(x, target, mask)

    return Task(
        loss="softmax",
        symbols=True,
        inputs=symbols,
        outputs=symbols,
        length=max(20, ahead + 1),
        shortest=ahead + 1,
        generate=generate,
        naive=constant(*[0.0] * symbols),
        chance=lambda length: Chance(math.log(symbols), float(symbols) ** (ahead - length)),
        correct=all_right,
        criterion="All symbols of the row are right.",
    )
