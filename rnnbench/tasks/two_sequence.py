"""Two-sequence problem: the class is told by the first few steps, noise follows.

The first N steps are 1 in one class and -1 in the other; all later ones are normal with mean 0 and variance 0.2 (a
variance: the standard deviation is 0.447). At the last step the class is asked for.

===========  ====================  ===================  ===========================  ==========================
variant      informative steps     targets (1, -1)      noise on the targets         right: error to the
                                                                                     noise-free target below
===========  ====================  ===================  ===========================  ==========================
lstm_97_3a   exact                 1.0, 0.0             none                         0.2
lstm_97_3b   with the same noise   1.0, 0.0             none                         0.2
lstm_97_3c   exact                 0.2, 0.8             normal, variance 0.1         0.1
===========  ====================  ===================  ===========================  ==========================

`length` is T; a row has T to T + T/10 steps. The paper uses T = 100 and 1000, N = 3 and 1.

3b cannot be solved always: the mean of N noisy steps has the sign of its class with probability Phi(sqrt(N/0.2)),
0.99995 for N = 3 and 0.987 for N = 1, so that the paper lets some of the test sequences be wrong. In 3c the least loss
is 0.1, that of the noise.

Chance: both classes are as likely, so the naive predictor says the middle of the targets, 0.5: the loss is 0.25 (3a,
3b), or 0.3^2 + 0.1 = 0.19 (3c), and it is never near enough to a target.

Options: `informative` (N), `noisy_information`, `noisy_targets` (the targets of 3c too).

Source: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, experiment 3 (3a after Bengio,
Simard and Frasconi 1994). A simple net finds 3a by guessing its weights.
"""

from rnnbench.tasks import _options
from rnnbench.tasks._answers import near_at_end
from rnnbench.tasks._first_steps import first_steps_task

VARIANTS = {
    "lstm_97_3a": {},
    "lstm_97_3b": {"noisy_information": True},
    "lstm_97_3c": {"noisy_targets": True},
}
ALL, MOST = "All of 256 test sequences are right", "Fewer than 6 of 256 test sequences are wrong"


def build(informative=3, noisy_information=False, noisy_targets=False):
    """Build the task; see the module's docstring."""
    noisy_information = _options.flag("noisy_information", noisy_information)
    noisy_targets = _options.flag("noisy_targets", noisy_targets)
    right, error = (MOST, 0.04) if noisy_information else (ALL, 0.015 if noisy_targets else 0.01)
    return first_steps_task(
        informative=_options.integer("informative", informative, 1),
        variance=0.2,
        targets=(0.2, 0.8) if noisy_targets else (1.0, 0.0),
        correct=near_at_end(0.1 if noisy_targets else 0.2),
        chance_success=0.0,
        length=100,
        longer=0.1,
        criterion=f"{right}, and their mean absolute error (to the noise-free target) is below {error}.",
        noisy_x=noisy_information,
        target_variance=0.1 if noisy_targets else 0.0,
    )
