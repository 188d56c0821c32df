"""Adding: the sum of two marked values.

Each step has a random value and a marker that is 1 at two steps and 0 elsewhere; at the last step the answer is made
of the sum X1 + X2 of the marked values.

========  ======================  ====================================  ===================  =======================
variant   values                  markers                               target               right
========  ======================  ====================================  ===================  =======================
urnn      0 ... 1                 one in each half                      X1 + X2              error below 0.04 (ours)
lstm_97   -1 ... 1                one of the first ten steps, one of    0.5 + (X1 + X2)/4    error below 0.04
                                  the first T/2 - 1 other ones
pascanu   0 ... 1                 one in the first tenth, one from      (X1 + X2)/2          squared error up to 0.04
                                  there to the middle
========  ======================  ====================================  ===================  =======================

`length` is T. A row of urnn has T steps; of lstm_97, T to T + T/10; of pascanu, T up to but not T + T/10 (the authors'
code, which draws one length for a whole batch; here each row has its own). In lstm_97 the first and the last step have
the marker -1, and a value chosen at the first step counts as 0. The paper says so of X1; here it holds for X2 too,
where it happens once in T/2 sequences.

Chance: the naive predictor says the mean.

* urnn: the mean is 1; X has variance 1/12, so the loss is 1/6. D = X1 + X2 - 1 has the density 1 - |d|, so that
  P(\\|D\\| < e) = 1 - (1 - e)^2: 0.0784 for e = 0.04.
* lstm_97: the mean is 0.5 and X has variance 1/3. With probability q = 1/10 + (9/10)/(T/2 - 1) one of the two values is
  that of the first step and is 0, so the loss is (1 - q) (2/3)/16 + q (1/3)/16. The error is below 0.04 where |X1 + X2|
  is below 0.16: the sum has the density (2 - |s|)/4, so 1 - (1 - 0.08)^2 = 0.1536; where one value is 0, 0.16.
* pascanu: the mean is 0.5; the loss (1/6)/4 = 1/24. The squared error is up to 0.04 where |D| is up to 0.4: in 64 % of
  the sequences. Its criterion of success is met by a constant well over half of the time.

Options: `placement` ("halves", "first_ten", "tenths": of the markers, and with it the range of the values), `scale` and
`offset` (target = offset + scale (X1 + X2)), `tolerance` (of the absolute error).

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiment 4; Pascanu, Mikolov and
Bengio, On the difficulty of training recurrent neural networks, ICML 2013, and the authors' code; Arjovsky, Shah and
Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, and the authors' code.
"""

import math

from rnnbench.tasks import _options
from rnnbench.tasks._markers import PLACEMENTS, chance_of_the_first_step, marked_task
from rnnbench.tasks._task import Chance

VARIANTS = {
    "urnn": {},
    "lstm_97": {"placement": "first_ten", "scale": 0.25, "offset": 0.5},
    "pascanu": {"placement": "tenths", "scale": 0.5, "tolerance": 0.2},
}
CRITERIA = {
    "halves": "The absolute error is below the tolerance (the paper shows losses only).",
    "first_ten": "The last 2,000 sequences were all right and their mean error is below 0.01.",
    "tenths": "At most 1 % of 10,000 sequences are wrong.",
}


def build(placement="halves", scale=1.0, offset=0.0, tolerance=0.04):
    """Build the task; see the module's docstring."""
    placement = _options.one_of("placement", placement, list(PLACEMENTS))
    scale = _options.number("scale", scale, least=1e-3)
    offset = _options.number("offset", offset, least=-math.inf)
    tolerance = _options.number("tolerance", tolerance, least=1e-9)
    low = -1.0 if placement == "first_ten" else 0.0
    middle = (low + 1) / 2
    width = 1 - low

    def chance(length):
        one = chance_of_the_first_step(placement, length)
        variance = width**2 / 12
        near = min(tolerance / scale, width)  # of the sum to its mean; it cannot be further than the width
        both_near = 1 - (1 - near / width) ** 2
        one_near = min(2 * near / width, 1)
        return Chance(scale**2 * variance * (2 - one), (1 - one) * both_near + one * one_near)

    return marked_task(
        placement=placement,
        low=low,
        neutral=0.0,
        combine=lambda a, b: offset + scale * (a + b),
        guess=offset + scale * 2 * middle,
        tolerance=tolerance,
        chance=chance,
        criterion=CRITERIA[placement],
    )
