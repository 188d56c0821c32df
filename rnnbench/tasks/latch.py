"""Latch: hold one bit against noise.

The first L steps are 1 or -1, all later ones are normal with mean 0 and variance 0.2. At the last step the target is
the sign of the first ones, times 0.8 or 1. A unit a = w tanh(a') + h with w > 1 has two stable states, and stays in the
one it is in as long as the noise is small: that is the shortest network that solves this.

============  ====  ===============  =======  ==========================
variant       L     steps            target   right
============  ====  ===============  =======  ==========================
bengio_94     3     T (20)           0.8      the sign (ours)
guessing_01   1     T to 1.2 T       1        error below 0.1
                    (500 to 600)
============  ====  ===============  =======  ==========================

`length` is T. Bengio et al. learn the values that a class has at the first L steps, together with w; here these are 1
or -1 times whatever the network's input weight is. Their L, T and variance are quoted from memory and unconfirmed.
guessing_01 is the latch problem in its variant II.

Chance: both signs are as likely, so the naive predictor says 0: the loss is 0.64 (1), its sign (that of 0 counts as -)
right in 1/2, its error never below 0.1.

Options: `informative` (L), `target`, `longer` (up to which part of T a row is longer), `tolerance` (None: the sign).

Sources: Bengio, Simard and Frasconi, Learning Long-Term Dependencies with Gradient Descent is Difficult, IEEE
Transactions on Neural Networks 1994; Schmidhuber, Hochreiter and Bengio, Evaluating Benchmark Problems by Random
Guessing, in A Field Guide to Dynamical Recurrent Networks, 2001.
"""

from rnnbench.tasks import _options
from rnnbench.tasks._answers import near_at_end, right_signs
from rnnbench.tasks._first_steps import first_steps_task

VARIANTS = {
    "bengio_94": {},
    "guessing_01": {"informative": 1, "target": 1.0, "longer": 0.2, "tolerance": 0.1},
}


def build(informative=3, target=0.8, longer=0.0, tolerance=None):
    """Build the task; see the module's docstring."""
    target = _options.number("target", target, least=0.5)
    longer = _options.number("longer", longer, most=1.0)
    tolerance = _options.number_or_none("tolerance", tolerance, 1e-9, 0.5)
    return first_steps_task(
        informative=_options.integer("informative", informative, 1),
        variance=0.2,
        targets=(target, -target),
        correct=right_signs if tolerance is None else near_at_end(tolerance),
        chance_success=0.5 if tolerance is None else 0.0,
        length=500 if longer else 20,
        longer=longer,
        criterion="All of 100 test sequences are right.",
    )
