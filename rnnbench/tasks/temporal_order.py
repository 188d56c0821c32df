"""Temporal order: which of two symbols came first, which second (and which third)?

All symbols are random distractors out of four, but for two or three steps that bear one of two relevant symbols. The
class at the last step says which, in their order: 4 or 8 classes.

=========  ========  =========================================  ===================================================
variant    relevant  first steps of the windows                 right
=========  ========  =========================================  ===================================================
pascanu    2         0.1 T, 0.5 T                               the likeliest class
pascanu_3  3         0.1 T, 0.3 T, 0.6 T                        the likeliest class
lstm_97    2         0.1 T, 0.5 T                               every class within 0.3 of 1 (target) or 0 (others)
lstm_97_3  3         0.1 T, 0.33 T, 0.66 T                      every class within 0.3 of 1 (target) or 0 (others)
=========  ========  =========================================  ===================================================

`length` is T. For Pascanu et al. a row has T steps and a window T/10 (the last step left out: [0.1 T, 0.2 T)). In the
LSTM paper T is 100, a row has T to T + T/10 steps and starts and ends with symbols of their own, and a window has its
last step too (10 to 20); its outputs are logistic units with squared errors, here probabilities of a softmax.

Symbols: 0 and 1 are relevant, 2 to 5 distract, 6 starts, 7 ends. The class is v1 + 2 v2 (+ 4 v3).

Chance: the relevant symbols are independent and uniform, and the distractors say nothing of them, so all classes alike
are ln 4 (ln 8) and the likeliest is right in 1/4 (1/8). No class is then within 0.5 of 1: by the LSTM paper's criterion
nothing is right. (A constant that is sure of one class would be right in 1/4 by it, at a large loss.)

Options: `relevant` (2 or 3), `ends` (whether rows are as in the LSTM paper), `tolerance` (None, or up to 0.5).

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiments 6a and 6b; Pascanu,
Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML 2013, and the authors' code.
"""

import math

import numpy as np

from rnnbench.tasks import _batches, _options
from rnnbench.tasks._answers import constant, right_class_at_end
from rnnbench.tasks._task import Chance, Task

VARIANTS = {
    "pascanu": {},
    "pascanu_3": {"relevant": 3},
    "lstm_97": {"ends": True, "tolerance": 0.3},
    "lstm_97_3": {"relevant": 3, "ends": True, "tolerance": 0.3},
}
START, END = 6, 7


def build(relevant=2, ends=False, tolerance=None):
    """Build the task; see the module's docstring."""
    relevant = _options.one_of("relevant", relevant, [2, 3])
    ends = _options.flag("ends", ends)
    tolerance = _options.number_or_none("tolerance", tolerance, 1e-9, 0.5)
    percent = (10, 50) if relevant == 2 else (10, 33, 66) if ends else (10, 30, 60)
    classes = 2**relevant

    def generate(rng, size, length):
        steps = length + length // 10 if ends else length
        lengths = rng.integers(length, steps, size, endpoint=True) if ends else None
        x = rng.integers(2, 6, (steps, size))
        rows = np.arange(size)
        first_steps = length * np.array(percent)[:, None] // 100
        where = first_steps + rng.integers(0, length // 10, (relevant, size), endpoint=ends)
        values = rng.integers(0, 2, (relevant, size))
        x[where, rows] = values
        if ends:
            x[0] = START
            x[lengths - 1, rows] = END
            _batches.blank_after_end(x, lengths)
        return _batches.final(x, 2 ** np.arange(relevant) @ values, lengths)

    def chance(length):
        return Chance(math.log(classes), 1 / classes if tolerance is None else 0.0)

    return Task(
        loss="softmax",
        symbols=True,
        inputs=8 if ends else 6,
        outputs=classes,
        length=100,
        shortest=10,
        generate=generate,
        naive=constant(*[0] * classes),
        chance=chance,
        correct=right_class_at_end(tolerance),
        criterion=(
            "The last 2,000 sequences were all right and their mean squared error is below 0.1."
            if ends
            else "Less than 1 % of 10,000 sequences are wrong."
        ),
    )
