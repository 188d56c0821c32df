"""a^n b^n: counting once.

Each row is # a^n b^n, n uniform from `least` (1) to `length`. After each symbol the network says which may come next:
a after #; a or b after an a, as nobody knows n yet; after that, who has counted knows it (n - 1 times b, then #). #
ends a row as it begins it. The target is the set of these symbols (logistic loss, summed over them), and a row is
right if all logits have the right sign at every step. Training takes n to 10, and a net that counts goes on far
beyond: `least` = `length` = 100 tests that n alone.

Chance: the naive predictor knows the current symbol only. After # and after a that is all there is to know. After b
it gives the probability q that the block is over, 1/q = (least + length)/2 being the mean of n, and errs in two
outputs: 2 H(q) with H(q) = -q ln q - (1 - q) ln (1 - q). A row has 2 n + 1 steps, so the loss is 2 H(q)/q / (2/q +
1). It says "over" only if q > 1/2, which is if n is 1 or 2 or always 1; then the rows of n = 1 are right, otherwise
none.

Source: Gers and Schmidhuber, LSTM Recurrent Networks Learn Simple Context-Free and Context-Sensitive Languages, IEEE
Transactions on Neural Networks 2001 (trained with n to 10 and up to 50, tested to 1000).
"""

from rnnbench.tasks._counting import block_task

VARIANTS = {"gers_01": {}}


def build(least=1):
    """Build the task; see the module's docstring."""
    return block_task("ab", least)
