"""Memorization: read a sequence of digits and write it again.

`length` random digits, the end symbol, then the digits in the order in which they were meant to be read, and the end
symbol. ``generate`` writes both into one row; ``pairs`` gives them apart.

========  ======================
variant   the source
========  ======================
plain     the digits
reversed  the digits backwards
doubled   the digits twice
both      the digits backwards, twice
========  ======================

A row is right if all its digits and the end symbol are; the paper counts characters, each after a correct beginning.

Chance: the naive predictor knows where the target ends, but no digit: ln 10 for each of n digits and nothing for the
end symbol, n ln 10 / (n + 1) a prediction. n guesses are all right with probability 10^-n. Under a curriculum n
varies: the means of n (above and below the line) and of 10^-n.

Options: `reverse`, `double`, `symbols` (10 digits), `curriculum` ("baseline", "naive", "mix", "combined", see
``_curriculum.py``; what is judged should be of the baseline) and `difficulty`, the length that naive and combined
have reached.

Source: Zaremba and Sutskever, Learning to Execute, arXiv 1410.4615 (2014), the memorization task (lengths from 5 to
65).
"""

import math

import numpy as np

from rnnbench.tasks import _curriculum, _options
from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._pairs import all_right, pair_and_stream, with_end
from rnnbench.tasks._task import Chance, Pair, Task

VARIANTS = {
    "plain": {},
    "reversed": {"reverse": True},
    "doubled": {"double": True},
    "both": {"reverse": True, "double": True},
}


def build(reverse=False, double=False, symbols=10, curriculum="baseline", difficulty=1):
    """Build the task; see the module's docstring."""
    reverse = _options.flag("reverse", reverse)
    double = _options.flag("double", double)
    symbols = _options.integer("symbols", symbols, 2)
    curriculum = _options.one_of("curriculum", curriculum, _curriculum.CURRICULA)
    difficulty = _options.integer("difficulty", difficulty, 1)

    def pairs(rng, size, length):
        [lengths] = _curriculum.draw(rng, size, curriculum, (difficulty,), (length,))
        steps = np.arange(lengths.max())[:, None]
        digits = rng.integers(0, symbols, (len(steps), size))
        digits[steps >= lengths] = 0
        copies = 2 if double else 1
        step = np.arange(copies * len(steps))[:, None]
        place = step % lengths
        if reverse:
            place = lengths - 1 - place
        source = np.take_along_axis(digits, place, axis=0)
        source[step >= copies * lengths] = 0
        return Pair(source, copies * lengths, *with_end(digits, lengths, symbols))

    def naive(batch):
        ends = batch.target == symbols
        return np.where(ends[..., None] == (np.arange(symbols + 1) == symbols), 0, IMPOSSIBLE)

    def chance(length):
        lengths, probabilities = _curriculum.distribution(curriculum, difficulty, length)
        mean = probabilities @ lengths
        return Chance(float(mean * math.log(symbols) / (mean + 1)), float(probabilities @ float(symbols) ** -lengths))

    return Task(
        loss="softmax",
        symbols=True,
        inputs=symbols + 1,
        outputs=symbols + 1,
        length=20,
        shortest=1,
        naive=naive,
        chance=chance,
        correct=all_right,
        criterion="All symbols of the target are right (the paper counts characters).",
        alphabet=(*map(str, range(symbols)), "end"),
        **pair_and_stream(pairs, end=symbols),
    )
