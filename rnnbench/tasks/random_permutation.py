"""Random permutation: the last symbol is the first one, and all between them are noise.

The first symbol is one of two, the others are drawn from the rest of the alphabet, and what follows the last one is the
first again. `length` is the number of symbols shown.

========  ========  =======================  ========================================================
variant   alphabet  scored                   right
========  ========  =======================  ========================================================
pascanu   100       the last prediction      the likeliest symbol at the end
lstm_97   101       every next symbol        at the end, every symbol within 0.25 of 1 (target) or 0
========  ========  =======================  ========================================================

The LSTM paper (its noisy sequences without local regularities) has p = 100 steps and p + 1 symbols, and outputs that
are logistic units with squared errors; here they are probabilities of a softmax.

Chance: what has forgotten the first symbol can still say that one of the two comes last: ln 2, right in 1/2, and by the
LSTM paper's criterion never, since 1/2 is not within 0.25 of 1. Of the T - 1 symbols before, drawn from K - 2, nobody
can know more than that: ((T - 1) ln(K - 2) + ln 2)/T where all are scored. (A network that says all K symbols alike
starts at ln K.)

Options: `symbols` (K), `every` (whether every next symbol is scored), `tolerance` (None, or up to 0.5).

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiment 2b; Martens and
Sutskever, Learning Recurrent Neural Networks with Hessian-Free Optimization, ICML 2011; Pascanu, Mikolov and Bengio, On
the difficulty of training recurrent neural networks, ICML 2013, and the authors' code.
"""

import math

import numpy as np

from rnnbench.tasks import _batches, _options
from rnnbench.tasks._answers import IMPOSSIBLE, right_class_at_end
from rnnbench.tasks._task import Chance, Task

VARIANTS = {
    "pascanu": {},
    "lstm_97": {"symbols": 101, "every": True, "tolerance": 0.25},
}


def build(symbols=100, every=False, tolerance=None):
    """Build the task; see the module's docstring."""
    symbols = _options.integer("symbols", symbols, 3)
    every = _options.flag("every", every)
    tolerance = _options.number_or_none("tolerance", tolerance, 1e-9, 0.5)

    def generate(rng, size, length):
        row = rng.integers(2, symbols, (length + 1, size))
        row[0] = row[-1] = rng.integers(0, 2, size)
        if every:
            return _batches.running(row[:-1], row[1:])
        return _batches.final(row[:-1], row[-1])

    def naive(batch):
        logits = np.zeros((*batch.mask.shape, symbols))
        logits[:-1, :, :2] = IMPOSSIBLE
        logits[-1, :, 2:] = IMPOSSIBLE
        return logits

    def chance(length):
        before = (length - 1) * math.log(symbols - 2) if every else 0
        loss = (before + math.log(2)) / (length if every else 1)
        return Chance(loss, 0.5 if tolerance is None else 0.0)

    return Task(
        loss="softmax",
        symbols=True,
        inputs=symbols,
        outputs=symbols,
        length=100,
        shortest=1,
        generate=generate,
        naive=naive,
        chance=chance,
        correct=right_class_at_end(tolerance),
        criterion=(
            "Less than 1 % of 10,000 sequences are wrong."
            if tolerance is None
            else "10,000 sequences in a row are right."
        ),
    )
