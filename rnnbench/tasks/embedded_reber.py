"""Embedded Reber: a Reber string between two T or two P.

A string is B, then T or P with equal probability, a whole Reber string (see :mod:`rnnbench.tasks.reber`), the same T
or P again, and E. The last but one symbol can only be known by who remembers the second one.

`length` counts the strings in a row, written one after another. A row is right if, at every step, the one or two
symbols that may come next have the largest outputs.

Entropy: the first choice and those of the Reber string, 1 + 6 = 7 bits. A string has 8 + 4 = 12 symbols on average,
11 of them predicted: no predictor gets below 7 ln 2 / 11 = 0.441 a prediction.

Chance: the naive predictor knows the current symbol only and says how often each other follows it; ``_automaton.py``
derives what it loses, 1.335 a prediction for rows of one string. It never gets a string right, as in the grammar
inside.

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiment 1; Fahlman, The
Recurrent Cascade-Correlation Architecture, NIPS 1991.
"""

from rnnbench.tasks import _grammar, _reber

VARIANTS = {"lstm_97": {}}


def build():
    """Build the task; see the module's docstring."""
    return _grammar.string_task(_reber.embedded())
