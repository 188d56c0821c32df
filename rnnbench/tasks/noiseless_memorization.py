"""Noiseless memorization: say again what was shown before a long pause.

As copy, with other sizes: in the variant five_bit five symbols out of two are shown, in twenty_bit ten out of five (23
bits in truth). Then come `length` blanks, and the answer is asked for from the delimiter on: length + 2 recall steps,
the first recalled symbol at the step of the delimiter itself. Before it the answer is the blank.

The loss is the mean over all steps. A sequence is right if every step of it is, the blanks too.

Chance: as for copy, the blank where nothing is asked for and all S symbols alike for the N to recall: N ln S/(length +
2 N), all right with probability S^-N.

Options: `symbols`, the size of the alphabet; `recall`, how many symbols are shown.

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 1997, for the idea; Martens and
Sutskever, Learning Recurrent Neural Networks with Hessian-Free Optimization, ICML 2011; Pascanu, Mikolov and Bengio, On
the difficulty of training recurrent neural networks, ICML 2013, and the authors' code.
"""

from rnnbench.tasks import _options
from rnnbench.tasks._recall import recall_task

VARIANTS = {"five_bit": {}, "twenty_bit": {"symbols": 5, "recall": 10}}


def build(symbols=2, recall=5):
    """Build the task; see the module's docstring."""
    return recall_task(
        symbols=_options.integer("symbols", symbols, 2),
        recall=_options.integer("recall", recall, 1),
        delimiter=0,
        recall_only=False,
        length=100,
        criterion="Less than 1 % of 10,000 sequences are wrong.",
    )
