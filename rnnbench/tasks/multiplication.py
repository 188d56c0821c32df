"""Multiplication: the product of two marked values.

As adding, but all values are uniform on 0 ... 1 and the target at the last step is the product X1 X2.

========  ==================================================================  ========================
variant   markers                                                             right
========  ==================================================================  ========================
pascanu   one in the first tenth, one from there to the middle                squared error up to 0.04
lstm_97   one of the first ten steps, one of the first T/2 - 1 other ones     error below 0.04
========  ==================================================================  ========================

`length` is T; rows are longer by up to a tenth, as in adding. In lstm_97 the first and the last step have the marker
-1, and a value chosen at the first step counts as 1 (the paper says so of X1; here it holds for X2 too).

Chance: the naive predictor says 1/4, the mean product of two values.

* pascanu: E (X1 X2)^2 = 1/9, so the loss is 1/9 - 1/16 = 7/144. The product has the distribution function F(z) = z - z
  ln z, so the error is up to 0.2 with probability F(0.45) - F(0.05) = 0.6095: a constant meets the criterion of success
  well over half of the time.
* lstm_97: with probability q = 1/10 + (9/10)/(T/2 - 1) one of the two counts as 1 and the product is the other, at a
  loss of 1/12 + 1/16 = 7/48, so (1 - q) 7/144 + q 7/48. The error is below 0.04 with probability F(0.29) - F(0.21) =
  0.1112; where the product is one value, 0.08.

Options: `placement` ("tenths", "first_ten", "halves"), `tolerance` (of the absolute error).

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiment 5; Pascanu, Mikolov and
Bengio, On the difficulty of training recurrent neural networks, ICML 2013, and the authors' code.
"""

import math

from rnnbench.tasks import _options
from rnnbench.tasks._markers import PLACEMENTS, chance_of_the_first_step, marked_task
from rnnbench.tasks._task import Chance

VARIANTS = {
    "pascanu": {},
    "lstm_97": {"placement": "first_ten", "tolerance": 0.04},
}
CRITERIA = {
    "halves": "The absolute error is below the tolerance.",
    "first_ten": "Fewer than 13 (or, less strictly, 140) of the last 2,000 sequences are wrong.",
    "tenths": "At most 1 % of 10,000 sequences are wrong.",
}
GUESS = 1 / 4


def build(placement="tenths", tolerance=0.2):
    """Build the task; see the module's docstring."""
    placement = _options.one_of("placement", placement, list(PLACEMENTS))
    tolerance = _options.number("tolerance", tolerance, least=1e-9)

    def chance(length):
        one = chance_of_the_first_step(placement, length)
        low, high = max(GUESS - tolerance, 0), min(GUESS + tolerance, 1)
        success = (1 - one) * (_product_below(high) - _product_below(low)) + one * (high - low)
        return Chance((1 - one) * 7 / 144 + one * 7 / 48, success)

    return marked_task(
        placement=placement,
        low=0.0,
        neutral=1.0,
        combine=lambda a, b: a * b,
        guess=GUESS,
        tolerance=tolerance,
        chance=chance,
        criterion=CRITERIA[placement],
    )


def _product_below(z):
    return z - z * math.log(z) if z > 0 else 0.0
