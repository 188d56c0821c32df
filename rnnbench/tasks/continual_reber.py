"""Continual Reber: embedded Reber strings in one stream that nobody cuts.

Strings as in :mod:`rnnbench.tasks.embedded_reber` follow each other without a pause, and the network is not reset
between them. A row starts with a string and has `length` predictions, wherever that ends. A row is right if, at every
step, the one or two symbols that may come next have the largest outputs.

Entropy: 7 bits in 12 symbols on average, so in a long stream no predictor gets below 7 ln 2 / 12 = 0.404 a
prediction. ``least_loss`` gives the exact value of a row.

Chance: the naive predictor knows the current symbol only and says how often each other follows it; ``_automaton.py``
derives what it loses, 1.281 a prediction in a long stream. It does not get beyond the inner string's first choice.

Source: Gers, Schmidhuber and Cummins, Learning to Forget: Continual Prediction with LSTM, Neural Computation 2000.
They test on streams of up to 10^6 symbols and end a stream at the first error.
"""

from rnnbench.tasks import _grammar, _reber

VARIANTS = {"gers_00": {}}


def build():
    """Build the task; see the module's docstring."""
    return _grammar.stream_task(_reber.embedded(), length=100)
