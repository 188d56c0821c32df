"""Copy: say again what was shown before a long pause.

Ten symbols out of eight are shown, then T - 1 blanks, a delimiter and ten blanks: T + 20 steps, T being `length`. The
answer is the blank up to and including the delimiter, then the ten symbols in their order.

The loss is the mean over all T + 20 steps, as the paper's baseline counts it; success asks for the ten symbols only,
since a constant blank is right at more than nine steps of ten.

Chance: what does not remember can still count. It says the blank for T + 10 steps, at no loss, and cannot do better
than all eight symbols alike for ten: ln 8 each, so 10 ln 8 / (T + 20). Ten guesses out of eight are all right with
probability 8^-10.

Options: `symbols`, the size of the alphabet; `recall`, how many symbols are shown.

Source: Arjovsky, Shah and Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016 (after Hochreiter and
Schmidhuber 1997). They give no criterion of success.
"""

from rnnbench.tasks import _options
from rnnbench.tasks._recall import recall_task

VARIANTS = {"urnn": {}}


def build(symbols=8, recall=10):
    """Build the task; see the module's docstring."""
    return recall_task(
        symbols=_options.integer("symbols", symbols, 2),
        recall=_options.integer("recall", recall, 1),
        delimiter=-1,
        recall_only=True,
        length=100,
        criterion="Every recalled symbol of a sequence is right (the paper shows losses only).",
    )
